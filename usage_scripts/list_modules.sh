#!/usr/bin/env bash
# List the modules:
#   usage_scripts/list_modules.sh
set -euo pipefail
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
curl -sS --fail-with-body "$server/api/v1/modules"

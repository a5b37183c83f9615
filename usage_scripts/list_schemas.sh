#!/usr/bin/env bash
# List the schemas:
#   usage_scripts/list_schemas.sh
set -euo pipefail
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
curl -sS --fail-with-body "$server/api/v1/schemas"

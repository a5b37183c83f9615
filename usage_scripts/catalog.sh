#!/usr/bin/env bash
# The catalog that an execution made, as JSON: columns with units, and events:
#   usage_scripts/catalog.sh ID
set -euo pipefail
(($# >= 1)) || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
curl -sS --fail-with-body "$server/api/v1/executions/$1/catalog"

#!/usr/bin/env bash
# List executions, newest first; the filters are those of the API:
#   usage_scripts/list_executions.sh [state=RUNNING] [module=storms] [kind=build] [limit=20] [offset=0]
set -euo pipefail
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
query=()
for pair in "$@"; do query+=(--data-urlencode "$pair"); done
curl -sS --fail-with-body --get "$server/api/v1/executions" "${query[@]}"

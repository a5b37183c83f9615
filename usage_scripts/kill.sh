#!/usr/bin/env bash
# Cancel an execution; a second time without its exit handlers:
#   usage_scripts/kill.sh ID
set -euo pipefail
(($# >= 1)) || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
curl -sS --fail-with-body --request POST "$server/api/v1/executions/$1/cancel"

#!/usr/bin/env bash
# Ask for the same once more, as a new execution:
#   usage_scripts/resubmit.sh ID
set -euo pipefail
(($# >= 1)) || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
curl -sS --fail-with-body --request POST "$server/api/v1/executions/$1/resubmit"

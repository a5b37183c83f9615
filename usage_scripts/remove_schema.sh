#!/usr/bin/env bash
# Take a schema off the list; what was made from it stays readable:
#   usage_scripts/remove_schema.sh NAME
set -euo pipefail
(($# >= 1)) || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
curl -sS --fail-with-body --request DELETE "$server/api/v1/schemas/$1"

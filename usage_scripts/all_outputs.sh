#!/usr/bin/env bash
# Save all files of an execution as one zip archive:
#   usage_scripts/all_outputs.sh ID FILE.zip
set -euo pipefail
(($# >= 2)) || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
curl -sS --fail-with-body --output "$2" "$server/api/v1/executions/$1/output?all=1"

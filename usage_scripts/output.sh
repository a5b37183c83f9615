#!/usr/bin/env bash
# Fetch the declared output of an execution, or another of its files by name:
#   usage_scripts/output.sh ID [NAME]
set -euo pipefail
(($# >= 1)) || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
query=()
[ $# -lt 2 ] || query=(--data-urlencode "name=$2")
curl -sS --fail-with-body --get "$server/api/v1/executions/$1/output" "${query[@]}"

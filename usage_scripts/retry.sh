#!/usr/bin/env bash
# Start a new attempt of an execution that failed, was cancelled or got lost:
#   usage_scripts/retry.sh ID
set -euo pipefail
(($# >= 1)) || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
curl -sS --fail-with-body --request POST "$server/api/v1/executions/$1/retry"

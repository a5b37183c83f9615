#!/usr/bin/env bash
# Everything about an execution: state, nodes, outputs, and why it failed if it did:
#   usage_scripts/show_execution.sh ID
set -euo pipefail
(($# >= 1)) || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
curl -sS --fail-with-body "$server/api/v1/executions/$1"

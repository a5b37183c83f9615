#!/usr/bin/env bash
# Show a schema: its inputs as a JSON Schema, its outputs, warnings and manifest:
#   usage_scripts/show_schema.sh NAME
set -euo pipefail
(($# >= 1)) || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
curl -sS --fail-with-body "$server/api/v1/schemas/$1"

#!/usr/bin/env bash
# Run a schema and print the execution, which goes on:
#   usage_scripts/run_schema.sh NAME [INPUT=VALUE …]
set -euo pipefail
(($# >= 1)) || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
body="$(python3 -c 'import json, sys; print(json.dumps({"arguments": dict(a.split("=", 1) for a in sys.argv[1:])}))' "${@:2}")"
curl -sS --fail-with-body "$server/api/v1/schemas/$1/executions" -H 'Content-Type: application/json' --data "$body"

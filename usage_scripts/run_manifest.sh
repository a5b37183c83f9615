#!/usr/bin/env bash
# Send an Argo Workflow manifest to be run once, and print the execution, which goes on:
#   usage_scripts/run_manifest.sh FILE.yaml [INPUT=VALUE …]
set -euo pipefail
(($# >= 1)) || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
body="$(python3 -c 'import json, sys; print(json.dumps({"manifest": open(sys.argv[1], encoding="utf-8").read(),
  "arguments": dict(a.split("=", 1) for a in sys.argv[2:])}))' "$@")"
curl -sS --fail-with-body "$server/api/v1/executions" -H 'Content-Type: application/json' --data-binary @- <<<"$body"

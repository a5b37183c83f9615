#!/usr/bin/env bash
# Save an Argo Workflow manifest as a schema, or as its next version; its name is the manifest's:
#   usage_scripts/add_schema.sh FILE.yaml
set -euo pipefail
(($# >= 1)) || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
body="$(python3 -c 'import json, sys; print(json.dumps({"manifest": open(sys.argv[1], encoding="utf-8").read()}))' "$1")"
curl -sS --fail-with-body "$server/api/v1/schemas" -H 'Content-Type: application/json' --data-binary @- <<<"$body"

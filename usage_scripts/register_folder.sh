#!/usr/bin/env bash
# Register the module in a folder of the server's machine and start building it:
#   usage_scripts/register_folder.sh PATH
set -euo pipefail
(($# >= 1)) || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
body="$(python3 -c 'import json, os, sys; print(json.dumps({"path": os.path.abspath(sys.argv[1])}))' "$1")"
curl -sS --fail-with-body "$server/api/v1/modules" -H 'Content-Type: application/json' --data "$body"

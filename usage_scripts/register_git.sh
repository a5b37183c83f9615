#!/usr/bin/env bash
# Register a module from git and start building it:
#   usage_scripts/register_git.sh URL [BRANCH|TAG|COMMIT] [SUBDIRECTORY]
set -euo pipefail
(($# >= 1)) || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
body="$(python3 -c 'import json, sys; print(json.dumps(dict(zip(("git_url", "ref", "subdirectory"), sys.argv[1:]))))' "$@")"
curl -sS --fail-with-body "$server/api/v1/modules" -H 'Content-Type: application/json' --data "$body"

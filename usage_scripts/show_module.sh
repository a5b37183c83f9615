#!/usr/bin/env bash
# Show a module and its versions, by name or number:
#   usage_scripts/show_module.sh MODULE
set -euo pipefail
(($# >= 1)) || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
curl -sS --fail-with-body "$server/api/v1/modules/$1"
echo
curl -sS --fail-with-body "$server/api/v1/modules/$1/versions"

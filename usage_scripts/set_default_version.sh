#!/usr/bin/env bash
# Make a version that was built the one that runs by default:
#   usage_scripts/set_default_version.sh MODULE VERSION
set -euo pipefail
(($# >= 2)) || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
curl -sS --fail-with-body --request PUT "$server/api/v1/modules/$1/default" \
  -H 'Content-Type: application/json' --data "{\"version\": $2}"

#!/usr/bin/env bash
# Fetch a module's source anew and build it; the version in use stays until that has passed:
#   usage_scripts/rebuild_module.sh MODULE
set -euo pipefail
(($# >= 1)) || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
curl -sS --fail-with-body --request POST "$server/api/v1/modules/$1/builds"

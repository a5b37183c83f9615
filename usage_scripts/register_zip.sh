#!/usr/bin/env bash
# Upload a zip archive with one or more modules and start building them:
#   usage_scripts/register_zip.sh FILE.zip
set -euo pipefail
(($# >= 1)) || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
curl -sS --fail-with-body "$server/api/v1/modules" --form "file=@$1;type=application/zip"

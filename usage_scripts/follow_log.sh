#!/usr/bin/env bash
# Print the log of an execution while it grows, until nothing more comes:
#   usage_scripts/follow_log.sh ID
# Each request asks from a byte offset on and waits up to 20 s for more.
set -euo pipefail
(($# >= 1)) || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
headers="$(mktemp)"
trap 'rm -f "$headers"' EXIT
header() { sed -n "s/^$1: *\([^[:space:]]*\).*/\1/Ip" "$headers"; }

offset=0
while true; do
  curl -sS --fail-with-body --dump-header "$headers" "$server/api/v1/executions/$1/log?offset=$offset&wait=20"
  offset="$(header Orchestra-Log-Offset)"
  [ "$(header Orchestra-Final)" = true ] && break
done

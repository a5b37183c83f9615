#!/usr/bin/env bash
# Run a module between two times (UTC, stop is exclusive), wait for its end, say how it ended:
#   usage_scripts/run_and_wait.sh MODULE START STOP [NAME=VALUE …]
# The idempotency key makes it safe to send the request again if the connection breaks.
set -euo pipefail
(($# >= 3)) || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
module="$1"
body="$(python3 -c 'import json, sys
start, stop, *arguments = sys.argv[1:]
print(json.dumps({"start": start, "stop": stop, "arguments": dict(pair.split("=", 1) for pair in arguments)}))' "${@:2}")"
key="$(python3 -c 'import uuid; print(uuid.uuid4())')"
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

id="$(curl -sS --fail-with-body "$server/api/v1/modules/$module/executions" -H "Idempotency-Key: $key" \
  -H 'Content-Type: application/json' --data "$body" | field id)"
echo "execution $id" >&2
while true; do
  state="$(curl -sS --fail-with-body "$server/api/v1/executions/$id" | field state)"
  case "$state" in
    SUCCEEDED) echo "$id"; exit 0 ;;
    FAILED | CANCELLED | LOST) echo "$state" >&2; exit 1 ;;
  esac
  sleep 0.5
done

#!/usr/bin/env bash
# The loop of AMDA's contract, GET only: run, ask for the status until it is done, fetch the output:
#   usage_scripts/amda_loop.sh MODULE_ID START STOP [NAME=VALUE …]
set -euo pipefail
(($# >= 3)) || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
query=(--data-urlencode "start=$2" --data-urlencode "stop=$3")
for pair in "${@:4}"; do query+=(--data-urlencode "$pair"); done
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

task="$(curl -sS --fail-with-body --get "$server/modules/$1/run" "${query[@]}" | field task)"
while true; do
  status="$(curl -sS --fail-with-body "$server/tasks/$task" | field status)"
  case "$status" in
    done) break ;;
    error | terminated) echo "task $task: $status" >&2; exit 1 ;;
  esac
  sleep 0.5
done
curl -sS --fail-with-body "$server/tasks/$task/output"

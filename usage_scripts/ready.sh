#!/usr/bin/env bash
# Whether the server can work: database, migrations, controller, disk:
#   usage_scripts/ready.sh
set -euo pipefail
server="${ORCHESTRA_SERVER:-http://127.0.0.1:8000}"
curl -sS --fail-with-body "$server/api/v1/ready"

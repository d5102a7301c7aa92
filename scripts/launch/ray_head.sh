#!/usr/bin/env bash
# Starts a Ray head on this machine and prints how others join. Arguments go to `ray start`.
#
#   scripts/launch/ray_head.sh [--num-gpus=8 …]
#
# RAY_PORT (default 6379); RAY_AUTH_TOKEN is made where it isn't set. `ray stop` ends the node.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
ray="${RAY:-.venv/bin/ray}"
export RAY_USAGE_STATS_ENABLED=0
if [ -z "${RAY_AUTH_TOKEN:-}${RAY_AUTH_TOKEN_PATH:-}${RAY_AUTH_MODE:-}" ]; then
    RAY_AUTH_TOKEN="$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')"
    export RAY_AUTH_TOKEN
    echo "export RAY_AUTH_TOKEN=$RAY_AUTH_TOKEN   # on every other machine and for the run"
fi
echo "others, once it runs: scripts/launch/ray_worker.sh $(hostname):${RAY_PORT:-6379}"
exec "$ray" start --head --port="${RAY_PORT:-6379}" --include-dashboard=false --disable-usage-stats "$@"  # gets our signals

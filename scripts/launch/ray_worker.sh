#!/usr/bin/env bash
# Joins this machine to a Ray cluster. Arguments after the address go to `ray start`; VLRL_RAY_WAIT=1 stays until it ends.
#
#   scripts/launch/ray_worker.sh HOST:PORT [--num-gpus=8 …]
#
# RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH: the head's token, which is sent unless RAY_AUTH_MODE says otherwise.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
ray="${RAY:-.venv/bin/ray}"
if [ "$#" = 0 ]; then echo "scripts/launch/ray_worker.sh: name the head, HOST:PORT" >&2; exit 2; fi
address="$1"; shift
export RAY_USAGE_STATS_ENABLED=0
export RAY_worker_niceness="${RAY_worker_niceness:-0}"  # at 15, Ray's own, busy machines leave actors no time
if [ -n "${RAY_AUTH_TOKEN:-}${RAY_AUTH_TOKEN_PATH:-}" ]; then
    export RAY_AUTH_MODE="${RAY_AUTH_MODE:-token}"  # a head turns it on by itself, who joins does not
fi
waits=()
if [ -n "${VLRL_RAY_WAIT:-}" ]; then waits=(--block); fi
exec "$ray" start --address="$address" --disable-usage-stats ${waits[@]+"${waits[@]}"} "$@"

#!/usr/bin/env bash
# Starts a Ray head on this machine and prints how others join. Arguments go to `ray start`.
#
#   scripts/launch/ray_head.sh [--num-gpus=8 …]
#
# TRAINER_GPUS (default 0): so many of this machine's GPUs, the first ones, are the trainer's; Ray gets the others.
# RAY_PORT (default 6379); RAY_AUTH_TOKEN is made where it isn't set, and RAY_AUTH_MODE is token. `ray stop` ends the node.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
ray="${RAY:-.venv/bin/ray}"
export RAY_USAGE_STATS_ENABLED=0
export RAY_worker_niceness="${RAY_worker_niceness:-0}"  # at 15, Ray's own, busy machines leave actors no time
if [ -z "${RAY_AUTH_TOKEN:-}${RAY_AUTH_TOKEN_PATH:-}${RAY_AUTH_MODE:-}" ]; then
    RAY_AUTH_TOKEN="$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')"
    export RAY_AUTH_TOKEN
    echo "export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=$RAY_AUTH_TOKEN   # on every other machine and for the run"
fi
export RAY_AUTH_MODE="${RAY_AUTH_MODE:-token}"
if [ "${TRAINER_GPUS:-0}" -gt 0 ]; then
    all="${CUDA_VISIBLE_DEVICES-$(nvidia-smi --list-gpus 2>/dev/null | awk '{print NR - 1}' | paste -sd , || true)}"
    IFS=, read -r -a gpus <<<"$all"
    rest=("${gpus[@]:TRAINER_GPUS}")
    CUDA_VISIBLE_DEVICES="$(IFS=,; echo "${rest[*]}")"
    export CUDA_VISIBLE_DEVICES
    set -- --num-gpus="${#rest[@]}" "$@"
fi
echo "others, once it runs: scripts/launch/ray_worker.sh $(hostname):${RAY_PORT:-6379}"
exec "$ray" start --head --port="${RAY_PORT:-6379}" --include-dashboard=false --disable-usage-stats "$@"  # gets our signals

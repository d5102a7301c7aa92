#!/usr/bin/env bash
# Starts this machine's part of a run over several: the same line on each, with its own number. One process a GPU.
#
#   scripts/launch/torchrun.sh FIRST:PORT MACHINES NUMBER CONFIG [KEY=VALUE …]      NUMBER counts from 0, the first's
#
# PROCESSES (default: the number of GPUs that CUDA_VISIBLE_DEVICES leaves, 1 without any); VLRL_COMMAND (default: rl)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
if [ "$#" -lt 4 ] || [[ "$1" != *:* ]]; then
    echo "scripts/launch/torchrun.sh: name the first machine, how many there are, this one's number and a config:" >&2
    echo "  → scripts/launch/torchrun.sh FIRST:PORT MACHINES NUMBER CONFIG" >&2
    exit 2
fi
first="$1" machines="$2" number="$3"; shift 3
torchrun="${TORCHRUN:-.venv/bin/torchrun}"
if [ -n "${CUDA_VISIBLE_DEVICES+set}" ]; then  # nvidia-smi lists the hidden ones, too
    IFS=, read -r -a visible <<<"$CUDA_VISIBLE_DEVICES"
    gpus="${#visible[@]}"
else
    gpus="$(nvidia-smi --list-gpus 2>/dev/null | wc -l || true)"
fi
exec "$torchrun" --nnodes="$machines" --node-rank="$number" --nproc-per-node="${PROCESSES:-$((gpus > 0 ? gpus : 1))}" \
    --master-addr="${first%:*}" --master-port="${first##*:}" -m vlrl "${VLRL_COMMAND:-rl}" "$@"

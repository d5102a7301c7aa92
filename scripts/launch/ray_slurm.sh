#!/usr/bin/env bash
# One SLURM job: a Ray head on its first node, workers on the others, and `vlrl rl` on the first. All ends with the run.
#
#   sbatch --nodes=2 --gpus-per-node=8 scripts/launch/ray_slurm.sh configs/rl/ray_cluster.yaml
#   sbatch --nodes=2 --gpus-per-node=8 scripts/launch/ray_slurm.sh CONFIG \
#       'engine={name: ray, address: auto, actors: 15, gpus_per_actor: 1, engine: {name: vllm}}'
#
# GPUs come from sbatch (--gpus-per-node). PROCESSES (default 1): ranks of the trainer on the first node, by torchrun
# above 1. The first node's first PROCESSES GPUs are theirs and no actor's; TRAINER_GPUS=0 where the trainer needs none.
#SBATCH --ntasks-per-node=1
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:?is run by sbatch}"
if [ "$#" = 0 ]; then echo "scripts/launch/ray_slurm.sh: name a config" >&2; exit 2; fi
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head="${nodes[0]}" processes="${PROCESSES:-1}"
export RAY_PORT="${RAY_PORT:-$((20000 + SLURM_JOB_ID % 10000))}"
RAY_AUTH_TOKEN="$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')"
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN RAY_ADDRESS="$head:$RAY_PORT"

started=()
finish() { for pid in ${started[@]+"${started[@]}"}; do kill "$pid" 2>/dev/null || true; done; wait; }
trap finish EXIT

TRAINER_GPUS="${TRAINER_GPUS:-$processes}" \
    srun --nodes=1 --ntasks=1 --overlap -w "$head" scripts/launch/ray_head.sh --block &
started+=("$!")
sleep "${RAY_HEAD_SECONDS:-10}"
for node in "${nodes[@]:1}"; do
    VLRL_RAY_WAIT=1 srun --nodes=1 --ntasks=1 --overlap -w "$node" scripts/launch/ray_worker.sh "$RAY_ADDRESS" &
    started+=("$!")
done
trainer=(.venv/bin/vlrl rl)
if [ "$processes" -gt 1 ]; then
    trainer=(env "PROCESSES=$processes" scripts/launch/torchrun.sh "$head:$((RAY_PORT + 10000))" 1 0)
fi
srun --nodes=1 --ntasks=1 --overlap -w "$head" "${trainer[@]}" "$@"

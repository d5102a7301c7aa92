#!/usr/bin/env bash
# One SLURM job: a torchrun on every node, and a process a GPU. The job ends when one of them fails.
#
#   sbatch --nodes=4 --gpus-per-node=8 scripts/launch/train_slurm.sh CONFIG backend.name=deepspeed backend.stage=3 …
#
# The run folder must lie where all nodes see it. VLRL_COMMAND (default: rl)
#SBATCH --ntasks-per-node=1
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:?is run by sbatch}"
if [ "$#" = 0 ]; then echo "scripts/launch/train_slurm.sh: name a config" >&2; exit 2; fi
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
port="$((20000 + SLURM_JOB_ID % 10000))"
# each task reads its own number from SLURM_NODEID
# shellcheck disable=SC2016
exec srun --ntasks-per-node=1 --kill-on-bad-exit=1 bash -c \
    'exec scripts/launch/torchrun.sh "$1" "$SLURM_NNODES" "$SLURM_NODEID" "${@:2}"' - "${nodes[0]}:$port" "$@"

"""Scripts that start a run over several machines: what they would start, read from stand-ins for torchrun and SLURM."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

LAUNCH = Path(__file__).parents[1] / "scripts" / "launch"


def stand_in(folder: Path, name: str, script: str) -> Path:
    file = folder / name
    file.write_text(f"#!/usr/bin/env bash\n{script}\n")
    file.chmod(0o755)
    return file


@pytest.mark.parametrize("script", ["torchrun.sh", "train_slurm.sh", "ray_head.sh", "ray_slurm.sh"])
def test_launch_scripts_stop_at_the_first_error(script):
    file = LAUNCH / script
    assert "set -euo pipefail" in file.read_text()
    assert os.access(file, os.X_OK)
    subprocess.run(["bash", "-n", str(file)], check=True)


@pytest.mark.parametrize(
    ("gpus", "visible", "processes"),
    [(0, None, 1), (4, None, 4), (4, "1,3", 2), (4, "GPU-5f-2,GPU-5f-3,GPU-5f-4", 3), (4, "", 1), (4, "-1", 1)],
)
def test_each_machine_starts_a_process_a_gpu_that_it_may_use(tmp_path, gpus, visible, processes):
    torchrun = stand_in(tmp_path, "torchrun", 'echo "$*"')
    stand_in(tmp_path, "nvidia-smi", f"for i in $(seq {gpus}); do echo GPU $i; done")
    variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TORCHRUN": str(torchrun)}
    if visible is not None:
        variables["CUDA_VISIBLE_DEVICES"] = visible
    arguments = [LAUNCH / "torchrun.sh", "first:29500", "2", "1", "c.yaml", "rl.steps=3"]
    done = subprocess.run(arguments, env=variables, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [
        *["--nnodes=2", "--node-rank=1", f"--nproc-per-node={processes}", "--master-addr=first", "--master-port=29500"],
        *["-m", "vlrl", "rl", "c.yaml", "rl.steps=3"],
    ]


def test_without_a_config_it_says_what_it_wants():
    done = subprocess.run([LAUNCH / "torchrun.sh", "first:29500", "2", "1"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "FIRST:PORT MACHINES NUMBER CONFIG" in done.stderr


def test_a_slurm_job_starts_one_torchrun_a_node_with_the_same_first(tmp_path):
    shutil.copytree(LAUNCH, tmp_path / "scripts" / "launch")
    stand_in(tmp_path, "scontrol", "echo node-a; echo node-b")
    stand_in(tmp_path, "srun", 'shift 2; for n in 0 1; do SLURM_NNODES=2 SLURM_NODEID=$n "$@"; done')
    torchrun = stand_in(tmp_path, "torchrun", 'echo "$*"')
    variables = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "TORCHRUN": str(torchrun),
        "PROCESSES": "8",
        "SLURM_SUBMIT_DIR": str(tmp_path),
        "SLURM_JOB_NODELIST": "node-[a-b]",
        "SLURM_JOB_ID": "31234",
    }
    script = [LAUNCH / "train_slurm.sh", "c.yaml", "backend.name=deepspeed"]
    done = subprocess.run(script, env=variables, capture_output=True, text=True, check=True)
    end = "--nproc-per-node=8 --master-addr=node-a --master-port=21234 -m vlrl rl c.yaml backend.name=deepspeed"
    assert done.stdout.splitlines() == [f"--nnodes=2 --node-rank={n} {end}" for n in (0, 1)]


@pytest.mark.parametrize(
    ("visible", "trainers", "left"),
    [(None, "2", "2,3"), ("4,5,6", "1", "5,6"), (None, "4", ""), ("", "1", "")],
)
def test_a_ray_head_has_the_gpus_that_the_trainer_leaves(tmp_path, visible, trainers, left):
    ray = stand_in(tmp_path, "ray", 'echo "ray $* on ${CUDA_VISIBLE_DEVICES-all}"')
    stand_in(tmp_path, "nvidia-smi", "for i in 0 1 2 3; do echo GPU $i; done")
    variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "RAY": str(ray), "TRAINER_GPUS": trainers}
    if visible is not None:
        variables["CUDA_VISIBLE_DEVICES"] = visible
    done = subprocess.run([LAUNCH / "ray_head.sh"], env=variables, capture_output=True, text=True, check=True)
    count = len(left.split(",")) if left else 0
    assert done.stdout.splitlines()[-1].endswith(f"--disable-usage-stats --num-gpus={count} on {left}")


@pytest.mark.parametrize(("processes", "gpus"), [(None, "1"), ("3", "3")])
def test_a_slurm_job_with_ray_starts_the_trainers_ranks_beside_the_head(tmp_path, processes, gpus):
    shutil.copytree(LAUNCH, tmp_path / "scripts" / "launch")
    stand_in(tmp_path, "scontrol", "echo node-a; echo node-b")
    # the trainer goes on once head and worker, which are started in the background, have said what they are
    runs = 'until grep -q head log && grep -q worker log; do sleep 0.05; done; [ $3 != env ] || "${@:3}"'
    said = 'echo "srun $* (trainer has ${TRAINER_GPUS-none})" >>log; echo "token ${RAY_AUTH_MODE-unsent}" >>log'
    stand_in(tmp_path, "srun", f'shift 3; {said}; case "$*" in *launch/ray_*) ;; *) {runs} ;; esac')
    torchrun = stand_in(tmp_path, "torchrun", 'echo "torchrun $*" >>log')
    variables = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "TORCHRUN": str(torchrun),
        "SLURM_SUBMIT_DIR": str(tmp_path),
        "SLURM_JOB_NODELIST": "node-[a-b]",
        "SLURM_JOB_ID": "31234",
        "RAY_HEAD_SECONDS": "0",
        **({} if processes is None else {"PROCESSES": processes}),
    }
    subprocess.run([LAUNCH / "ray_slurm.sh", "c.yaml", "engine.name=ray"], env=variables, check=True, timeout=300)
    said = (tmp_path / "log").read_text().splitlines()
    assert f"srun -w node-a scripts/launch/ray_head.sh --block (trainer has {gpus})" in said
    assert "srun -w node-b scripts/launch/ray_worker.sh node-a:21234 (trainer has none)" in said
    assert "token token" in said
    assert "token unsent" not in said
    if processes is None:
        assert "srun -w node-a .venv/bin/vlrl rl c.yaml engine.name=ray (trainer has none)" in said
    else:
        command = "--nnodes=1 --node-rank=0 --nproc-per-node=3 --master-addr=node-a --master-port=31234"
        assert f"torchrun {command} -m vlrl rl c.yaml engine.name=ray" in said

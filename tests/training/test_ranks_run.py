"""Whole RL runs over two ranks: the metrics and the model of one process, however the ranks were started and ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from vlrl.runlog.run_folder import read_jsonl
from vlrl.training.run import start_run

ROOT = Path(__file__).parents[2]
OWN = ("rollout/slot_utilisation",)  # every rank has slots of its own
DOMAINS = '''
"""Text and images, and a verifier that finds about half of a random model's answers right."""
from dataclasses import dataclass
import numpy as np
from PIL import Image
from vlrl.scenes.domain import domain
from vlrl.types import Draft, Verdict


class Parity:
    def verify(self, problem, response):
        return Verdict.right() if sum(response.encode()) % 2 else Verdict.wrong("even")


@domain("ranks_text", family="tests", modality="text")
@dataclass(frozen=True)
class RanksText(Parity):
    def draw(self, rng, difficulty):
        return Draft("which " * int(rng.integers(1, 9)) + f"{rng.integers(99999)}?", "7", thought="7")


@domain("ranks_images", family="tests")
@dataclass(frozen=True)
class RanksImages(Parity):
    def draw(self, rng, difficulty):
        image = Image.fromarray(rng.integers(0, 256, (48, 48, 3), dtype=np.uint8))
        return Draft(f"how many {rng.integers(9999)}?", "7", images=(image,), thought="7")
'''
RECIPE = """
plugins: [domains.py]
image: {min_pixels: 2304, max_pixels: 2304}
sources:
  - {name: texts, kind: domain, domain: ranks_text, weight: 1}
  - {name: images, kind: domain, domain: ranks_images, weight: 1}
"""
SHAPE = "{text_width: 32, text_layers: 2, vision_width: 32, head_size: 16, key_value_heads: 1, mlp_width: 48}"
RL = (
    "steps: 3, problems_per_step: 4, rollouts_per_problem: 4, updates_per_step: 2, validate_every: 3, log_every: 1, "
    "checkpoint_every: 2, skip_uninformative: false, loss: kimi, sampling: {max_tokens: 32}, "
    "policy: {reset_optimizer: each_iteration, optimizer: {name: adamw, lr: 1e-3}}"
)
SMALL = [
    "stages=[rl]",
    f"rl={{{RL}}}",
    "eval={curve_problems: 4, problems: 4, sampling: {max_tokens: 32}}",
    f"model.shape={SHAPE}",
    "threads=1",
]


@pytest.fixture(autouse=True, scope="module")
def tokenizer_from_few_texts() -> None:
    """In place of the one that all others have: launched processes train theirs on all texts, and so does this one."""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    (folder / "domains.py").write_text(DOMAINS)
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder / "recipe.yaml"


@pytest.fixture(scope="module")
def alone(recipe, tmp_path_factory) -> Path:
    """The run in this one process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    start_run("configs/quickstart.yaml", [*SMALL, f"data={recipe}", f"run_folder={folder}"])
    return folder


@pytest.fixture(scope="module")
def built(alone) -> list[str]:
    """Settings by which launched processes take the model that the run alone has built; one test has them build it."""
    return ["model.build=null", f"model.path={alone / 'built_model'}"]


def command(launcher: list[str], recipe: Path, folder: Path, *more: str) -> list[str]:
    vlrl = ["rl", "configs/quickstart.yaml", *SMALL, f"data={recipe}", f"run_folder={folder}", *more]
    return [sys.executable, "-m", *launcher, *vlrl]


def start(arguments: list[str]) -> subprocess.Popen[str]:
    """A process group of its own, as a shell starts it."""
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    scripts = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    variables = {**os.environ, "PYTHONPATH": paths, "PATH": scripts, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(
        arguments,
        cwd=ROOT,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(*started: subprocess.Popen[str]) -> str:
    said = [one.communicate()[0] for one in started]
    assert [one.returncode for one in started] == [0] * len(started), "\n".join(said)[-6000:]
    return "\n".join(said)


def break_off(folder: Path, deed: Callable[[], None], *started: subprocess.Popen[str]) -> None:
    """Do the deed when the first step is done; then all end, with the step saved that was going on."""
    metrics, until = folder / "metrics.jsonl", time.monotonic() + 300
    while not (metrics.is_file() and '"phase": "rl"' in metrics.read_text()):
        assert time.monotonic() < until
        assert all(one.poll() is None for one in started), "\n".join(one.communicate()[0] for one in started)[-6000:]
        time.sleep(0.02)
    deed()
    said = "\n".join(one.communicate(timeout=300)[0] for one in started)
    assert all(one.returncode for one in started), said[-6000:]
    assert not (folder / "model").exists(), said[-6000:]
    assert json.loads((folder / "run_card.json").read_text())["status"] == "interrupted"
    done = [line["step"] for line in read_jsonl(metrics) if line["phase"] == "rl"]
    assert (folder / "checkpoints" / f"step_{done[-1]:06}").is_dir(), said[-6000:]


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def compare(folder: Path, expected: Path) -> None:
    """Metrics within 1e-4 at every step, the same rollouts, and the saved model."""
    mine, theirs = (list(read_jsonl(one / "metrics.jsonl")) for one in (folder, expected))
    assert [(line["phase"], line["step"]) for line in mine] == [(line["phase"], line["step"]) for line in theirs]
    assert any(abs(line.get("loss/total", 0.0)) > 0.1 for line in theirs)
    for line, other in zip(mine, theirs, strict=True):
        assert line.keys() == other.keys()
        for key, value in other.items():
            if isinstance(value, float) and not (
                key.startswith(("time/", "colocated/")) or "second" in key or key in OWN
            ):
                assert line[key] == pytest.approx(value, abs=1e-4, rel=1e-4), (line["step"], key)
    mine, theirs = (
        [[r["text"] for r in line["rollouts"]] for line in read_jsonl(one / "rollouts.jsonl")]
        for one in (folder, expected)
    )
    assert mine == theirs
    mine, theirs = (load_file(one / "model" / "model.safetensors") for one in (folder, expected))
    assert mine.keys() == theirs.keys()
    error = sum(float((mine[name] - tensor).norm() ** 2) for name, tensor in theirs.items()) ** 0.5
    assert error < 1e-3 * sum(float(tensor.norm() ** 2) for tensor in theirs.values()) ** 0.5


@pytest.mark.slow
def test_two_ranks_with_whole_weights_are_one_process_and_go_on_after_ctrl_c(alone, recipe, tmp_path):
    """Ctrl-C reaches the launcher and its ranks, to which the launcher passes it on. Here the ranks build the model."""
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "vlrl"]
    folder, backend = tmp_path / "run", "backend=torch"
    begun = start(command(launcher, recipe, folder, backend))
    break_off(folder, lambda: os.killpg(begun.pid, signal.SIGINT), begun)
    said = finish(start(command(launcher, recipe, folder, backend)))
    assert "resumed from" in said
    assert said.count("report:") == 1, "both ranks speak"
    compare(folder, alone)


@pytest.mark.slow
def test_two_ranks_hold_shards_where_nothing_else_is_said_and_one_process_goes_on_with_them(
    alone, built, recipe, tmp_path, forked
):
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "vlrl"]
    folder = tmp_path / "run"
    begun = start(command(launcher, recipe, folder, *built))
    break_off(folder, lambda: os.killpg(begun.pid, signal.SIGINT), begun)
    assert (folder / "checkpoints").is_dir()
    went_on = forked(*command(["vlrl"], recipe, folder, *built, "backend=fsdp")[2:], cwd=ROOT)
    assert went_on.returncode == 0, went_on.stderr
    assert "resumed from" in went_on.stdout + went_on.stderr
    compare(folder, alone)


@pytest.mark.slow
@pytest.mark.deepspeed
def test_two_agents_shard_all_weights_and_the_launcher_of_deepspeed_goes_on_where_one_was_preempted(
    library, alone, built, recipe, tmp_path
):
    """SIGTERM reaches the launcher of one machine; the other's learns it from its rank, which ends after the step.
    Then both ranks are on one machine, and started by another launcher.
    """
    library("deepspeed")
    folder, port = tmp_path / "run", str(free_port())
    more = ("backend={name: deepspeed, stage: 3, whole_below: 0}", *built)
    node = ["--nnodes", "2", "--nproc-per-node", "1", "--master-addr", "127.0.0.1", "--master-port", port]
    launchers = (["torch.distributed.run", *node, "--node-rank", str(n), "-m", "vlrl"] for n in (0, 1))
    begun = [start(command(one, recipe, folder, *more)) for one in launchers]
    break_off(folder, begun[1].terminate, *begun)
    launcher = ["deepspeed.launcher.runner", "--num_gpus", "2", "--master_port", str(free_port()), "--no_local_rank"]
    assert "resumed from" in finish(start(command([*launcher, "--module", "vlrl"], recipe, folder, *more)))
    compare(folder, alone)


@pytest.mark.slow
@pytest.mark.cuda
@pytest.mark.deepspeed
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
@pytest.mark.parametrize(
    "backend", ["stage: 1", "stage: 2", "stage: 3, whole_below: 0", "stage: 2, offload_optimizer: true"]
)
def test_a_rank_over_nccl_is_one_process_on_the_same_device(library, recipe, tmp_path, backend):
    library("deepspeed")
    device = "model.device=cuda"
    finish(start(command(["vlrl"], recipe, tmp_path / "alone", device)))
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", "1", "-m", "vlrl"]
    finish(start(command(launcher, recipe, tmp_path / "run", device, f"backend={{name: deepspeed, {backend}}}")))
    compare(tmp_path / "run", tmp_path / "alone")

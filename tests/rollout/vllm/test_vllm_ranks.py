"""vLLM in the trainer's ranks, with weights in shards: the answers of one process, whatever a rank is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from over_ranks import asked, change
from small_models import VLLM_SHAPE, build_spread, fresh

from vlrl.rollout.transformers.transformers_engine import TransformersEngine

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
FOR_TWO = VLLM_SHAPE.model_copy(update={"text_width": 64, "key_value_heads": 2})  # heads for each of two ranks


def launched(*arguments: Path) -> None:
    """Two ranks, of which the last is killed when all is done: the launcher ends, and the other rank with it."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    variables = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(HERE / "over_ranks.py")]
    command = [sys.executable, "-m", *launcher, *map(str, arguments)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=600)
    assert done.returncode == 1, done.stderr[-6000:]
    assert "Signal 9 (SIGKILL) received by PID" in done.stderr, done.stderr[-6000:]


def alike(found, expected):
    """Largest difference of a log-probability; tokens must be the same."""
    pairs = [(a, b) for x, y in zip(found, expected, strict=True) for a, b in zip(x, y, strict=True)]
    assert [a.token_ids for a, _ in pairs] == [b.token_ids for _, b in pairs]
    return max(abs(p - q) for a, b in pairs for p, q in zip(a.sampler_logprobs, b.sampler_logprobs, strict=True))


@pytest.mark.slow
@pytest.mark.vllm
def test_two_ranks_write_what_one_process_writes_each_alone_and_as_one_engine(tmp_path, library):
    """At a first call without requests for one, after a failure, a restart and a refresh; and no process is left."""
    library("vllm")
    model = build_spread("tiny-qwen3-vl", tmp_path / "model", shape=FOR_TWO)
    launched(model, tmp_path)
    loaded, expected = fresh(model), []
    greedy = asked(loaded, temperature=0.0)
    for _ in range(3):
        expected.append(TransformersEngine(loaded).generate(greedy))
        change(loaded.model)
    for rank in (0, 1):
        found = torch.load(tmp_path / f"rank_{rank}.pt", weights_only=False)
        assert alike(found["one request"], expected[0][:1]) < 1e-4
        assert alike(found["greedy"], expected[0]) < 1e-4
        assert alike(found["sampled"], found["sampled again"]) == 0
        assert alike(found["replaced"], expected[0]) < 1e-4
        assert found["restarts"] == 1
        assert found["added up while it slept"] == 1
        assert alike(found["restarted"], expected[1]) < 1e-4
        assert {s.policy_version for one in found["restarted"] for r in one for s in r.segments} == {5}
        assert found["failed"].startswith("vllm: rank 1: RuntimeError: it broke")
        assert alike(found["together"], expected[1]) < 1e-4
        assert alike(found["refreshed"], expected[2]) < 1e-4
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / f"process_{rank}").read_text()), 0)

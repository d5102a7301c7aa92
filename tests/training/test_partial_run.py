"""Whole RL runs with partial rollouts: they learn from groups that have ended, and continue after a kill."""

from __future__ import annotations

import pytest

from vlrl.errors import ConfigError
from vlrl.runlog.run_folder import RunFolder, read_jsonl
from vlrl.training.run import start_run

CONFIG = "configs/quickstart.yaml"
SMALL = [
    "stages=[rl]",
    "engine={name: transformers, max_num_seqs: 8}",
    "eval={problems: 2, curve_problems: 2}",
    "rl.steps=7",
    "rl.problems_per_step=4",
    "rl.rollouts_per_problem=3",
    "rl.validate_every=50",
    "rl.checkpoint_every=3",
    "rl.log_every=1",
    "rl.skip_uninformative=false",
    "rl.over_sampling=null",
    "rl.sampling={max_tokens: 20, repetition: {tokens: 8}}",
    "rl.partial={budget: 6}",
    "rl.credit.weigh=[{name: segments, keep: current_only}, {name: importance, rule: masked}]",
    "rl.agreement={max_gap: 0.01}",
]
SHAPE = "{text_width: 32, text_layers: 2, vision_width: 32, head_size: 16, key_value_heads: 1, mlp_width: 48}"


def start(folder, *more):
    start_run(CONFIG, [*SMALL, f"model.shape={SHAPE}", f"run_folder={folder}", *more])


def lines(folder, name="metrics.jsonl"):
    """Everything but times."""
    return [
        {k: v for k, v in record.items() if not k.startswith(("time/", "colocated/")) and "second" not in k}
        for record in read_jsonl(folder / name)
    ]


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


@pytest.mark.slow
def test_a_killed_run_with_partial_rollouts_writes_in_the_end_what_an_uninterrupted_one_writes(tmp_path, monkeypatch):
    start(tmp_path / "whole")
    metrics = RunFolder.metrics

    def until(self, of, number, values):
        record = metrics(self, of, number, values)
        if of == "rl" and number == 5:
            raise Killed
        return record

    monkeypatch.setattr(RunFolder, "metrics", until)
    with pytest.raises(Killed):
        start(tmp_path / "killed")
    monkeypatch.undo()
    start(tmp_path / "killed")
    assert lines(tmp_path / "killed") == lines(tmp_path / "whole")
    assert lines(tmp_path / "killed", "rollouts.jsonl") == lines(tmp_path / "whole", "rollouts.jsonl")
    steps = [line for line in lines(tmp_path / "whole") if line["phase"] == "rl"]
    assert len(steps) == 7
    assert max(line["rollout/tokens_continued"] for line in steps) > 0
    assert max(line.get("rollout/staleness_mean", 0) for line in steps) > 0
    assert any("logprob_gap/stale" in line for line in steps)
    assert max(line.get("responses/untrained_rate", 0) for line in steps) > 0  # ended before their group did
    assert all(line.get("logprob_gap/mean", 0) < 1e-4 for line in steps)
    shown = lines(tmp_path / "whole", "rollouts.jsonl")
    assert {r["finish_reason"] for line in shown for r in line["rollouts"]} <= {"stop", "length", "repeat"}


def test_what_partial_rollouts_cannot_be_combined_with_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="partial and over_sampling are both given"):
        start(tmp_path, "rl.over_sampling.informative=2")
    for engine in ("vllm", "{name: ray, engine: {name: vllm}}"):
        with pytest.raises(
            ConfigError, match=r"rl.partial.early_exit_below: is 0.8, but engine 'vllm' leaves no response early"
        ):
            start(tmp_path, f"engine={engine}")
    with pytest.raises(ConfigError, match="keep"):
        start(tmp_path, "rl.credit.weigh=[{name: segments, keep: newest}]")

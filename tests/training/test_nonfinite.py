"""NaN and infinity are named with step and cause, and nothing that holds them is kept."""

from __future__ import annotations

import json

import pytest
import torch
from resumed_runs import CONFIG, overrides

from vlrl.errors import NonFiniteError
from vlrl.model.training.torch_policy import TorchPolicy
from vlrl.rollout.environments import single_turn
from vlrl.training.run import start_run
from vlrl.types import Verdict

RL = ["stages=[rl]", "rl.checkpoint_every=1", "rl.validate_every=1", "rl.export_every=1"]


def tried_twice(folder, *more: str) -> list[str]:
    said = []
    for _ in range(2):
        with pytest.raises(NonFiniteError) as error:
            start_run(CONFIG, [*overrides(folder), *more])
        said.append(str(error.value))
    return said


@pytest.mark.slow
def test_a_rate_that_explodes_is_named_with_its_step_and_the_resume_has_no_broken_checkpoint(tmp_path, monkeypatch):
    by_length = [Verdict.right(), Verdict.wrong("by its length")]
    verdicts = lambda asked: [tuple(by_length[len(text) % 2] for text in texts) for _, texts in asked]  # noqa: E731
    monkeypatch.setattr(single_turn, "judge_all", verdicts)
    rate = "rl.policy.optimizer={name: adamw, lr: 1.0e+18, max_norm: 0}"
    first, second = tried_twice(tmp_path, *RL, rate)
    assert "rl, step 1" in first
    assert "not finite" in first or "is nan" in first
    assert "lr" in first
    assert first == second, "from the same whole state"
    assert not list(tmp_path.glob("checkpoints/step_*"))
    assert not list(tmp_path.glob("model*"))


@pytest.mark.slow
def test_weights_that_become_nan_in_sft_are_named_and_the_checkpoint_before_stays(tmp_path, monkeypatch):
    step, made = TorchPolicy._step, []

    def breaks(self, rate):
        norm = step(self, rate)
        made.append(1)
        if len(made) == 3:
            next(iter(self.loaded.model.lm_head.parameters())).data.fill_(torch.nan)
        return norm

    monkeypatch.setattr(TorchPolicy, "_step", breaks)
    more = ["stages=[sft]", "sft.checkpoint_every=1", "sft.validate_every=6"]
    with pytest.raises(NonFiniteError, match=r"sft, step 3, checkpoint, weights: NaN or infinity in .*embed_tokens"):
        start_run(CONFIG, [*overrides(tmp_path), *more])
    assert [one.name for one in sorted(tmp_path.glob("checkpoints_sft/step_*"))] == ["step_000001", "step_000002"]
    start_run(CONFIG, [*overrides(tmp_path), *more])
    assert json.loads((tmp_path / "run_card.json").read_text())["status"] == "finished"

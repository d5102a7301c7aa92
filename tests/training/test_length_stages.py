"""Lengths that grow in stages switch at the stated step."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from vlrl.rollout.engine import Sampling
from vlrl.rollout.partial_rollouts import PartialRollouts
from vlrl.rollout.transformers.transformers_engine import TransformersEngine
from vlrl.training.rl.rl_settings import RlSettings
from vlrl.training.run import start_run


def test_the_latest_stage_that_has_begun_gives_the_length():
    rl = RlSettings(sampling=Sampling(max_tokens=131), max_tokens_from_step={10: 4, 20: 32, 30: 131})
    assert [rl.sampling_at(step).max_tokens for step in (0, 9, 10, 19, 20, 29, 30, 99)] == [
        131,
        131,
        4,
        4,
        32,
        32,
        131,
        131,
    ]
    assert RlSettings().sampling_at(7) == RlSettings().sampling


@pytest.mark.parametrize("wrong", [{-1: 8}, {0: 0}, {0: 65}])
def test_a_stage_outside_the_lengths_that_there_are_is_refused(wrong):
    with pytest.raises(ValidationError, match="max_tokens_from_step"):
        RlSettings(sampling=Sampling(max_tokens=64), max_tokens_from_step=wrong)


def test_a_run_asks_for_the_length_of_its_stage_at_every_step(tmp_path, monkeypatch):
    asked, generate = {}, TransformersEngine.generate

    def listening(self, requests):
        for request in requests:
            if request.num_rollouts == 3:  # validation asks for one
                asked.setdefault(self.version, set()).add(request.budget(0))
        return generate(self, requests)

    monkeypatch.setattr(TransformersEngine, "generate", listening)
    shape = "{text_width: 32, text_layers: 1, vision_width: 32, head_size: 16, key_value_heads: 1, mlp_width: 48}"
    small = ["rl.steps=4", "rl.problems_per_step=1", "rl.rollouts_per_problem=3", "rl.over_sampling=null"]
    stages = ["rl.sampling={max_tokens: 9}", "rl.max_tokens_from_step={0: 2, 1: 5, 3: 9}"]
    rest = ["eval={problems: 1, curve_problems: 1}", "rl.validate_every=50", f"run_folder={tmp_path}"]
    start_run("configs/quickstart.yaml", ["stages=[rl]", f"model.shape={shape}", *small, *stages, *rest])
    assert asked == {0: {2}, 1: {5}, 2: {5}, 3: {9}}


@pytest.mark.parametrize("shrinks", [{0: 32, 10: 8}, {10: 8}, {0: 8, 10: 32, 20: 16}])
def test_with_partial_rollouts_lengths_may_not_shrink(shrinks):
    """A response that is begun has more tokens than the later budget allows, and no engine could go on with it."""
    sampling, partial = Sampling(max_tokens=64), PartialRollouts(budget=4)
    RlSettings(sampling=sampling, max_tokens_from_step=shrinks)
    with pytest.raises(ValidationError, match=r"lengths of [\d, ]+ in turn[\s\S]*let them grow, from step 0 on"):
        RlSettings(sampling=sampling, max_tokens_from_step=shrinks, partial=partial)


@pytest.mark.parametrize("grows", [{}, {0: 8, 10: 32}, {10: 64}])
def test_with_partial_rollouts_lengths_may_grow(grows):
    RlSettings(sampling=Sampling(max_tokens=64), max_tokens_from_step=grows, partial=PartialRollouts(budget=4))

"""Lengths that grow in stages switch at the stated step."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from vlrl.rollout.engine import Sampling
from vlrl.stages.settings import RlSettings


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

"""Examples run as they are shipped."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from vlrl.types import Verdict

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture
def one_step(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import one_rl_step

    yield one_rl_step
    del sys.modules["one_rl_step"]


@pytest.mark.parametrize("right", [0, 1, 2])
def test_one_step_learns_from_groups_with_right_and_wrong_responses_alone(one_step, monkeypatch, right):
    def judge(asked):
        return [tuple(Verdict(float(i < right), i < right) for i, _ in enumerate(texts)) for _, texts in asked]

    monkeypatch.setattr(one_step, "judge_all", judge)
    metrics = one_step.one_rl_step(problems=4, k=2)
    assert metrics["reward/mean"] == right / 2
    assert metrics["groups/informative"] == (4 if right == 1 else 0)
    assert (metrics["gradient/norm"] > 0) == (right == 1)

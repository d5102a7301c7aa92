"""Groups as update examples: weights by segment, by importance and by credit multiply."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from small_models import ask

from vlrl.rollout.collector import Collected
from vlrl.stages.examples import origins, to_examples
from vlrl.stages.settings import RlSettings
from vlrl.types import Group, Rewards, Rollout, ScoredGroup, Segment, Verdict

OLD, NEW = Segment((1, 2), (-1.0, -2.0), 3), Segment((3,), (-0.5,), 4)
ROLLOUTS = (Rollout((OLD, NEW), "a", "stop"), Rollout((OLD,), "b", "stop"), Rollout((NEW,), "c", "length"))


def pair(token_weights=None):
    problem = ask("3+4=?")
    group = Group(problem, ROLLOUTS)
    rewards = Rewards({"score": (1.0, 0.0, 0.0)}, (1.0, 0.0, 0.0))
    used = (True, True, True)
    verdicts = (Verdict.right(), Verdict.wrong(""), Verdict.wrong(""))
    scored = ScoredGroup(problem, ROLLOUTS, verdicts, rewards, (0.6, -0.3, -0.3), used, token_weights=token_weights)
    return Collected(group, SimpleNamespace(num_tokens=5)), scored


def logprobs(rows, temperature):
    """Twice as likely as the sampler said at every token."""
    return [tuple(tuple(p + math.log(2) for p in r.logprobs) for r in ROLLOUTS) for _ in rows]


def weights(token_weights=None, **settings):
    found = to_examples([pair(token_weights)], SimpleNamespace(logprobs=logprobs), RlSettings(**settings), step=4)
    return found[0].token_weights


def test_without_settings_every_token_counts_once_and_nothing_is_computed():
    assert weights() is None
    (one,) = to_examples([pair()], SimpleNamespace(), RlSettings(), step=4)
    assert one.reference_logprobs is None
    assert one.origins == ((("stale", 2), ("synthetic", 1)), (("stale", 2),), (("synthetic", 1),))


def test_weights_multiply():
    partial = {"budget": 2, "segment_loss": "current_only"}
    assert weights(partial=partial) == ((0, 0, 1), (0, 0), (1,))
    assert weights(partial={"budget": 2}) == ((1, 1, 1), (1, 1), (1,))
    found = weights(partial=partial, importance={"upper": 3.0})
    assert found == (pytest.approx((0, 0, 2)), (0, 0), (pytest.approx(2),))
    found = weights(((0.5, 1, 3), (1, 1), (0,)), partial={"budget": 2}, importance={"upper": 1.5})
    assert found == (pytest.approx((0.75, 1.5, 4.5)), pytest.approx((1.5, 1.5)), (0,))


def test_origins_of_a_rollout_of_one_iteration_are_its_modality():
    assert origins("text", ROLLOUTS[2], 4) == (("text", 1),)

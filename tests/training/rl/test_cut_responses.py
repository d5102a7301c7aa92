"""A response that reaches its limit of tokens scores 0 where `cut_scores_zero` says so; else its text decides."""

from __future__ import annotations

import pytest

import vlrl.verify  # noqa: F401  files the verifiers under their names
from vlrl.config import build_settings
from vlrl.rollout.environments.single_turn import SingleTurn
from vlrl.training.rl.rl_settings import RlSettings
from vlrl.training.rl.scoring import GroupScorer
from vlrl.types import Group, Problem, Rollout, Segment, Text
from vlrl.verify.judge import verifier

RIGHT = "<answer>7</answer>"


@verifier("breaks on every response")
def broken(problem, response):
    raise ValueError("no number today")


def assessed(by="number", **given):
    """A group whose responses are all right: one of 3 tokens that ended, one of 9 that was cut, one that looped."""
    problem = Problem((Text("3+4=?"),), "7", by, "text", "sums")
    lengths = {"stop": 3, "length": 9, "repeat": 9}
    rollouts = [
        Rollout((Segment((1,) * n, (-1.0,) * n, 0),), RIGHT, finish_reason) for finish_reason, n in lengths.items()
    ]
    scorer = GroupScorer(
        build_settings(RlSettings, {"rollouts_per_problem": 3, **given}, "rl"), 0, None, None, SingleTurn()
    )
    judged = scorer.score([Group(problem, tuple(rollouts))], 0)
    (scored,) = scorer.credit(judged, 0)
    return scored


def test_a_cut_response_earns_what_its_text_says_by_default():
    assert assessed().reward_parts["score"] == (1.0, 1.0, 1.0)


def test_with_the_setting_it_scores_zero_and_its_verdict_says_why():
    scored = assessed(cut_scores_zero=True)
    assert scored.reward_parts["score"] == (1.0, 0.0, 1.0)
    assert [verdict.correct for verdict in scored.verdicts] == [True, False, True]
    assert scored.verdicts[1].note == "over its limit of tokens"
    assert scored.advantages == pytest.approx((1 / 3, -2 / 3, 1 / 3))


def test_with_the_length_reward_its_whole_reward_is_zero():
    scored = assessed(cut_scores_zero=True, credit={"shape": [{"name": "length", "weight": 0.5}]})
    assert scored.rewards[1] == 0.0


def test_a_fault_of_the_verifier_stays_a_fault():
    scored = assessed(by="breaks on every response", cut_scores_zero=True)
    assert all("no number today" in verdict.fault for verdict in scored.verdicts)
    assert scored.judged == (False, False, False)

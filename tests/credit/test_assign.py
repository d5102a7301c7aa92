"""Verdicts become rewards and advantages; faults leave the baseline."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vlrl.credit.advantage.advantages import GroupNormalised, LogPartitionBaseline
from vlrl.credit.assign import Credit, CreditSettings
from vlrl.credit.credit_context import CreditContext
from vlrl.credit.rewards.length_reward import LengthReward
from vlrl.types import Group, Problem, Rollout, ScoredGroup, Segment, Text, Verdict

PROBLEM = Problem((Text("3+4=?"),), "7", "number", "text", "tests")
RIGHT, WRONG, FAULT = Verdict.right(), Verdict.wrong("no"), Verdict.broken("the verifier crashed")


def rollout(length: int, finish_reason="stop") -> Rollout:
    return Rollout((Segment((1,) * length, (-1.0,) * length, 0),), "x", finish_reason)


def credit(verdicts, rollouts=None, settings=CreditSettings(), step=0):  # noqa: B008  (frozen)
    rollouts = rollouts or [rollout(4) for _ in verdicts]
    scored = ScoredGroup.of(Group(PROBLEM, tuple(rollouts)), verdicts)
    return Credit(settings).assign([scored], CreditContext(step))[0]


def test_rewards_are_scores_and_advantages_are_rewards_less_their_mean():
    scored = credit([RIGHT, WRONG, WRONG, Verdict(0.5, False)])
    assert scored.rewards == (1.0, 0.0, 0.0, 0.5)
    assert scored.advantages == pytest.approx((0.625, -0.375, -0.375, 0.125))
    assert scored.informative
    assert scored.pass_rate == 0.25


@pytest.mark.parametrize("advantage", ["mean", {"name": "log_partition", "tau": 0.2}, "grpo"])
def test_a_fault_leaves_the_baseline_and_the_update(advantage):
    settings = CreditSettings(advantage=advantage)
    without = credit([RIGHT, WRONG, WRONG], settings=settings)
    scored = credit([RIGHT, FAULT, WRONG, WRONG], settings=settings)
    assert scored.judged == (True, False, True, True)
    assert scored.advantages[1] == 0.0
    assert (scored.advantages[0], *scored.advantages[2:]) == without.advantages
    assert scored.pass_rate == pytest.approx(1 / 3)


def test_with_fewer_than_two_usable_responses_there_is_no_advantage():
    assert credit([RIGHT, FAULT, FAULT]).advantages == (0.0, 0.0, 0.0)
    assert credit([FAULT, FAULT]).advantages == (0.0, 0.0)
    assert not credit([RIGHT, FAULT]).informative


def test_the_length_reward_is_added_with_its_weight_from_its_first_step():
    settings = CreditSettings(shape=(LengthReward(weight=0.4, start_step=3),))
    rollouts = [rollout(10), rollout(30), rollout(20)]
    before = credit([RIGHT, RIGHT, WRONG], rollouts, settings, step=2)
    assert before.rewards == (1.0, 1.0, 0.0)
    assert "length" not in before.reward_parts
    after = credit([RIGHT, RIGHT, WRONG], rollouts, settings, step=3)
    assert after.reward_parts["length"] == (0.5, -0.5, 0.0)
    assert after.rewards == pytest.approx((1.2, 0.8, 0.0))
    assert after.reward_parts["score"] == (1.0, 1.0, 0.0)


def test_cut_and_faulted_responses_take_no_part_in_the_extremes_of_the_length():
    settings = CreditSettings(shape=(LengthReward(weight=1.0),))
    rollouts = [rollout(10), rollout(30), rollout(900, "length"), rollout(1)]
    scored = credit([RIGHT, RIGHT, WRONG, FAULT], rollouts, settings)
    assert scored.reward_parts["length"] == (0.5, -0.5, 0.0, 0.0)


def test_a_graded_score_counts_as_reward_but_not_as_correct():
    settings = CreditSettings(shape=(LengthReward(weight=1.0),))
    scored = credit([Verdict(0.9, False), RIGHT], [rollout(10), rollout(20)], settings)
    assert scored.reward_parts["length"] == (0.0, -0.5)


def test_settings_are_written_back_with_the_name_of_the_component():
    settings = CreditSettings(advantage={"name": "log_partition", "tau": 0.3})
    assert settings.advantage == LogPartitionBaseline(tau=0.3)
    written = settings.model_dump(mode="json")
    assert written["advantage"] == {"name": "log_partition", "tau": 0.3}
    assert CreditSettings(**written) == settings
    assert CreditSettings(advantage=GroupNormalised()).advantage.epsilon == 1e-4


def test_credit_that_is_given_again_is_that_of_the_verdicts_alone():
    """Groups with credit are groups with verdicts: what they had doesn't add up with what they get."""
    settings = CreditSettings(shape=[{"name": "length", "weight": 1.0}], weigh=["overlong_filter"])
    group = Group(PROBLEM, (rollout(4), rollout(8, "length"), rollout(6)))
    once = Credit(settings).assign([ScoredGroup.of(group, (RIGHT, WRONG, FAULT))], CreditContext(0))
    assert once[0].token_weights == ((1.0,) * 4, (0.0,) * 8, (0.0,) * 6)
    assert Credit(settings).assign(once, CreditContext(0)) == once
    more = [replace(once[0], token_advantages=((1.0,) * 4, (1.0,) * 8, (1.0,) * 6))]
    assert Credit(settings).assign(more, CreditContext(0)) == once

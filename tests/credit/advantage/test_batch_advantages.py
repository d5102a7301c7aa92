"""Advantages besides k1.5's: RLOO, REINFORCE++, AsymGRPO, CTAN, RDPO-style decorrelation and LEAD."""

from __future__ import annotations

import math

import pytest
from credit_cases import judged, rewarded
from hypothesis import given, settings
from hypothesis import strategies as st

from vlrl.credit.advantage.advantages import GroupNormalised, LeaveOneOut, MeanBaseline, NoAdvantage
from vlrl.credit.advantage.batch_advantages import AsymmetricOutcomes, BatchNormalised, SlowSpread
from vlrl.credit.advantage.reward_mix import Decorrelated, Lead
from vlrl.credit.assign import Credit, CreditSettings
from vlrl.credit.credit_context import CreditContext

NOW = CreditContext(0)
REWARDS = st.lists(st.floats(-2, 2).map(lambda v: round(v, 3)), min_size=2, max_size=8)
OUTCOMES = st.lists(st.booleans(), min_size=2, max_size=10)
POPULATION = GroupNormalised(epsilon=0.0, deviation="population")


def one(advantage, parts, weights=None, state=None):
    return advantage.over([rewarded(parts, weights)], NOW, {} if state is None else state)[0]


def test_rloo_by_hand():
    """Rewards 1, 0, 0: the others' means are 0, ½, ½."""
    assert LeaveOneOut()((1.0, 0.0, 0.0)) == (1.0, -0.5, -0.5)


@settings(deadline=None)
@given(REWARDS)
def test_rloo_is_the_mean_baseline_times_k_over_k_less_one(rewards):
    k = len(rewards)
    expected = [k / (k - 1) * a for a in MeanBaseline()(rewards)]
    assert LeaveOneOut()(rewards) == pytest.approx(expected, abs=1e-12)


def test_reinforce_plus_plus_by_hand():
    """1, 0 and 0, 0: mean ¼, σ = √3/4; with the groups' means taken off first ½, −½, 0, 0: σ = √(1/8)."""
    groups = [rewarded({"score": (1.0, 0.0)}), rewarded({"score": (0.0, 0.0)})]
    first, second = BatchNormalised(epsilon=0.0).over(groups, NOW, {})
    assert first == pytest.approx((math.sqrt(3), -1 / math.sqrt(3)))
    assert second == pytest.approx((-1 / math.sqrt(3),) * 2)
    first, second = BatchNormalised(epsilon=0.0, baseline="group").over(groups, NOW, {})
    assert first == pytest.approx((math.sqrt(2), -math.sqrt(2)))
    assert second == (0.0, 0.0)


@settings(deadline=None)
@given(REWARDS)
def test_reinforce_plus_plus_over_one_group_is_grpo(rewards):
    assert one(BatchNormalised(epsilon=0.0), {"score": rewards}) == pytest.approx(POPULATION(rewards), abs=1e-12)


def test_reinforce_plus_plus_works_with_one_response_a_problem():
    scored = Credit(CreditSettings(advantage="reinforce_plus_plus")).assign([judged([True]), judged([False])], NOW)
    assert [s.advantages[0] for s in scored] == pytest.approx([1.0, -1.0], abs=1e-6)


@settings(deadline=None)
@given(OUTCOMES)
def test_asymmetric_with_halves_is_grpo(outcomes):
    expected = POPULATION([float(o) for o in outcomes])
    assert AsymmetricOutcomes()(outcomes) == pytest.approx(expected, abs=1e-12)


def test_asymmetric_by_hand():
    """p = 1/4: right (3)^up, wrong −(1/3)^down."""
    assert AsymmetricOutcomes(up=1.0, down=2.0)((True, False, False, False)) == pytest.approx((3.0, *(-1 / 9,) * 3))


def test_a_larger_up_lifts_right_responses_to_hard_problems_only():
    hard, easy = (True, False, False, False), (True, True, True, False)
    more = AsymmetricOutcomes(up=1.0)
    assert more(hard)[0] > AsymmetricOutcomes()(hard)[0]
    assert more(easy)[0] < AsymmetricOutcomes()(easy)[0]
    assert more(hard)[1:] == AsymmetricOutcomes()(hard)[1:]


def test_asymmetric_refuses_reward_parts_that_it_does_not_read():
    with pytest.raises(ValueError, match="would have no effect"):
        CreditSettings(advantage="asymmetric", shape=[{"name": "length", "weight": 0.2}])


def test_ctan_by_hand_and_over_steps():
    """σ = ½ in the first step and 1 in the second: with decay 0.75 the scale is ½, then 0.625."""
    state: dict[str, float] = {}
    ctan = SlowSpread(decay=0.75, epsilon=0.0)
    assert one(ctan, {"score": (1.0, 0.0)}, state=state) == pytest.approx((1.0, -1.0))
    assert one(ctan, {"score": (2.0, 0.0)}, state=state) == pytest.approx((1.6, -1.6))
    assert one(ctan, {"score": (1.0, 1.0)}, state=state) == (0.0, 0.0)
    assert state == {"spread": pytest.approx(0.625)}


@settings(deadline=None)
@given(REWARDS)
def test_ctan_without_memory_on_one_group_is_grpo(rewards):
    assert one(SlowSpread(decay=0.0, epsilon=0.0), {"score": rewards}) == pytest.approx(
        POPULATION(rewards), rel=1e-12, abs=1e-12
    )


@settings(deadline=None)
@given(REWARDS)
def test_decorrelation_of_one_part_is_grpo(rewards):
    assert one(Decorrelated(), {"score": rewards}) == pytest.approx(POPULATION(rewards), abs=1e-12)


def test_decorrelation_by_hand():
    """Two parts without correlation add up as they are: (1,1,−1,−1) and (1,−1,1,−1)."""
    parts = {"score": (1.0, 1.0, 0.0, 0.0), "form": (3.0, 1.0, 3.0, 1.0)}
    assert one(Decorrelated(), parts) == pytest.approx((2.0, 0.0, 0.0, -2.0))


def test_a_part_that_is_there_twice_pulls_less_than_two():
    """Its correlation matrix has one direction of extent 2: the sum is √2 times one part's."""
    alone = one(Decorrelated(), {"score": (1.0, 0.0, 0.0)})
    twice = one(Decorrelated(), {"score": (1.0, 0.0, 0.0), "copy": (1.0, 0.0, 0.0)})
    assert twice == pytest.approx([math.sqrt(2) * a for a in alone])


def test_decorrelation_ignores_a_constant_part_and_keeps_ties():
    parts = {"score": (1.0, 0.0, 1.0, 0.0), "form": (0.5,) * 4}
    assert one(Decorrelated(), parts) == pytest.approx(one(Decorrelated(), {"score": parts["score"]}))
    ties = one(Decorrelated(), {"score": (1.0, 0.0, 1.0), "form": (0.2, 0.9, 0.2)})
    assert ties[0] == pytest.approx(ties[2])


@settings(deadline=None)
@given(REWARDS)
def test_lead_without_length_and_whitening_is_grpo(rewards):
    assert one(Lead(whiten=False), {"score": rewards}) == pytest.approx(POPULATION(rewards), abs=1e-12)


def lead_share(right_of_eight: int) -> float:
    score = [1.0] * right_of_eight + [0.0] * (8 - right_of_eight)
    state: dict[str, float] = {}
    one(Lead(), {"score": score, "lead_length": [-0.6, 0.2] * 4}, state=state)
    return state["score"]


def test_lead_by_hand():
    """Score 1, 0: m = ½, σ/m = 1, D = ½. Length 0.6, −0.2 → 0.8, 0.4: m = 0.6, σ/m = 1/3, D = 0.4/3. Share 0.789."""
    state: dict[str, float] = {}
    one(Lead(), {"score": (1.0, 0.0), "lead_length": (0.6, -0.2)}, state=state)
    assert state["score"] == pytest.approx(0.5 / (0.5 + 0.4 / 3))


def test_the_weight_of_lead_moves_to_the_length_as_accuracy_saturates():
    shares = [lead_share(n) for n in (2, 4, 7, 8)]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == 0.0  # nothing left to gain; the floor keeps its part


def test_the_floor_of_lead_keeps_the_score_in():
    parts = {"score": (1.0, 1.0, 1.0, 0.0), "lead_length": (-1.0, 1.0, 1.0, -1.0)}
    advantages = one(Lead(floor=1.0, whiten=False), parts)
    assert advantages == pytest.approx(POPULATION(parts["score"]), abs=1e-12)


def test_lead_wants_its_length_part():
    with pytest.raises(ValueError, match="lead_length"):
        CreditSettings(advantage="lead")


@pytest.mark.parametrize("more", [{"weight": 0.5}, {"weight": 0.0}, {"ramp_steps": 3}])
def test_lead_refuses_a_weight_of_its_length_part_that_it_would_not_read(more):
    with pytest.raises(ValueError, match="by itself"):
        CreditSettings(advantage="lead", shape=[{"name": "lead_length", **more}])
    assert CreditSettings(advantage="lead", shape=["lead_length"]).shape[0].weight == 1.0


def test_a_look_at_credit_is_not_remembered():
    settings = CreditSettings(advantage={"name": "ctan", "decay": 0.5})
    first, again = Credit(settings), Credit(settings)
    groups, more = [judged([True, False, False])], [judged([True, True, False, False])]
    for credit in (first, again):
        credit.assign(groups, NOW)
    look = again.assign(more, NOW, remember=False)
    assert again.state_dict() == first.state_dict()
    assert again.assign(more, NOW)[0].advantages == look[0].advantages
    assert again.state_dict() != first.state_dict()


def test_what_stateful_parts_remember_survives_a_checkpoint():
    settings = CreditSettings(advantage={"name": "ctan", "decay": 0.5})
    first, again = Credit(settings), Credit(settings)
    first.assign([judged([True, False, False])], NOW)
    again.load_state_dict(first.state_dict())
    more = [judged([True, True, False, False])]
    assert again.assign(more, NOW)[0].advantages == first.assign(more, NOW)[0].advantages
    assert Credit(settings).assign(more, NOW)[0].advantages != first.assign(more, NOW)[0].advantages


def test_no_advantage_is_none():
    assert NoAdvantage()((1.0, 0.0)) == (0.0, 0.0)

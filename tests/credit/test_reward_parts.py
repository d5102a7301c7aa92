"""Reward parts besides k1.5's length reward: by hand, their neutral settings, and a property each."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from credit_cases import RIGHT, WRONG, judged, rollout, usable
from hypothesis import given, settings
from hypothesis import strategies as st

from vlrl.credit.assign import Credit, CreditSettings
from vlrl.credit.credit_context import CreditContext
from vlrl.credit.rewards.call_reward import CallReward
from vlrl.credit.rewards.group_parts import Contrast, Retention
from vlrl.credit.rewards.length_parts import LeadLength, LengthBand, Overlong, StepGrpo
from vlrl.credit.rewards.shapes import shapes
from vlrl.errors import ConfigError
from vlrl.types import Episode, Segment, ToolCall, Verdict

AT_100 = CreditContext(0, 1, max_tokens=100)


def test_overlong_by_hand():
    """Budget 100, margin 20: free up to 80, −½ at 90, −1 when cut."""
    group = usable([True] * 4, rollouts=[rollout(80), rollout(90), rollout(100), rollout(50, "length")])
    assert Overlong(margin_rate=0.2).of(group, AT_100) == pytest.approx((0.0, -0.5, -1.0, -1.0))


def test_lead_length_by_hand():
    """Right responses of 10 and 30: L* = 20. 10 → ½, 30 → ½, a wrong one of 60 → −1; a cut one 0."""
    group = usable([True, True, False, True], rollouts=[rollout(10), rollout(30), rollout(60), rollout(20, "length")])
    assert LeadLength().of(group, AT_100) == (0.5, 0.5, -1.0, 0.0)
    assert LeadLength(shorter_is_free=True).of(group, AT_100) == (1.0, 0.5, -1.0, 0.0)
    assert LeadLength().of(usable([False, False]), AT_100) == (0.0, 0.0)


def test_short_is_not_always_better_for_lead():
    group = usable([True, True, True], lengths=[2, 20, 38])
    values = LeadLength().of(group, AT_100)
    assert values[1] > values[0]


def test_step_grpo_by_hand():
    """Turns 1 and 3, both right: μ = 2. R = 0.9·(1 − ½·tanh(∓½)) + 0.1 where an answer is declared."""
    group = usable([RIGHT, RIGHT, WRONG], rollouts=[rollout(3, text=t) for t in ("7", "Wait, 8? wait: 7", "waiting")])
    values = StepGrpo(weight=1.0).of(group, AT_100)
    bend = 0.45 * math.tanh(0.5)
    assert values == pytest.approx((0.9 + bend + 0.1 - 1.0, 0.9 - bend + 0.1 - 1.0, 0.0))


def test_step_grpo_falls_with_every_turn():
    texts = ["7", "wait 7", "wait hmm 7", "wait hmm however 7"]
    group = usable([True] * 4, rollouts=[rollout(3, text=t) for t in texts])
    values = StepGrpo().of(group, AT_100)
    assert list(values) == sorted(values, reverse=True)
    assert len(set(values)) == 4


def test_contrast_by_hand():
    """Three of four right; with the perturbed image two of four: 0.75 > 1·0.5, and not > 1.6·0.5."""
    group = usable([True, True, True, False], contrast_rate=0.5)
    assert Contrast().of(group, AT_100) == (1.0, 1.0, 1.0, 0.0)
    assert Contrast(ratio=1.6).of(group, AT_100) == (0.0,) * 4
    assert Contrast().of(usable([True, False]), AT_100) == (0.0, 0.0)  # no image, no question


def test_a_policy_that_is_as_right_without_the_image_gets_no_bonus():
    for right in range(5):
        blind = usable([True] * right + [False] * (4 - right), contrast_rate=right / 4)
        assert Contrast().of(blind, AT_100) == (0.0,) * 4


def retained(now, previous, alpha=1.0):
    """Retention of responses with these log-probabilities by policy and earlier model; the engine said −9."""
    rollouts = [rollout(len(one), logprob=-9.0) for one in now]
    group = usable([True] * len(now), rollouts=rollouts, statistics={"logprobs": now, "previous": previous})
    return Retention(weight=1.0, alpha=alpha).of(group, AT_100)


def test_retention_by_hand():
    """Mean log-probabilities −1 now and −1.5 before: d = ½. Below the earlier model's there is no drift."""
    now = ((-0.5, -1.5), (-1.0,))
    assert retained(now, ((-1.0, -2.0), (-0.5,)), alpha=2.0) == pytest.approx((math.exp(-1.0), 1.0))


LOGPROBS = st.lists(st.tuples(st.floats(-9, 0), st.floats(-9, 0)), min_size=1, max_size=6)


@settings(deadline=None)
@given(LOGPROBS, st.floats(0, 3), st.floats(0, 5))
def test_retention_is_full_without_drift_and_falls_with_it(pairs, alpha, further):
    """In (0, 1]; 1 where the earlier model finds the response as likely; who drifts further never has more."""
    now, previous = (tuple(values) for values in zip(*pairs, strict=True))
    (value,) = retained((now,), (previous,), alpha)
    assert 0.0 < value <= 1.0
    assert retained((now,), (now,), alpha) == (1.0,)
    (less,) = retained((tuple(v + further for v in now),), (previous,), alpha)
    assert less <= value + 1e-12


@settings(deadline=None)
@given(st.integers(2, 500), st.floats(0.01, 1.0), st.lists(st.integers(1, 500), min_size=1, max_size=8))
def test_overlong_is_within_its_bounds_and_never_rises_with_the_length(budget, margin_rate, lengths):
    """0 up to the margin's start, −1 at the budget and wherever a response was cut."""
    lengths = sorted(min(length, budget) for length in lengths)
    rollouts = [*(rollout(length) for length in lengths), rollout(budget), rollout(lengths[0], "length")]
    part = Overlong(margin_rate=margin_rate)
    *values, whole, cut = part.of(
        usable([True] * len(rollouts), rollouts=rollouts), CreditContext(0, max_tokens=budget)
    )
    assert all(-1.0 <= value <= 0.0 for value in values)
    assert values == sorted(values, reverse=True)
    assert all(v == 0.0 for v, n in zip(values, lengths, strict=True) if n <= (1 - margin_rate) * budget - 1e-9)
    assert (whole, cut) == (pytest.approx(-1.0), -1.0)


def test_the_band_of_lengths_by_hand():
    """Right ones within the band have 1, also at its ends; not a cut one, and none where only one is right."""
    outcomes, lengths = [True, True, True, False, True, True], (3, 5, 8, 5, 9, 6)
    rollouts = [rollout(n, "length" if n == 6 else "stop") for n in lengths]
    part = LengthBand(lowest=5, highest=8)
    assert part.of(usable(outcomes, rollouts=rollouts), AT_100) == (0.0, 1.0, 1.0, 0.0, 0.0, 0.0)
    assert part.of(usable([True, False], lengths=[6, 6]), AT_100) == (0.0, 0.0)
    assert part.of(usable([True, True], lengths=[6, 6]), AT_100) == (1.0, 1.0)
    assert (LengthBand().weight, LengthBand().lowest, LengthBand().highest) == (0.2, 320, 512)
    with pytest.raises(ValueError, match="above highest"):
        LengthBand(lowest=9, highest=8)


@pytest.mark.parametrize("name", ["length", "repeat", "retention"])
def test_a_part_without_a_weight_is_refused_where_its_source_fixes_none(name):
    with pytest.raises(ConfigError, match=f"'{name}', weight: is missing: its source gives no number"):
        CreditSettings(shape=[name])
    assert CreditSettings(shape=[{"name": name, "weight": 0.0}]).shape[0].weight == 0.0


def test_calls_are_rewarded_where_the_response_is_right_and_counted_once():
    done = ToolCall(0, "zoom", {"bbox_2d": [0, 0, 1, 1]})
    calls = (done, replace(done, duplicate=True), ToolCall(1, "", outcome="invalid"), done, done)
    rollouts = [replace(rollout(4), episode=Episode(2, calls))] * 2 + [rollout(4)]
    group = judged([True, False, True], rollouts=rollouts)
    part = CallReward(bonus=0.2, cap=0.5, invalid=0.1, duplicate=0.01)
    assert part.of(group, AT_100) == pytest.approx((0.5 - 0.1 - 0.01, -0.1 - 0.01, 0.0))


def test_foreign_tokens_are_in_no_length_and_responses_left_out_in_no_baseline():
    """Hand-made: (1 + 0)/2 is the mean of the two that count; 12 tokens of an observation lengthen nothing."""
    written = rollout(4)
    seen = Segment((7,) * 12, (0.0,) * 12, 0, "observation")
    longer = replace(written, segments=(*written.segments, seen, *rollout(3).segments))
    left_out = Verdict(0.0, False, left_out="over its limit")
    group = judged([True, False, left_out], rollouts=[longer, rollout(9), rollout(2)])
    assert group.lengths == (7, 9, 2)
    assert group.judged == (True, True, False)
    credited = Credit(CreditSettings(shape=[{"name": "length", "weight": 1.0}])).assign([group], AT_100)[0]
    assert credited.reward_parts["length"] == (0.5, -0.5, 0.0), "shortest and longest in tokens that the policy wrote"
    assert credited.advantages == pytest.approx((1.0, -1.0, 0.0))
    assert [sum(weights) for weights in credited.token_weights] == [7.0, 9.0, 0.0]
    assert len(credited.token_weights[0]) == 19


def test_a_part_without_a_weight_has_that_of_its_source():
    named = {"overlong": 1.0, "lead_length": 1.0, "step_grpo": 1.0, "contrast": 0.3, "length_band": 0.2, "calls": 1.0}
    named |= {"bet": 1.0, "heal": 1.0}
    assert {name: CreditSettings(shape=[name]).shape[0].weight for name in named} == named
    assert set(named) | {"format", "length", "repeat", "retention"} == set(shapes)


NEUTRAL = [
    {"name": "bet", "weight": 0.0},
    {"name": "calls"},
    {"name": "calls", "bonus": 0.1, "invalid": 1.0, "duplicate": 1.0},  # no response has an environment
    {"name": "format", "weight": 0.0},
    {"name": "heal", "weight": 0.0},
    {"name": "length", "weight": 0.0},
    {"name": "overlong", "weight": 0.0},
    {"name": "overlong", "weight": 1.0, "margin_rate": 0.01},  # no response comes so near to the budget
    {"name": "lead_length", "weight": 0.0},
    {"name": "step_grpo", "weight": 1.0, "alpha": 1.0, "beta": 0.0},
    {"name": "repeat", "weight": 0.0},
    {"name": "repeat", "weight": 1.0},  # no response loops
    {"name": "contrast", "weight": 0.0},
    {"name": "contrast", "weight": 1.0, "ratio": 1e9},
    {"name": "length_band", "weight": 0.0},
    {"name": "length_band", "lowest": 90, "highest": 99},  # no response is so long
    {"name": "retention", "weight": 1.0, "alpha": 0.0},  # the same for all: the baseline takes it away
]


def test_every_reward_part_has_a_neutral_setting_here():
    assert {spec["name"] for spec in NEUTRAL} == set(shapes)


@pytest.mark.parametrize("spec", NEUTRAL, ids=str)
def test_a_neutral_setting_leaves_the_plain_advantages(spec):
    held = {"previous": ((-1.0,) * 4, (-2.0,) * 9, (-0.1,) * 4, (-3.0,) * 30)}
    more = {"statistics": held | {"logprobs": held["previous"]}, "contrast_rate": 0.25}
    one = judged([True, False, True, Verdict(0.4, False)], lengths=[4, 9, 4, 30], **more)
    plain = Credit(CreditSettings()).assign([one], AT_100)[0]
    shaped = Credit(CreditSettings(shape=[spec])).assign([one], AT_100)[0]
    assert shaped.advantages == pytest.approx(plain.advantages, abs=1e-12)


def test_a_part_named_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        CreditSettings(shape=["overlong", "overlong"])

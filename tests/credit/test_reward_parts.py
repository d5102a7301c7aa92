"""Reward parts besides k1.5's length reward: by hand, their neutral settings, and a property each."""

from __future__ import annotations

import math

import pytest
from credit_cases import RIGHT, WRONG, judged, rollout, usable

from vlrl.credit.assign import Credit, CreditSettings
from vlrl.credit.group_parts import Contrast, Retention
from vlrl.credit.groups import Moment
from vlrl.credit.length_parts import LeadLength, Overlong, StepGrpo
from vlrl.credit.shapes import shapes
from vlrl.types import Verdict

AT_100 = Moment(0, 1, max_tokens=100)


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
    """Three of four right; with the perturbed picture two of four: 0.75 ≥ 0.8·0.5, and not ≥ 1.6·0.5."""
    group = usable([True, True, True, False], contrast_rate=0.5)
    assert Contrast().of(group, AT_100) == (1.0, 1.0, 1.0, 0.0)
    assert Contrast(ratio=1.6).of(group, AT_100) == (0.0,) * 4
    assert Contrast().of(usable([True, False]), AT_100) == (0.0, 0.0)  # no picture, no question


def test_a_policy_that_ignores_the_picture_gets_no_bonus_above_a_ratio_of_one():
    blind = usable([True, False, True, False], contrast_rate=0.5)
    assert Contrast(ratio=1.1).of(blind, AT_100) == (0.0,) * 4


def test_retention_by_hand():
    """Mean log-probabilities −1 now and −1.5 before: d = ½. Below the earlier model's there is no drift."""
    group = usable([True, True], rollouts=[rollout(2), rollout(1)], statistics={"previous": ((-1.0, -2.0), (-0.5,))})
    assert Retention(alpha=2.0).of(group, AT_100) == pytest.approx((math.exp(-1.0), 1.0))


NEUTRAL = [
    {"name": "length", "weight": 0.0},
    {"name": "overlong", "weight": 0.0},
    {"name": "overlong", "weight": 1.0, "margin_rate": 0.01},  # no response comes so near to the budget
    {"name": "lead_length", "weight": 0.0},
    {"name": "step_grpo", "weight": 1.0, "alpha": 1.0, "beta": 0.0},
    {"name": "repeat", "weight": 0.0},
    {"name": "repeat", "weight": 1.0},  # no response loops
    {"name": "contrast", "weight": 0.0},
    {"name": "contrast", "weight": 1.0, "ratio": 1e9},
    {"name": "retention", "weight": 1.0, "alpha": 0.0},  # the same for all: the baseline takes it away
]


def test_every_reward_part_has_a_neutral_setting_here():
    assert {spec["name"] for spec in NEUTRAL} == set(shapes)


@pytest.mark.parametrize("spec", NEUTRAL, ids=str)
def test_a_neutral_setting_leaves_the_plain_advantages(spec):
    more = {"statistics": {"previous": ((-1.0,) * 4, (-2.0,) * 9, (-0.1,) * 4, (-3.0,) * 30)}, "contrast_rate": 0.25}
    one = judged([True, False, True, Verdict(0.4, False)], lengths=[4, 9, 4, 30], **more)
    plain = Credit(CreditSettings()).assign([one], AT_100)[0]
    shaped = Credit(CreditSettings(shape=[spec])).assign([one], AT_100)[0]
    assert shaped.advantages == pytest.approx(plain.advantages, abs=1e-12)


def test_a_part_named_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        CreditSettings(shape=["length", "length"])

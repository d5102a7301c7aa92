"""AntiSD: by hand, bounded, falling, off where the teacher is too sure; and the way to the hinted prompt."""

from __future__ import annotations

import math

import pytest
from credit_cases import credited
from hypothesis import given
from hypothesis import strategies as st

from vlrl.credit.credit_context import CreditContext
from vlrl.credit.tokens.self_distillation import AntiSelfDistillation, anti_credit

NOW = CreditContext(0)


def group(teacher, entropy=1.0, teacher_entropy=1.0):
    student = ((-1.0, -2.0), (-3.0,))
    spread = {"entropy": entropy, "self_teacher_entropy": teacher_entropy}
    held = {name: tuple((value,) * len(one) for one in student) for name, value in spread.items()}
    statistics = {"logprobs": student, "self_teacher": teacher, **held}
    return credited([True, False], [0.5, -0.5], lengths=[2, 1], statistics=statistics)


@given(st.floats(-700, 700), st.floats(-700, 700))
def test_it_falls_from_half_of_ln_2_and_has_no_floor(u, v):
    low, high = sorted((u, v))
    assert anti_credit(high) <= anti_credit(low) <= 0.5 * math.log(2.0)
    assert anti_credit(0.0) == 0.0
    assert anti_credit(u) <= -0.5 * (u - math.log(2.0)) + 1e-9


def test_by_hand():
    (found,) = AntiSelfDistillation(weight=2.0).over([group(((-1.0, -1.0), (-9.0,)))], NOW, {})
    assert found[0] == pytest.approx((0.0, -(math.log(1 + math.e) - math.log(2))))
    assert found[1] == pytest.approx((-(math.log(1 + math.exp(-6.0)) - math.log(2)),))


def test_a_teacher_that_is_too_sure_gives_no_credit_in_that_step():
    sure = group(((-1.0, -1.0), (-9.0,)), teacher_entropy=0.09)
    part = AntiSelfDistillation()
    assert part.over([sure], NOW, {}) == [((0.0, 0.0), (0.0,))]
    unsure = group(((-1.0, -1.0), (-9.0,)), teacher_entropy=0.11)
    assert part.over([unsure], NOW, {}) != [((0.0, 0.0), (0.0,))]
    assert AntiSelfDistillation(least_entropy=0.0).over([sure], NOW, {}) == part.over([unsure], NOW, {})


def test_a_response_that_was_not_read_behind_the_hint_has_none():
    (found,) = AntiSelfDistillation().over([group(((), (-9.0,)))], NOW, {})
    assert found[0] == (0.0, 0.0)
    assert found[1][0] > 0

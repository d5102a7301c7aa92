"""The length reward of k1.5 (§2.3.3), by hand and by its properties."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlrl.credit.rewards.length_reward import LengthReward

GROUPS = st.lists(st.tuples(st.integers(1, 500), st.booleans(), st.booleans()), min_size=1, max_size=12)


def reward(lengths, correct, counted=None, **settings):
    return LengthReward(weight=1.0, **settings)(lengths, correct, counted or [True] * len(lengths))


def test_a_group_by_hand():
    """Lengths 10 to 50: λ = 0.5, 0.25, 0, −0.5; the wrong ones get min(0, λ)."""
    assert reward((10, 20, 30, 50), (True, False, True, False)) == pytest.approx((0.5, 0.0, 0.0, -0.5))
    assert reward((10, 20, 30, 50), (False, True, False, True)) == pytest.approx((0.0, 0.25, 0.0, -0.5))


def test_equal_lengths_and_single_responses_get_nothing():
    assert reward((30, 30, 30), (True, False, True)) == (0.0, 0.0, 0.0)
    assert reward((30,), (True,)) == (0.0,)


@settings(deadline=None)
@given(GROUPS)
def test_rewards_stay_within_a_half_and_a_wrong_response_never_gains(group):
    lengths, correct, counted = zip(*group, strict=True)
    for value, right, use in zip(reward(lengths, correct, list(counted)), correct, counted, strict=True):
        assert -0.5 <= value <= 0.5
        assert right or value <= 0.0
        assert use or value == 0.0


@settings(deadline=None)
@given(GROUPS, st.integers(1, 5000))
def test_a_cut_response_leaves_the_others_unchanged(group, length):
    lengths, correct, counted = zip(*group, strict=True)
    before = reward(lengths, correct, list(counted))
    after = reward((*lengths, length), (*correct, True), [*counted, False])
    assert after == (*before, 0.0)


def test_among_correct_responses_shorter_is_never_worse():
    values = reward((5, 9, 14, 80, 81), (True,) * 5)
    assert list(values) == sorted(values, reverse=True)


def test_the_weight_is_a_step_function_of_the_step():
    length = LengthReward(weight=0.3, start_step=5)
    assert [length.weight_at(s) for s in (0, 4, 5, 6, 1000)] == [0.0, 0.0, 0.3, 0.3, 0.3]


def test_the_weight_rises_in_a_line_over_the_steps_of_a_ramp():
    length = LengthReward(weight=0.4, start_step=5, ramp_steps=4)
    assert [length.weight_at(s) for s in (4, 5, 6, 7, 8, 9, 99)] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.4, 0.4])
    switch = LengthReward(weight=0.4, start_step=5, ramp_steps=1)
    assert [switch.weight_at(s) for s in (4, 5, 6)] == [0.0, 0.4, 0.4]


def test_an_all_wrong_group_is_left_alone_only_where_asked():
    lengths, wrong = (10, 20), (False, False)
    assert reward(lengths, wrong) == (0.0, -0.5)
    assert reward(lengths, wrong, only_if_any_correct=True) == (0.0, 0.0)
    assert reward(lengths, (True, False), only_if_any_correct=True) == (0.5, -0.5)


def test_a_correct_response_that_was_cut_does_not_count_as_any_correct():
    assert reward((10, 20, 30), (False, False, True), [True, True, False], only_if_any_correct=True) == (0.0,) * 3


def test_a_negative_weight_is_refused():
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        LengthReward(weight=-1.0)

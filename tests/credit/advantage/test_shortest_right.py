"""ICR's pull to the shortest right response, and when it is off."""

from __future__ import annotations

import pytest
from credit_cases import credited, rollout

from vlrl.credit.advantage.shortest_right import ShortestRight, length_correctness
from vlrl.credit.assign import Credit, CreditSettings
from vlrl.credit.credit_context import CreditContext

NOW = CreditContext(0)
LONG_IS_WRONG = credited([True, True, False, False], [0.5, 0.5, -0.5, -0.5], lengths=[4, 2, 8, 6])
LONG_IS_RIGHT = credited([True, False], [0.5, -0.5], lengths=[8, 2])


def test_the_correlation_by_hand():
    """Lengths −1, −3, 3, 1 about their mean, correctness ½, ½, −½, −½: −4/√(20·1)."""
    assert length_correctness([LONG_IS_WRONG]) == pytest.approx(-4 / 20**0.5)
    assert length_correctness([LONG_IS_RIGHT]) == pytest.approx(1.0)
    assert length_correctness([credited([True, True], [0.0, 0.0], lengths=[1, 2])]) is None
    assert length_correctness([]) is None


def test_the_shortest_right_response_gains_while_long_ones_are_wrong_more_often():
    assert ShortestRight(weight=0.25).over([LONG_IS_WRONG], NOW, {}) == [(0.5, 0.75, -0.5, -0.5)]
    assert ShortestRight(weight=0.25).over([LONG_IS_RIGHT], NOW, {}) == [(0.5, -0.5)]
    assert ShortestRight(weight=0.0).over([LONG_IS_WRONG], NOW, {}) == [LONG_IS_WRONG.advantages]


def test_it_goes_by_the_moving_average_and_is_off_once_that_turns():
    state: dict[str, float] = {}
    part = ShortestRight(weight=1.0, decay=0.5)
    part.over([LONG_IS_WRONG], NOW, state)
    assert part.over([LONG_IS_RIGHT], NOW, state) == [(0.5, -0.5)]  # (−.894 + 1)/2 is above 0
    assert state["correlation"] == pytest.approx((1 - 4 / 20**0.5) / 2)
    nothing_varies = credited([True, True], [0.0, 0.0], lengths=[3, 3])
    assert part.over([nothing_varies], NOW, state) == [(0.0, 0.0)]
    assert state["correlation"] == pytest.approx((1 - 4 / 20**0.5) / 2)


def test_a_cut_response_is_no_example_and_a_group_without_a_right_one_has_none():
    cut = credited([True, True, False], [0.3, 0.3, -0.6], rollouts=[rollout(2, "length"), rollout(5), rollout(9)])
    wrong = credited([False, False], [0.0, 0.0], lengths=[2, 3])
    assert ShortestRight(weight=1.0).over([cut, wrong], NOW, {}) == [(0.3, 1.3, -0.6), (0.0, 0.0)]


def test_its_memory_is_part_of_a_checkpoint():
    settings = CreditSettings(adjust=[{"name": "icr", "decay": 0.5}])
    first, second = Credit(settings), Credit(settings)
    first.assign([LONG_IS_WRONG], NOW)
    second.load_state_dict(first.state_dict())
    assert second.state_dict()["adjust.0"]["correlation"] < 0
    alone = Credit(settings).assign([LONG_IS_RIGHT], NOW)[0].advantages
    assert second.assign([LONG_IS_RIGHT], NOW)[0].advantages == alone  # the average has turned

"""Calibration, against numbers worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlrl.evaluation.calibration import calibration


def test_error_and_brier_score_of_four_answers():
    found = calibration([0.9, 0.95, 0.2, 0.2], [True, False, False, True], bins=2)
    assert [(one.count, one.observed) for one in found.bins] == [(2, 0.5), (2, 0.5)]
    assert found.expected_error == pytest.approx((2 * 0.3 + 2 * 0.425) / 4)
    assert found.brier == pytest.approx((0.01 + 0.9025 + 0.04 + 0.64) / 4)


def test_probabilities_that_are_true_have_no_error_and_one_is_in_the_last_bin():
    assert calibration([1.0, 0.0], [True, False]).expected_error == 0.0
    assert calibration([1.0], [True]).bins[0].low == 0.9


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50))
def test_every_answer_is_in_one_bin_and_errors_are_shares(rows):
    found = calibration([p for p, _ in rows], [label for _, label in rows])
    assert sum(one.count for one in found.bins) == len(rows)
    assert 0 <= found.expected_error <= 1
    assert 0 <= found.brier <= 1


@pytest.mark.parametrize("stated", [[], [1.5], [0.5, 0.5]])
def test_what_are_no_probabilities_of_the_labels_is_refused(stated):
    with pytest.raises(ValueError, match="calibration"):
        calibration(stated, [True])

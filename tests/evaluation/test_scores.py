"""Figures against numbers worked out by hand or taken from tables."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlrl.evaluation import scores


def test_accuracy_is_the_mean_over_all_samples():
    assert scores.accuracy([True, False, True, True]) == 0.75
    assert scores.accuracy([[1, 0], [1, 1]]) == 0.75


def test_standard_error_of_four_values_by_hand():
    # deviations from 2.5: 1.5 .5 .5 1.5 → variance 5/3, SE = √(5/12)
    assert scores.standard_error([1, 2, 3, 4]) == pytest.approx(math.sqrt(5 / 12))
    assert math.isnan(scores.standard_error([1]))


def test_standard_error_refuses_samples_of_one_problem_as_independent_values():
    with pytest.raises(ValueError, match="average over the samples"):
        scores.standard_error([[1, 0], [1, 1]])


def test_wilson_interval_of_ten_in_twenty_and_of_the_ends():
    # z = 1.959964, z² = 3.841459: centre .5, half = z/(2·√(20+z²)) = .200702
    low, high = scores.wilson_interval(0.5, 20)
    assert (low, high) == pytest.approx((0.299298, 0.700702), abs=1e-5)
    # 0 of 10: [0, z²/(10+z²)]
    assert scores.wilson_interval(0.0, 10) == pytest.approx((0.0, 3.841459 / 13.841459), abs=1e-6)
    assert scores.wilson_interval(1.0, 10) == pytest.approx((10 / 13.841459, 1.0), abs=1e-6)


def test_accuracy_interval_counts_repeated_samples_of_a_problem_once():
    single = scores.accuracy_interval([1, 0] * 10)
    assert single == scores.wilson_interval(0.5, 20)
    assert scores.accuracy_interval([[1] * 8, [0] * 8] * 10) == single
    # 5 problems at 0, 10 at ½, 5 at 1: variance 2.5/19, SE² = .125/19, effective trials .25/SE² = 38 of 40
    spread = [[0, 0]] * 5 + [[0, 1]] * 10 + [[1, 1]] * 5
    assert scores.accuracy_interval(spread) == pytest.approx(scores.wilson_interval(0.5, 38))


def test_t_interval_of_five_seeds_by_hand():
    # mean 3, SE = √(2.5/5) = .7071, t(4, .975) = 2.776445
    assert scores.t_interval([1, 2, 3, 4, 5]) == pytest.approx((3 - 1.963243, 3 + 1.963243), abs=1e-5)


def test_paired_t_interval_uses_the_differences():
    before = np.array([0.1, 0.5, 0.9])
    low, high = scores.paired_t_interval(before + np.array([0.1, 0.2, 0.3]), before)
    # differences .1 .2 .3: mean .2, SE = .1/√3, t(2, .975) = 4.302653
    assert (low, high) == pytest.approx((0.2 - 0.248414, 0.2 + 0.248414), abs=1e-5)


def test_paired_intervals_refuse_rows_of_different_length():
    with pytest.raises(ValueError, match="equal rows"):
        scores.paired_t_interval([1, 2], [1, 2, 3])


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_equals_the_share_of_subsets_with_a_right_one(case):
    n, c, k = case
    subsets = list(itertools.combinations([True] * c + [False] * (n - c), k))
    assert scores.pass_at_k(n, c, k) == pytest.approx(sum(any(s) for s in subsets) / len(subsets))


def test_pass_at_k_refuses_more_draws_than_samples():
    with pytest.raises(ValueError, match="k=5"):
        scores.pass_at_k(4, 1, 5)


def test_majority_counts_votes_and_shares_ties():
    assert scores.majority(["7", "7", "8"], [True, True, False]) == 1.0
    assert scores.majority(["7", "8", "8"], [True, False, False]) == 0.0
    assert scores.majority(["7", "8"], [True, False]) == 0.5
    assert scores.majority([None, None, None, "7"], [False, False, False, True]) == 1.0
    assert scores.majority([None, None], [False, False]) == 0.0


def test_lengths_and_endings():
    assert scores.token_percentile(np.arange(101)) == 95.0
    assert scores.cut_off_rate(["stop", "length", "repeat", "unfinished"]) == 0.5


def test_consistency_is_the_share_of_equal_verdicts():
    assert scores.consistency([1, 1, 0, 0], [1, 0, 0, 1]) == 0.5
    # problem 1: p = 1, q = .5 → .5; problem 2: p = .5, q = .5 → .5
    assert scores.consistency([[1, 1], [1, 0]], [[1, 0], [0, 1]]) == 0.5


@pytest.mark.parametrize(
    "figure",
    [scores.accuracy, scores.standard_error, scores.accuracy_interval, scores.token_percentile, scores.cut_off_rate],
)
def test_a_figure_over_nothing_is_an_error(figure):
    with pytest.raises(ValueError, match="no values"):
        figure([])


def test_t_test_against_tables():
    """t = 2.776 is the two-sided 5 % point of four degrees of freedom, 4.604 the 1 % point."""
    spread = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    error = scores.standard_error(spread)
    assert scores.t_test(spread + 2.776 * error) == pytest.approx(0.05, abs=1e-4)
    assert scores.t_test(spread - 4.604 * error) == pytest.approx(0.01, abs=1e-4)
    assert scores.t_test([0.5, 0.5]) == 0.0
    assert scores.t_test([0.0, 0.0]) == 1.0
    with pytest.raises(ValueError, match="two values"):
        scores.t_test([1.0])


def test_holm_by_hand():
    """.01·4, max(.04, .013·3), max(.04, .02·2), max(.04, .6·1)."""
    found = scores.holm({"d": 0.6, "a": 0.01, "c": 0.02, "b": 0.013})
    assert list(found) == ["d", "a", "c", "b"]
    assert found == pytest.approx({"a": 0.04, "b": 0.04, "c": 0.04, "d": 0.6})
    assert scores.holm({"a": 0.4, "b": 0.9}) == {"a": 0.8, "b": 0.9}
    assert scores.holm({}) == {}


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12))
def test_adjusting_never_makes_a_difference_clearer_and_keeps_the_order(values):
    plain = dict(enumerate(values))
    found = scores.holm(plain)
    assert all(plain[k] <= found[k] <= min(1.0, len(values) * plain[k]) + 1e-12 for k in plain)
    order = sorted(plain, key=plain.get)
    assert all(found[a] <= found[b] for a, b in itertools.pairwise(order))


def test_agreement_by_chance_and_what_is_left_beyond_it_by_hand():
    """.75·.5 + .25·.5 = .5; agreement of ¾ is half of what chance left. Equal accuracies can agree less than chance."""
    text, rendered = [1, 1, 1, 0], [1, 1, 0, 0]
    assert scores.agreement_by_chance(text, rendered) == 0.5
    assert scores.kappa(scores.consistency(text, rendered), 0.5) == 0.5
    assert scores.kappa(0.0, scores.agreement_by_chance([1, 0], [0, 1])) == -1.0
    assert scores.kappa(1.0, scores.agreement_by_chance([1, 1], [1, 1])) is None

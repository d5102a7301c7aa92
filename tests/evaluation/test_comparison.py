"""Arms against each other: what an interval shows and what it doesn't; the front of accuracy against tokens."""

from __future__ import annotations

import numpy as np
import pytest

from vlrl.evaluation.comparison import best_balance, compare, pareto_front, win_matrix
from vlrl.evaluation.scores import t_interval


def rng():
    return np.random.default_rng(5)


def arm(shares, problems=200, seed=0):
    """One (P,) row of verdicts a seed with these shares right."""
    draws = np.random.default_rng(seed).random((len(shares), problems))
    return [(row < share).astype(float) for row, share in zip(draws, shares, strict=True)]


def test_the_mean_is_over_seeds_and_its_interval_is_students():
    after, before = [np.array([1.0, 1.0]), np.array([1.0, 0.0]), np.array([0.0, 0.0])], [np.zeros(2)] * 3
    found = compare(after, before, rng())
    assert found.mean == pytest.approx(0.5)  # seeds: 1, ½, 0
    assert found.by_seed == pytest.approx(t_interval([1.0, 0.5, 0.0]))
    assert found.verdict(0.0) == "no difference shown"


def test_a_clear_difference_is_shown_and_its_sign_turns_with_the_sides():
    low, high = arm([0.4, 0.42, 0.38, 0.4, 0.41]), arm([0.7, 0.72, 0.68, 0.7, 0.71])
    assert compare(high, low, rng()).verdict(0.0) == "higher"
    assert compare(low, high, rng()).verdict(0.0) == "lower"


def test_an_arm_against_itself_differs_by_exactly_nothing():
    same = arm([0.5, 0.6])
    found = compare(same, same, rng())
    assert (found.mean, found.by_problem.low, found.by_problem.high) == (0.0, 0.0, 0.0)
    assert found.verdict(0.0) == "no difference shown"


def test_one_seed_shows_nothing_however_large_its_difference():
    found = compare(arm([0.9]), arm([0.1]), rng())
    assert found.by_seed is None
    assert found.verdict(0.0) == "one seed: nothing shown"


def test_few_problems_widen_the_interval_and_unequal_ones_are_refused():
    few = compare(arm([0.6] * 4, 10), arm([0.5] * 4, 10, seed=1), rng()).by_problem
    many = compare(arm([0.6] * 4, 1000), arm([0.5] * 4, 1000, seed=1), rng()).by_problem
    assert few.high - few.low > 3 * (many.high - many.low)
    with pytest.raises(ValueError, match="not two equal rows"):
        compare([np.zeros(3)], [np.zeros(4)], rng())


def test_under_no_difference_about_one_in_twenty_bootstrap_intervals_misses_zero():
    missed = 0
    for trial in range(200):
        a, b = arm([0.5] * 12, 40, seed=2 * trial), arm([0.5] * 12, 40, seed=2 * trial + 1)
        low, high = compare(a, b, np.random.default_rng(trial), resamples=200).by_problem
        missed += not low <= 0.0 <= high
    assert missed <= 20  # 10 expected; P(more than 20) < .002 at 5 %


def test_the_matrix_is_antisymmetric():
    arms = {"a": arm([0.3, 0.3]), "b": arm([0.5, 0.6], seed=1), "c": arm([0.4, 0.4], seed=2)}
    found = win_matrix(arms, rng(), 200)
    assert len(found) == 6
    for (one, other), gap in found.items():
        assert gap.mean == -found[other, one].mean
        assert gap.by_problem.low == -found[other, one].by_problem.high


def test_the_front_drops_what_is_longer_and_no_better():
    accuracy = {"short": 0.60, "mid": 0.70, "worse": 0.65, "long": 0.71, "same": 0.70}
    tokens = {"short": 10.0, "mid": 20.0, "worse": 25.0, "long": 40.0, "same": 20.0}
    assert pareto_front(accuracy, tokens) == ["short", "mid", "long"]
    assert best_balance(accuracy, tokens) == "mid"  # within a point of the best, at half its tokens
    assert best_balance(accuracy, tokens, tolerance=0.0) == "long"
    assert best_balance(accuracy, tokens, tolerance=0.2) == "short"


def test_p_is_that_of_the_paired_test_over_seeds():
    """Gaps .1, .2, .3: mean .2, standard error .1/√3, t = 3.464 with two degrees of freedom, p = .0742."""
    found = compare([np.array([0.1]), np.array([0.2]), np.array([0.3])], [np.zeros(1)] * 3, rng(), 10)
    assert found.p == pytest.approx(0.0742, abs=2e-4)
    assert compare(arm([0.9]), arm([0.1]), rng(), 10).p == 1.0


def test_a_difference_that_is_one_of_many_may_not_be_shown():
    found = compare(arm([0.9, 0.92, 0.91], 400), arm([0.1, 0.11, 0.12], 400), rng())
    assert found.verdict(0.049) == "higher"
    assert found.verdict(0.05) == "no difference shown"

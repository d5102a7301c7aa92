"""Candidates by MinHash: what is alike is found, by the odds that the module states."""

from __future__ import annotations

import numpy as np
import pytest

from vlrl.curation.matching.minhash import BANDS, ROWS, MinHashIndex


def of_words(words) -> frozenset[tuple[str, ...]]:
    return frozenset((str(word),) for word in words)


def test_equal_sets_are_candidates_in_the_order_in_which_they_came():
    index = MinHashIndex()
    assert [index.add(of_words(words)) for words in ("abc", "xyz", "cab", "abc")] == [[], [], [0], [0, 2]]


def test_empty_sets_are_no_candidates():
    index = MinHashIndex()
    assert [index.add(frozenset()), index.add(frozenset())] == [[], []]


@pytest.mark.parametrize(("similarity", "stated"), [(0.8, 0.9999999), (0.5, 0.873), (0.2, 0.05)])
def test_the_stated_odds_are_those_of_the_formula(similarity, stated):
    assert 1 - (1 - similarity**ROWS) ** BANDS == pytest.approx(stated, abs=5e-4)


def test_pairs_of_one_half_are_found_as_often_as_the_formula_says():
    """300 pairs that share 20 of 40 words: 0.873 of them, ± 4 standard deviations of a binomial."""
    found = 0
    for pair in range(300):
        index = MinHashIndex()
        index.add(of_words(range(1000 * pair, 1000 * pair + 30)))
        found += bool(index.add(of_words(range(1000 * pair + 10, 1000 * pair + 40))))
    assert abs(found / 300 - 0.873) < 4 * np.sqrt(0.873 * 0.127 / 300)

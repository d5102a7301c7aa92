"""Answers that can't both be right tell two problems apart; others say nothing."""

from __future__ import annotations

import pytest

from vlrl.curation.answer_match import contradict


@pytest.mark.parametrize(
    ("one", "other", "against"),
    [
        ("3", "4", True),
        ("3", "3.0", False),
        ("1,000", "1000", False),
        ("3", "3 apples", False),
        ("1/2", "0.5", False),
        ("\\frac{1}{2}", "1/3", True),
        ("red", "blue", True),
        ("Yes", "no", True),
        ("the red circle", "Red", False),
        ("A", "B", False),  # options change places
        ("(A)", "red", False),
        ("three", "3", False),
        ("", "3", False),  # a benchmark that keeps its answers
    ],
)
def test_answers(one, other, against):
    assert contradict(one, other) is against
    assert contradict(other, one) is against

"""Answers that can't both be right tell two problems apart, the same answers speak for a copy, others say nothing."""

from __future__ import annotations

import pytest

from vlrl.curation.matching.answer_match import Answers, compare_answers


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ("3", "4", Answers.CONTRADICT),
        ("3", "3.0", Answers.AGREE),
        ("1,000", "1000", Answers.AGREE),
        ("1/2", "0.5", Answers.AGREE),
        ("three", "3", Answers.AGREE),
        ("\\frac{1}{2}", "1/3", Answers.CONTRADICT),
        ("red", "blue", Answers.CONTRADICT),
        ("Yes", "no", Answers.CONTRADICT),
        ("Paris.", "paris", Answers.AGREE),
        ("the red circle", "Red", Answers.UNKNOWN),
        ("A", "B", Answers.UNKNOWN),  # options change places
        ("A", "A", Answers.UNKNOWN),
        ("(A)", "red", Answers.UNKNOWN),
        ("7", "7", Answers.AGREE),  # a digit isn't a letter
        ("", "3", Answers.UNKNOWN),  # a benchmark that keeps its answers
        ("", "", Answers.UNKNOWN),
    ],
)
def test_answers(one, other, said):
    assert compare_answers(one, other) is said
    assert compare_answers(other, one) is said

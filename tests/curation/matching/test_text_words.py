"""Texts as words, numbers and shingles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlrl.curation.matching.text_words import (
    jaccard,
    numbers_of,
    plain_words,
    shingles,
    typed_text,
    whole_text,
    wordless_images,
    words_of,
)
from vlrl.types import Image, Problem, Text

PAGE = Image("d1", data=b"x", source_text="3 plus 4")
PHOTO = Image("d2", data=b"y")
PROBLEM = Problem((Text("What is"), PAGE, Text("beside"), PHOTO), "7", "number", "rendered", "tests")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The Bus costs 1,250.50 $!", ["the", "bus", "costs", "1,250.50", "$", "!"]),
        ("x_1 = 3.", ["x", "_", "1", "=", "3", "."]),
        ("ＡＢＣ ﬁ", ["abc", "fi"]),  # full width and a ligature
        ("", []),
    ],
)
def test_words_by_hand(text, words):
    assert words_of(text) == words


def test_plain_words_have_no_punctuation():
    assert plain_words("x_1 = 3.5!") == ["x", "1", "3.5"]


def test_numbers_stand_in_order_and_whole():
    assert numbers_of("2 of 1,250.50 and 7. Then 2") == ("2", "1,250.50", "7", "2")


def test_a_drawn_text_counts_and_an_image_without_words_is_compared_by_look():
    assert typed_text(PROBLEM) == "What is beside"
    assert whole_text(PROBLEM) == "What is 3 plus 4 beside"
    assert wordless_images(PROBLEM) == [PHOTO]


def test_shingles_by_hand():
    assert shingles(["a", "b", "c", "d"], 3) == {("a", "b", "c"), ("b", "c", "d")}
    assert shingles(["a", "b"], 3) == {("a", "b")}
    assert shingles([], 3) == frozenset()


def test_jaccard_by_hand():
    one, other = shingles(list("abcd"), 2), shingles(list("abce"), 2)  # ab bc cd, ab bc ce
    assert jaccard(one, other) == 2 / 4
    assert jaccard(frozenset(), frozenset()) == 1.0
    assert jaccard(one, frozenset()) == 0.0


@given(st.lists(st.sampled_from("abc"), max_size=12), st.integers(1, 4))
def test_a_text_of_n_words_has_at_most_n_less_size_plus_one_shingles_and_equals_itself(words, size):
    found = shingles(words, size)
    assert len(found) <= max(1, len(words) - size + 1)
    assert jaccard(found, found) == 1.0

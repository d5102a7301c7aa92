"""Expressions: values, bounds, reading order and balance."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

import pytest

from vlrl.errors import ConfigError
from vlrl.scenes.arithmetic import Arithmetic
from vlrl.scenes.domain import domains
from vlrl.seeding import stream


def draw(count=200, difficulty=1.0, **settings):
    made = Arithmetic(**settings)
    return [made.draw(stream(0, i), difficulty) for i in range(count)]


def value(question: str) -> int:
    return eval(question.split("=")[0])  # the question is an expression of digits, + - * and parentheses


@pytest.mark.parametrize("operations", ["+", "-", "*", "+-", "+-*"])
def test_the_answer_is_what_python_makes_of_the_question(operations):
    for settings in ({}, {"bounded": False}, {"modulus": 10}, {"modulus": 7}):
        for draft in draw(60, operations=operations, **settings):
            modulus = settings.get("modulus")
            assert int(draft.answer) == (value(draft.question) % modulus if modulus else value(draft.question))


def test_bounded_values_stay_within_one_digit_on_the_way():
    for draft in draw(terms=(2, 6), operations="+-*"):
        assert all(0 <= int(n) <= 9 for n in re.findall(r"=(-?\d+)", draft.thought))


def test_difficulty_sets_the_number_of_terms():
    made = Arithmetic(terms=(2, 5))
    assert [len(re.findall(r"\d", made.draw(stream(0, 1), d).question)) for d in (0.0, 0.34, 0.67, 1.0)] == [2, 3, 4, 5]


def test_all_ten_answers_are_about_alike_likely():
    for settings in ({}, {"modulus": 10, "operations": "+-*"}):
        counts = Counter(draft.answer for draft in draw(2000, **settings))
        assert len(counts) == 10
        assert max(counts.values()) < 260
        assert min(counts.values()) > 140


def test_a_chain_carries_every_value_on():
    for draft in draw(50):
        steps = re.findall(r"(\d+)[+-]\d+=(\d+)", draft.thought)
        assert all(before[1] == after[0] for before, after in pairwise(steps))


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"operations": "+/"}, "operations"),
        ({"terms": [4, 2]}, "terms"),
        ({"modulus": 1}, "modulus"),
        ({"term": 2}, "did you mean"),
    ],
)
def test_wrong_settings_are_refused_with_their_place(settings, place):
    with pytest.raises(ConfigError, match=place):
        domains.build({"name": "arithmetic", **settings})

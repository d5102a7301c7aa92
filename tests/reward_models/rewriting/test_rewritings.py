"""Labels of rewritings, checked by readers that the families don't use: quantities of vlrl.verify, sympy's own parser,
and statements taken apart word by word."""

from __future__ import annotations

import functools
import re

import numpy as np
import pytest
import sympy
from sympy.parsing.sympy_parser import implicit_multiplication, parse_expr, standard_transformations

import vlrl.reward_models.rewriting  # noqa: F401  files the families
from vlrl.reward_models.rewriting.family import Form, Rewritten, compared, families, worked
from vlrl.reward_models.rewriting.relations import OPPOSITES
from vlrl.verify.values.quantity import read_quantity

NAMES = sorted(families.names())
COUNTS = {"algebra": 60}
WORDS = re.compile(r"(?:the )?(\w+)(?: is)? (.+?) (?:the )?(\w+)")


def read_number(text: str) -> object:
    found = read_quantity(text)
    assert found is not None, text
    return found.value


def read_units(text: str) -> object:
    found = read_quantity(text)
    assert found is not None, text
    assert found.unit is not None, text
    return found.value * found.unit.factor, found.unit.dimension


def read_algebra(text: str) -> object:
    steps = (*standard_transformations, implicit_multiplication)
    return sympy.expand(parse_expr(text.replace("^", "**"), transformations=steps))


def read_relation(text: str) -> object:
    match = WORDS.fullmatch(text)
    assert match is not None, text
    first, relation, second = match.groups()
    for one, other in OPPOSITES:
        if relation == other:
            return one, second, first
        if relation == one:
            return one, first, second
    raise AssertionError(text)


READ = {"numbers": read_number, "units": read_units, "algebra": read_algebra, "relations": read_relation}


def first(name: str, draws: int) -> list[Rewritten]:
    rng = np.random.default_rng(7)
    return [families.get(name)().draw(rng, 3) for _ in range(draws)]


@functools.cache
def drawn(name: str) -> list[Rewritten]:
    return first(name, COUNTS.get(name, 300))


def test_every_family_has_a_reader_here():
    assert set(NAMES) == set(READ)


@pytest.mark.parametrize("name", NAMES)
def test_answers_that_agree_have_the_references_value_and_near_misses_have_another(name):
    read = READ[name]
    for one in drawn(name):
        reference = read(one.reference.text)
        assert all(read(form.text) == reference for form in one.equal), one
        assert all(read(form.text) != reference for form in one.other), one


@pytest.mark.parametrize("name", NAMES)
def test_the_normal_form_has_the_same_value_as_the_text(name):
    read = READ[name]
    for one in drawn(name):
        for form in (one.reference, *one.equal, *one.other):
            normal = form.normal if name != "relations" else f"the {form.normal}"
            assert read(normal) == read(form.text), form


@pytest.mark.parametrize("name", NAMES)
def test_no_text_is_there_twice_and_every_kind_of_rewriting_occurs(name):
    ways: set[str] = set()
    for one in drawn(name):
        texts = [form.text for form in (one.reference, *one.equal, *one.other)]
        assert len(set(texts)) == len(texts)
        assert one.equal
        assert one.other
        ways |= {form.how for form in (*one.equal, *one.other)}
    assert len(ways) >= 4


@pytest.mark.parametrize("name", NAMES)
def test_the_same_randomness_gives_the_same_rewriting(name):
    assert first(name, 5) == first(name, 5)


def test_a_reasoning_brings_both_sides_to_one_form_and_ends_with_what_follows():
    half, same, other = (Form(t, v, n, "") for t, v, n in (("1/2", 1, "0.5"), ("0.5", 1, "0.5"), ("0.6", 2, "0.6")))
    assert worked(half, same) == "1/2 = 0.5; 0.5; 0 0, . ., 5 5; same"
    assert worked(half, other) == "1/2 = 0.5; 0.6; 0 0, . ., 5 6; differ"
    assert compared("12 m", "123 m") == "1 1, 2 2, m 3"
    assert compared("a b", "a b c") == "a a, b b, end c"


@pytest.mark.parametrize("name", NAMES)
def test_the_pieces_of_two_normal_forms_differ_where_the_values_do(name):
    for one in drawn(name):
        for form in (*one.equal, *one.other):
            *before, last = (pair.split(" ") for pair in compared(one.reference.normal, form.normal).split(", "))
            assert all(a == b for a, b in before)
            assert (last[0] == last[1]) == (form.value == one.reference.value), (one.reference, form)

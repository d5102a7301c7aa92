"""Habits of writing that mean one thing, and names before "=" that stand for a value."""

from __future__ import annotations

from math import comb, perm

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from patience import problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.verify.judge import judge

SMALL = st.integers(2, 9)


def is_right(gold: str, answer: str, question: str = "What is it?") -> bool:
    verdict = judge(problem("math", gold, question=question), rf"\boxed{{{answer}}}")
    assert verdict.fault is None
    return verdict.correct


@given(SMALL, SMALL, st.integers(0, 1))
@settings(max_examples=15)
def test_choices_and_arrangements_have_their_value(a: int, b: int, off: int):
    n, k = max(a, b), min(a, b)
    chosen = ["C({n},{k})", r"\binom{{{n}}}{{{k}}}", r"{{{n} \choose {k}}}", r"{{{{{n}}}\choose{{{k}}}}}", "C_{n}^{k}",
              "_{n}C_{k}",
              "{{}}_{{{n}}}C_{{{k}}}", "^{n}C_{k}", r"\dbinom {n}{k}"]  # fmt: skip
    for form in chosen:
        assert is_right(form.format(n=n, k=k), str(comb(n, k) + off)) is (off == 0), form
        assert is_right(str(comb(n, k) + off), form.format(n=n, k=k)) is (off == 0), form
    for form in ("P({n},{k})", "A_{n}^{k}", "_{n}P_{k}"):
        assert is_right(form.format(n=n, k=k), str(perm(n, k) + off)) is (off == 0), form


@given(SMALL, SMALL, SMALL)
@settings(max_examples=15)
def test_a_matrix_or_a_vector_may_be_written_in_any_way(a: int, b: int, factor: int):
    gold = rf"\begin{{pmatrix}}{factor * a}\\{factor * b}\end{{pmatrix}}"
    forms = [
        r"\left(\begin{{smallmatrix}}{a}\\{b}\end{{smallmatrix}}\right)", r"\begin{{bmatrix}}{a}\cr {b}\end{{bmatrix}}",
        r"\binom{{{a}}}{{{b}}}", r"\dbinom{{{a}}}{{{b}}}",
    ]  # fmt: skip
    for form in forms:
        assert is_right(gold, form.format(a=factor * a, b=factor * b)), form
        assert not is_right(gold, form.format(a=factor * a, b=factor * b + 1)), form
    for sign in ("", r"\cdot", " "):
        scaled = rf"{factor}{sign}\begin{{pmatrix}}{a}\\{b}\end{{pmatrix}}"
        assert is_right(gold, scaled)
        assert not is_right(gold, "1" + scaled)


@given(st.integers(2, 99), st.integers(2, 99))
@settings(max_examples=20)
def test_a_name_stands_for_its_value(p: int, q: int):
    for name in (
        r"\sin A",
        r"\sin(A)",
        r"\cos\angle BAC",
        r"\tan \theta",
        r"R_{\text{eq}}",
        "V_{max}",
        r"\angle ABC",
        "AB",
    ):
        assert is_right(rf"\frac{{{p}}}{{{q}}}", rf"{name}=\frac{{{p}}}{{{q}}}"), name
        assert not is_right(rf"\frac{{{p}}}{{{q}}}", rf"{name}=\frac{{{p}}}{{{q + 1}}}"), name
        assert is_right(f"{p}", f"{name}={p}"), name


@given(st.integers(2, 99), st.sampled_from([r"|z|", "x^2", "x+y", r"\left|z\right|", "2x", r"\sin x"]))
@settings(max_examples=20)
def test_an_expression_stands_for_its_value_where_it_is_asked_for(value: int, expression: str):
    for question in (
        f"Find ${expression}$.",
        f"What is {expression} ?",
        f"Find the value of {expression}, where x is real.",
    ):
        assert is_right(str(value), f"{expression}={value}", question)
        assert not is_right(str(value), f"{expression}={value + 1}", question)
    for question in ("Find x.", f"Solve {expression} = {value}.", f"Find z if {expression} = 7."):
        assert not is_right(str(value), f"{expression}={value}", question), question


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        (r"\operatorname{arcsin}\frac12", r"\frac{\pi}{6}", True),
        (r"\operatorname{arcsin}\frac12", r"\frac{\pi}{3}", False),
        (r"\arctan 2", r"\frac{\pi}{2}-\arctan\frac12", True),
        ("A(1,2)", "(1,2)", True),
        ("A(1,2)", "B(1,2)", False),
        ("12", r"\max(12,5)", True),
        (r"\gcd(4,6)", "(4,6)", False),
    ],
)
def test_names_of_functions_and_points(gold: str, answer: str, right: bool):
    assert is_right(gold, answer) is right

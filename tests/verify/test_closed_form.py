r"""Closed forms: equal, different or not read; never a wrong verdict."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlrl.verify.math.formula import read_formula
from vlrl.verify.math.formula_value import NoValueError, real_at, same_closed_form
from vlrl.verify.sandbox.worker_pool import TooHeavy, WorkerFault
from vlrl.verify.verifiers.mathematics import equivalent, pool


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"\sqrt{8}", r"2\sqrt2"),
        (r"\frac{1}{\sqrt{3}}", r"\frac{\sqrt{3}}{3}"),
        (r"\frac{5\sqrt{42}}{27}", r"\frac{10\sqrt{10.5}}{27}"),
        (r"(1+\sqrt2)^2", r"3+2\sqrt{2}"),
        (r"\frac{2}{3}\pi.", r"2\pi/3"),
        (r"\left(\frac{1}{2}\right)^{-2}", "4"),
        (r"\pi^2 \cdot \pi^{-1}", r"\pi"),
        (r"\sqrt{0}", "1-1"),
        (r"\sqrt{\frac{9}{8}}", r"\frac{3\sqrt2}{4}"),
        (r"\frac12", ".5"),
        ("1", "x/x"),
        ("0", "x-x"),
        ("2x", "x+x"),
        ("n^2+n", "n(n+1)"),
        (r"\frac{x^2-1}{x-1}", "x+1"),
        (r"\frac{1}{x}+\frac1y", r"\frac{x+y}{xy}"),
        (r"\frac{1}{1+\sqrt2}", r"\sqrt2-1"),
        (r"\tan^2(y)+1", r"\sec^2(y)"),
        (r"\frac{1}{\sin^2 x}", r"1+\cot^2 x"),
        (r"\sqrt[3]{\frac{5}{12}}", r"(\frac{5}{12})^{\frac{1}{3}}"),
        ("e^{-x}", r"\frac{1}{e^x}"),
        (r"10^{-\frac{5+\sqrt{13}}{6}}", r"10^{\frac{-\sqrt{13}-5}{6}}"),
        (r"k_{\mathrm{B}} T_{s}", "T_s k_B"),
        (r"\sum_{k=0}^{n-1} F_k F_{n-k-1}", r"\sum_{k=0}^{n-1} F_{n-k-1} F_k"),
        ("120", "5!"),
        (r"\log_2 x", r"\frac{\ln x}{\ln 2}"),
        (r"x^{100}", "x^{50}x^{50}"),
        (r"\sin 2x", r"2\sin x\cos x"),
        ("e^x e^y", "e^{x+y}"),
        (r"\sin 45^\circ", r"\frac{\sqrt2}{2}"),
        (r"\tan(60°)", r"\sqrt3"),
        (r"90^{\circ}", r"\frac{\pi}{2}"),
        ("(1+i)^2", "2i"),
        ("1+1i", "i+1"),
        (r"3 \div 8", "0.375"),
        (r"\sum_{k=1}^{10} k^2", "385"),
    ],
)
def test_equal_numbers_are_found_equal(one: str, other: str):
    assert same_closed_form(one, other) is True
    assert same_closed_form(other, one) is True


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("24", r"\frac{11\sqrt{7}}{2}"),
        ("64", r"\frac{1}{2}bh"),
        (r"\pi", "3.14"),
        (r"\sqrt{2}", "1.4145"),
        ("28", "3^7"),
        (r"\frac{5\sqrt{3}}{6}", r"\frac{11\sqrt3}{16}r^2"),
        ("2", r"\sqrt[3]{9}"),
        ("1", r"1+2+\frac{1}{2}+x"),
        ("2x", "3x"),
        ("5", "e^2"),
        ("5", "5!"),
        ("2x+1", "2y+1"),
        (r"\sin x", r"\cos x"),
        ("(a+b)^2", "a^2+b^2"),
        (r"\sqrt{x^2+1}", "x+1"),
        (r"2(\sqrt{2}-1)", r"\sqrt{3-\frac{3\tan^2\theta}{1-\tan^2\theta}}"),
        ("4", r"2R \cos \frac{1}{3}\measuredangle{POQ}"),
        ("90", r"90^\circ"),
        ("5", r"5^\circ"),
        (r"\frac{7^3}{2^{12} 13^2}", r"\left(\frac{\sqrt{3}}{49}\right)^6"),
    ],
)
def test_different_numbers_and_unknowns_are_found_different(one: str, other: str):
    assert same_closed_form(one, other) is False
    assert same_closed_form(other, one) is False


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"\sqrt{2}", "1.414214"),  # equal to six decimals: rounding is decided elsewhere
        ("1.5", r"1\frac12"),  # a mixed number or a product
        ("2", "1/2x"),
        ("2", "f(x)"),
        ("5", "x=5"),
        ("5", "5, 6"),
        ("5", r"\pm 5"),
        ("5", "2 3"),
        ("5", "x2"),
        ("f(x)", "f(y)"),
        ("abc", "cab"),  # words are no products
        ("2x+cat", "2x+act"),
        ("6", "n(n+1)"),  # n may be a function
        ("a_{n+1}", "a_{1+n}"),
        (r"\ln x^2", r"2\ln x"),  # for positive x alone
        ("5", r"\sin^{-1} 5"),
        ("x", r"\sqrt{x^2}"),
        ("0", r"\frac{0}{\sqrt[3]{16}-2\sqrt[3]{2}}"),  # no value
        (r"\sum_{k=0}^{n} k", r"\sum_{k=1}^{n} k"),
        ("1011_2", "1011_3"),
        ("5", "2i"),
        ("5", r"5\text{ m}"),
        ("5", r"\log 5"),
        ("5", r"\sqrt{-4}"),
        ("5", r"\frac{1}{0}"),
        ("5", "0^0"),
        ("5", "9^9^9"),
        ("5", "9^{99999}"),
        ("5", "(" * 30 + "4" + ")" * 30),
        ("5", "-\\sqrt{"),
        ("5", ""),
        ("5", "1e3"),
        ("5", "4,000"),
    ],
)
def test_what_is_in_doubt_is_not_settled(one: str, other: str):
    assert same_closed_form(one, other) is None
    assert same_closed_form(other, one) is None


NUMBERS = st.integers(1, 60).map(str)
FORMS = st.recursive(
    NUMBERS | NUMBERS.map(lambda n: rf"\sqrt{{{n}}}") | st.just(r"\pi"),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda p: rf"\frac{{{p[0]}}}{{{p[1]}}}"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]}+{p[1]})"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]}-{p[1]})"),
        st.tuples(inner, inner).map(lambda p: rf"{p[0]}\cdot {p[1]}"),
        inner.map(lambda p: f"({p})^2"),
    ),
    max_leaves=5,
)


@given(FORMS)
def test_the_value_of_a_formula_is_that_of_floating_point(text: str):
    formula = read_formula(text)
    if formula is None:
        return
    try:
        value = real_at(formula.tree)
    except NoValueError:
        return
    expected = floating(formula.tree)
    if expected is not None:
        assert math.isclose(value, expected, rel_tol=1e-6, abs_tol=1e-6)


def floating(tree: Any) -> float | None:
    """The value by Python's own floats; None where rounding may hide it."""
    kind = tree[0]
    if kind == "number":
        return float(tree[1])
    if kind == "constant":
        return math.pi
    if kind == "root":
        return None if (inner := floating(tree[1])) is None or inner < 0 else math.sqrt(inner)
    parts = [floating(part) for part in (tree[1] if kind in ("sum", "product") else tree[1:])]
    if any(part is None or abs(part) < 1e-3 or abs(part) > 1e6 for part in parts):
        return None
    return {
        "sum": math.fsum,
        "product": math.prod,
        "quotient": lambda pair: pair[0] / pair[1],
        "power": lambda pair: pair[0] ** pair[1],
    }[kind](parts)


def test_a_series_is_told_from_another_one():
    assert same_closed_form(r"\sum_{k=1}^{n} k", r"\sum_{k=1}^{n} 1k") is True
    assert same_closed_form(r"\sum_{k=1}^{n} k", r"\sum_{k=2}^{n} k") is None
    assert same_closed_form(r"\sum_{k=1}^{4} k", "11") is None  # a series is never called different


UNKNOWNS = st.sampled_from(["x", "y", "2", "3", "7", r"\frac{1}{2}", "0.25"])
ALGEBRA = st.recursive(
    UNKNOWNS,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from("+-"), inner, inner).map(lambda p: ("sum", *p)),
        st.tuples(inner, inner).map(lambda p: ("product", *p)),
        st.tuples(inner).map(lambda p: ("square", *p)),
        st.tuples(inner, st.sampled_from(["(x+3)", "y", "2", "(1+x^2)"])).map(lambda p: ("quotient", *p)),
    ),
    max_leaves=5,
)


def written(tree: object, rewrite: bool) -> str:
    """A tree as LaTeX; rewritten: terms and factors turned round, powers and quotients multiplied out."""
    if isinstance(tree, str):
        return tree
    kind, *parts = tree  # type: ignore[misc]
    if kind == "sum":
        a, b = (written(part, rewrite) for part in parts[1:])
        sign = parts[0]
        return f"(0{sign}({b})+{a})" if rewrite else f"(({a}){sign}({b}))"
    if kind == "quotient":
        a = written(parts[0], rewrite)
        return rf"(\frac{{1}}{{{parts[1]}}} \cdot ({a}))" if rewrite else rf"\frac{{{a}}}{{{parts[1]}}}"
    texts = [f"({written(part, rewrite)})" for part in parts]
    if kind == "square":
        return rf"({texts[0]} \cdot {texts[0]})" if rewrite else f"({texts[0]})^{{2}}"
    return rf"({texts[1]} \cdot {texts[0]})" if rewrite else rf"({texts[0]} \cdot {texts[1]})"


@given(ALGEBRA)
def test_a_formula_equals_itself_rewritten(tree: object):
    one, other = written(tree, False), written(tree, True)
    assert same_closed_form(one, other) is not False
    if read_formula(one) is not None and read_formula(other) is not None and len(one) < 80:
        assert same_closed_form(one, other) is True, (one, other)


@given(ALGEBRA, st.integers(1, 9))
def test_a_formula_is_not_itself_plus_a_number(tree: object, more: int):
    text = written(tree, False)
    assert same_closed_form(text, f"{written(tree, True)}+{more}") is not True
    if len(text) < 40:
        assert same_closed_form(text, f"{text}+{more}") in (False, None)


@pytest.mark.slow
@given(ALGEBRA, ALGEBRA, st.booleans())
@settings(max_examples=25)  # each may take a second of processor time, and a machine may be busy
def test_verdicts_are_those_of_math_verify(one: object, other: object, same: bool):
    gold, answer = written(one, False), written(one if same else other, True)
    ours = same_closed_form(gold, answer)
    if ours is None:
        return
    job = {"gold": [gold], "answer": [answer], "strict": True, "rounding": 6, "relations": False}
    try:
        theirs = pool().ask(job)
    except (TooHeavy, WorkerFault):
        return
    assert theirs.get("equal") is ours or "error" in theirs, (gold, answer, ours, theirs)


@given(FORMS, FORMS)
def test_equality_is_symmetric_and_a_form_equals_itself(one: str, other: str):
    assert same_closed_form(one, other) == same_closed_form(other, one)
    assert same_closed_form(one, one) is not False


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("25", r"7\sqrt{2}"),
        ("845", "No solution"),
        ("A", "(A) or (E)"),
        ("B", "(A), (B), and (C)"),
        (r"\sqrt8", r"2\sqrt2"),
    ],
)
def test_such_answers_take_no_worker(gold: str, answer: str):
    before = pool().jobs
    assert equivalent([gold], [answer], {})[0] is (gold == r"\sqrt8")
    assert pool().jobs == before


@pytest.mark.parametrize(("decimals", "equal"), [(1, True), (2, False), (6, False)])
def test_a_decimal_is_compared_at_the_precision_of_the_problem(decimals: int, equal: bool):
    before = pool().jobs
    assert equivalent([r"\sqrt{2}"], ["1.4"], {"precision": decimals})[0] is equal
    assert pool().jobs == before

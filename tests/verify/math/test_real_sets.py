"""A set of real numbers is one in every notation, and another one where an end or a bracket differs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from patience import problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.verify.judge import judge

OPENING, CLOSING = {"(": "<", "[": r"\le "}, {")": "<", "]": r"\le "}
ENDS = st.tuples(st.integers(-9, 0), st.integers(1, 9), st.sampled_from("(["), st.sampled_from(")]"))
FORMS = [
    "{o}{a},{b}{c}", r"\left{o}{a},\,{b}\right{c}", "{a}{l}{x}{r}{b}", "{b}{R}{x}{L}{a}",
    r"{x}{L}{a}\text{{ and }}{x}{r}{b}",
    "{a}{l}{x} and {x}{r}{b}", r"\{{{x}\mid {a}{l}{x}{r}{b}\}}", r"\{{{x}\in\mathbb{{R}} : {a}{l}{x}{r}{b}\}}",
    r"{x}\in {o}{a},{b}{c}", r"\left\{{ {x} \,|\, {a}{l}{x}{r}{b} \right\}}",
    r"\mathbb R\setminus((-\infty,{a}{A}\cup{B}{b},\infty))", r"{o}{a},\frac12{C}\bigcup {D}\frac12,{b}{c}",
]  # fmt: skip
OUTSIDE = [
    r"{x}{N}{a}\text{{ or }}{x}{M}{b}", r"(-\infty,{a}{A}\cup{B}{b},\infty)", r"\mathbb{{R}}\setminus {o}{a},{b}{c}",
    r"\{{{x} \mid {x}{N}{a} \lor {x}{M}{b}\}}", r"(-\infty,{a}{A} \bigcup {B}{b},+\infty)", r"{x}{M}{b} or {x}{N}{a}",
]  # fmt: skip


def written(form: str, a: int, b: int, o: str, c: str, x: str) -> str:
    left, right = OPENING[o], CLOSING[c]
    turned = {"<": ">", r"\le ": r"\ge "}
    beyond = {"<": r"\ge ", r"\le ": ">"}
    return form.format(
        a=a, b=b, o=o, c=c, x=x, l=left, r=right, L=turned[left], R=turned[right], M=beyond[right],
        N={"<": r"\le ", r"\le ": "<"}[left], A="]" if o == "(" else ")", B="[" if c == ")" else "(", C="]", D="(",
    )  # fmt: skip


@pytest.mark.parametrize("forms", [FORMS, OUTSIDE])
@given(ENDS, st.sampled_from(["x", "t", r"\theta "]), st.data())
@settings(max_examples=40)
def test_one_set_in_two_notations(forms: list[str], ends: tuple[int, int, str, str], x: str, data: st.DataObject):
    gold, answer = (data.draw(st.sampled_from(forms)) for _ in range(2))
    a, b, o, c = ends
    asked = problem("math", written(gold, a, b, o, c, x), question="Solve the inequality.")
    assert judge(asked, rf"\boxed{{{written(answer, a, b, o, c, x)}}}").correct
    others = [(a - 1, b, o, c), (a, b + 1, o, c), (a, b, "([".replace(o, ""), c), (a, b, o, ")]".replace(c, ""))]
    for other in others:
        assert not judge(asked, rf"\boxed{{{written(answer, *other, x)}}}").correct


@given(ENDS)
@settings(max_examples=20)
def test_two_coordinates_are_no_interval(ends: tuple[int, int, str, str]):
    a, b, *_ = ends
    asked = problem("math", f"({a},{b})", question="Find the coordinates of the point P.")
    assert not judge(asked, rf"\boxed{{{a}<x<{b}}}").correct
    for form in (
        "({a},{b})",
        "P({a},{b})",
        "P=({a},{b})",
        "P_1({a}, {b})",
        r"\text{{Vertex: }}({a},{b})",
        "Vertex: ({a},{b})",
    ):
        assert judge(asked, rf"\boxed{{{form.format(a=a, b=b)}}}").correct, form
        assert not judge(asked, rf"\boxed{{{form.format(a=b, b=a)}}}").correct, form


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        (r"(-\infty,0)\cup(0,\infty)", r"\mathbb{R}\setminus\{0\}", True),
        (r"(-\infty,0)\cup(0,\infty)", r"x\ne0", True),
        (r"(-\infty,0)\cup(0,\infty)", r"\mathbb{R}-\{0\}", True),
        (r"(-\infty,0)\cup(0,\infty)", r"\mathbb{R}", False),
        (r"(-\infty,\infty)", r"\text{all real numbers}", True),
        (r"(-\infty,\infty)", "all real numbers except 0", False),
        (r"\{1,2\}", r"\{x\mid x=1\text{ or }x=2\}", True),
        (r"\{1,2\}", r"\{x\mid x=1\text{ or }x=3\}", False),
        ("x<-2 or x>3", "x<-2 and x>3", False),
        ("1<x<2", "1<y<2", False),
        (r"\{2k\pi\mid k\in\mathbb{Z}\}", r"\{2\pi k : k\in\mathbb Z\}", True),
        (r"\{2k\pi\mid k\in\mathbb{Z}\}", r"\{2\pi k : k\in\mathbb N\}", False),
    ],
)
def test_differences_and_families(gold: str, answer: str, right: bool):
    assert judge(problem("math", gold), rf"\boxed{{{answer}}}").correct is right

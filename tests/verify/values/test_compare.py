"""In which questions an angle may be answered in degrees, in every language and however short they are."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patience import problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.verify.judge import judge
from vlrl.verify.values.compare import says_nothing

ASK_AN_ANGLE = [
    "Find $m\\angle {}$.", "$\\angle {}=$?", "∠{} = ?", "Find \\measuredangle {}.", "求∠{}的度数。", "如图，求角{}。",
    "Quel est l'angle {} ?",
    "Find m\\widehat{{{}}}.", "Find the measure of arc {}.", "Arc {}?", "Welcher Winkel {}?", "угол {}?",
    "∠{}の大きさは?",
    "각 {}의 크기는?", "¿Cuánto mide el ángulo {}?", "Find $\\theta$ at {}.", "弧{}的度数",
]  # fmt: skip
IN_DEGREES = ["{}°", "{}^\\circ", "{}^{{\\circ}}", "{} degrees", "{}\\text{{ deg}}", "{}度", "{}\\degree"]
NAMED = ["{}", "x = {}", "\\angle ABC = {}", "m\\angle ABC = {}", "\\measuredangle A={}", "\\angle A=\\angle B={}"]


@given(st.integers(1, 359), st.sampled_from(ASK_AN_ANGLE), st.sampled_from(IN_DEGREES), st.sampled_from(["ABC", "1"]))
@pytest.mark.parametrize("verifier", ["math", "number"])
def test_degrees_are_the_bare_gold_where_an_angle_is_asked(verifier, size, question, form, name):
    asked = problem(verifier, str(size), question=question.format(name))
    for named in NAMED:
        assert judge(asked, f"\\boxed{{{named.format(form.format(size))}}}").correct
        assert not judge(asked, f"\\boxed{{{named.format(form.format(size + 1))}}}").correct


@pytest.mark.parametrize(
    "question", ["How many apples?", "Find the area.", "有几个苹果?", "求长方体的体积和表面积。", "Find x.", ""]
)
def test_degrees_are_another_value_where_none_is_asked(question):
    for verifier, form in itertools.product(("math", "number"), IN_DEGREES):
        assert not judge(problem(verifier, "50", question=question), f"\\boxed{{{form.format(50)}}}").correct


@pytest.mark.parametrize("question", ["Find ∠A.", "求阴影部分的面积和周长之比", "有几个？", "Find the area."])
def test_a_short_question_says_something_where_it_names_what_is_measured(question):
    assert not says_nothing(question)
    assert says_nothing("What is it?")
    assert says_nothing("求值")

r"""LaTeX arithmetic is computed by a parser of ours; nothing that a model writes is ever run."""

from __future__ import annotations

import math
import time

import pytest

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.types import Problem, Text
from vlrl.verify.judge import judge
from vlrl.verify.official import mathvision
from vlrl.verify.official.latex_number import latex_to_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("1,234.5", 1234.5),
        (".5", 0.5),
        ("$\\frac{1}{3}$", 1 / 3),
        ("\\dfrac{2}{4}", 0.5),
        ("2\\frac{1}{2}", 1.0),  # a product, as latex2sympy reads it
        ("6\\sqrt{3}+4\\pi", 6 * math.sqrt(3) + 4 * math.pi),
        ("\\sqrt[3]{8}", 2.0),
        ("2(\\sqrt{2}-1)", 2 * (math.sqrt(2) - 1)),
        ("\\frac{7^3}{2^{12} 13^2}", 343 / (4096 * 169)),
        ("-2^2", -4),
        ("2^2^3", 64),
        ("--3", 3),
        ("2^{-1}", 0.5),
        ("1/2/4", 0.125),
        ("1:2", 0.5),
        ("4!", 24),
        ("50\\%", 0.5),
        ("\\binom{5}{2}", 10),
        ("\\sin(0)", 0.0),
        ("\\log_2{8}", 3.0),
        ("e^2", math.exp(2)),
        ("x=3", 3),
        ("17)", 17),
        ("3\\cdot10^{2}", 300),
    ],
)
def test_value_of_an_expression(text, value):
    assert latex_to_number(text) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "12cm",
        "3x",
        "five",
        "1,23",
        "3<4",
        "|3|",
        "2^-1",
        "3*",
        "*3",
        "(3",
        "\\frac12",
        "\\sqrt2",
        "\\frac{1}{0}",
        "\\sqrt{-1}",
        "(-8)^{1/3}",
        "1e5",
        "\\infty",
        "__import__",
        "9**9",
        "π",
        "\\!3",
        "\\sin(",
        "\\alpha",
    ],
)
def test_text_without_a_value(text):
    assert latex_to_number(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "9^{9^{9^9}}",
        "9^9^9^9^9^9",
        "400!!",
        "(" * 400 + "1" + ")" * 400,
        "2^{" * 200 + "2" + "}" * 200,
        "9" * 10**6,
        "1/" * 450 + "3" * 10,
        "\\sqrt{" * 100 + "2" + "}" * 100,
        "-" * 999 + "1",
        "\\binom{99999}{50000}",
        "10^{400}\\cdot1.5",
    ],
)
def test_hostile_expressions_end_at_once(text):
    start = time.perf_counter()
    latex_to_number(text)
    assert time.perf_counter() - start < 0.2


@pytest.mark.parametrize(
    "text", ["10^{400}", "-10^{400}", "2^{2000}", "300!", r"\frac{10^{400}}{3}", r"\binom{400}{200}10^{300}"]
)
def test_a_number_beyond_floats_is_none_and_ends_nothing(text: str):
    assert latex_to_number(text) is None
    assert not mathvision.is_right("7", [], mathvision.extract(f"The answer is $\\boxed{{{text}}}$"))
    asked = Problem((Text("?"),), "A", "mathvision", "text", "test", metadata={"choices": ["7", "8", text]})
    assert judge(asked, f"\\boxed{{{text}}}").fault is None

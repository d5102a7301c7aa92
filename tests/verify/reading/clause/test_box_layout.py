r"""How a box is set (in which delimiters, with which spaces and breaks) changes no verdict."""

from __future__ import annotations

import itertools

import pytest
from patience import problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.verify.judge import judge

LEADS = (
    "Therefore, the area is", "The answer is", "So we have", "the final answer is:", "Hence", "We get x =", "=",
    "**Answer:**", "The degree measure of angle ABC is", "equals", "2 + 8 =", "",
)  # fmt: skip
DELIMITERS = (("\\(", "\\)"), ("\\[", "\\]"), ("$", "$"), ("$$", "$$"), ("", ""))
BEFORE, AFTER = ("", " ", "\n", "  ", "\n\n"), ("", " ", "\n", ".", " .")
TAILS = ("", ".", "\n", " \n\nI checked it.", "\n\nThis completes the solution.")
LAYOUTS = list(itertools.product(LEADS, DELIMITERS, BEFORE, AFTER, TAILS))
VALUES = [  # verifier, gold, right, wrong, metadata
    ("math", "10", "10", "11", {}),
    ("number", "10", "10", "11", {}),
    ("math", "x+1", "1+x", "x-1", {}),
    ("math", r"\frac{3}{4}", "0.75", r"\frac{3}{5}", {}),
    ("math", "(2, 5)", "(2,5)", "(5,2)", {}),
    ("choice", "145", "C", "B", {"choices": ["135", "140", "145", "150"]}),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{value[0]} {value[1]}")
def test_a_box_says_the_same_in_every_layout(value):
    verifier, gold, right, wrong, metadata = value
    of = problem(verifier, gold, question="How large is it?", **metadata)
    for n, (lead, (opened, closed), before, after, tail) in enumerate(LAYOUTS):
        if n % len(VALUES) != VALUES.index(value) and (lead, tail) != (LEADS[0], "."):
            continue  # each value a share of all layouts, and all of one lead
        for said, expected in ((right, True), (wrong, False)):
            text = f"We compute it.\n\n{lead} {opened}{before}\\boxed{{{said}}}{after}{closed}{tail}"
            verdict = judge(of, text)
            assert verdict.correct is expected, (text, verdict)

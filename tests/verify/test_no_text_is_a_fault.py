"""Whatever a policy writes is judged: a verifier that raises would take the response out of the baseline."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlrl.types import Problem, Text
from vlrl.verify.judge import judge

PIECES = [
    *"0123456789+-=.,/%$()[]{}^_|~'\"\\<>?!:;#@& \n",
    *("½", "²", "×", "÷", "−", "π", "°", "\ufffd", "七", "一百", "٣", "７"),
    *("<answer>", "</answer>", "<think>", "</think>", "\\frac{", "\\sqrt{", "\\boxed{", "\\text{", "}{", "$$", "**"),
    *(" minus ", "minus", "negative", " hundred ", "seven", " and ", " is ", " answer ", "half of ", " or ", " not "),
    *("A", "(B)", "option ", "x", "x=", "pi", "million", " cm", " km/h", "3:45", "quarter to ", "2023-12-25", "1e9"),
]
ASKED = [
    ("number", "7", {}),
    ("math", "\\frac{1}{2}", {}),
    ("text", "blue", {}),
    ("choice", "B", {"choices": ["red", "blue", "green"]}),
    ("list", "1, 2", {}),
    ("time", "10:30", {}),
    ("mathvista", "8", {"question_type": "free_form", "answer_type": "integer"}),
]


@pytest.mark.parametrize(("verifier", "gold", "metadata"), ASKED, ids=[name for name, _, _ in ASKED])
@settings(max_examples=250, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=14), told=st.booleans())
def test_no_response_is_a_fault(verifier, gold, metadata, pieces, told):
    written = "".join(pieces)
    problem = Problem((Text("How many are there?"),), gold, verifier, "text", "tests", metadata)
    assert judge(problem, f"<answer>{written}</answer>" if told else written).fault is None


@pytest.mark.parametrize(
    "written", ["minus", "minus ", "minus-", "negative", "- minus", "minus minus", "minus minus 7"]
)
def test_a_sign_in_words_without_a_number_is_no_number(written):
    problem = Problem((Text("How many?"),), "7", "number", "text", "tests")
    verdict = judge(problem, written)
    assert verdict.fault is None
    assert not verdict.correct

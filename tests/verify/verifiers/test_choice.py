"""The verifier `choice`: letters, texts, reordered options."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patience import answered, problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.verify.judge import judge

OPTIONS = ["135°", "140°", "145°", "150°"]


def score(answer: str, gold: str = "145°", choices: list[str] | None = OPTIONS) -> float:
    metadata = {} if choices is None else {"choices": choices}
    return judge(problem("choice", gold, **metadata), answered(answer)).score


@pytest.mark.parametrize(
    "answer",
    [
        "C",
        "c",
        "(C)",
        "C.",
        "C)",
        "C:",
        "Option C",
        "option (C)",
        "**C**",
        "$C$",
        "\\text{C}",
        "[C]",
        "145°",
        "145",
        "(C) 145°",
        "C. 145°",
        "C: 145°",
        "C, 145°",
        "The answer is C",
        "the answer is (C) 145°",
        " C ",
    ],
)
def test_letter_and_text_are_the_option(answer: str):
    assert score(answer) == 1
    assert score(answer, gold="C") == 1


@pytest.mark.parametrize(
    "answer", ["A", "140°", "(B) 145°", "C. 140°", "A or C", "C, D", "E", "all", "145°, 150°", "CC", "45"]
)
def test_other_options_and_mixtures_are_not(answer: str):
    assert score(answer) == 0


def test_without_option_texts_letters_up_to_j_count():
    assert score("(B)", "B", None) == 1
    assert score("A", "B", None) == 0
    assert score("Z", "B", None) == 0


def test_options_that_are_letters_in_another_order_leave_a_bare_letter_ambiguous():
    assert score("A", "A", ["B", "A"]) == 0
    assert score("(B) A", "A", ["B", "A"]) == 1
    assert score("A", "A", ["A", "B"]) == 1


def test_two_options_with_one_text_are_one_option():
    assert score("D", "15", ["15", "100", "50", "15"]) == 1


def test_a_gold_that_is_no_option_is_a_fault():
    assert judge(problem("choice", "nothing", choices=OPTIONS), answered("C")).fault is not None


@pytest.mark.parametrize(
    ("response", "right"),
    [
        ("The correct answer is **(C) 145°**.\n\nSince O is the centre, the angle is 145°.", True),
        ("The angle is 145°.", True),
        ("No, because 140° is too small. Therefore, option C is right.", True),
        ("It is (C) or (D).", False),
        ("It is not (C).", False),
        ("The answer is (B). So the answer is (C).", False),
    ],
)
def test_prose_counts_where_it_commits_to_one_option(response: str, right: bool):
    assert judge(problem("choice", "145°", choices=OPTIONS), response).correct is right


@given(st.permutations(["red", "dark red", "blue", "7", "seven of nine"]), st.integers(0, 4), st.randoms())
def test_the_verdict_follows_the_text_when_options_are_reordered(options: list[str], index: int, rng: random.Random):
    gold = options[index]
    letter = "ABCDE"[index]
    for form in (letter, f"({letter})", gold, f"({letter}) {gold}", f"{letter}. {gold}"):
        assert score(form, gold, options) == 1, form
    other = rng.choice([i for i in range(5) if i != index])
    for form in ("ABCDE"[other], options[other], f"({letter}) {options[other]}", f"{letter} or {'ABCDE'[other]}"):
        assert score(form, gold, options) == 0, form


PLANETS = ["Mercury", "Venus", "Earth", "Mars"]
PLANET = "Which planet is shown?\n(A) Mercury\n(B) Venus\n(C) Earth\n(D) Mars"


@pytest.mark.parametrize(
    "response",
    ["La bonne réponse est la @.", "La respuesta correcta es la @.", "A resposta correta é a letra @.",
     "Richtig ist @.",
     "A alternativa correta é a @.", "故选:@", "因此选项@正确。", "[[@]]", "Final: @", "The answer is @ (not &).",
     "The image shows the planet %.", "It isn't #; it is %.", "The planet shown is not #, it is %.",
     "This is %."],
)  # fmt: skip
def test_prose_names_an_option_in_any_language(response: str):
    for index, letter in enumerate("ABCD"):
        other = (index + 1) % 4
        said = response.replace("@", letter).replace("%", PLANETS[index])
        said = said.replace("#", PLANETS[other]).replace("&", "ABCD"[other])
        verdict = judge(problem("choice", letter, PLANET, choices=PLANETS), said)
        assert verdict.correct, (said, verdict)
        assert not judge(problem("choice", "ABCD"[other], PLANET, choices=PLANETS), said).correct


@pytest.mark.parametrize(
    "response",
    ["I'll pick D at random.", "My second choice is D.", "My next guess is D.", "It is not Mars.",
     "D (not sure)",
     "It isn't Mars; it is not Venus.", "选项D不正确。", "Richtig ist nicht D."],
)  # fmt: skip
def test_prose_that_does_not_choose_names_none(response: str):
    assert not judge(problem("choice", "D", PLANET, choices=PLANETS), response).correct

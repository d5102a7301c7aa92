"""Commitment: what is hedged, denied, heard or taken back earns nothing; what is stated plainly counts."""

from __future__ import annotations

import pytest
from attack_set import is_clean
from patience import answered, problem
from second_thoughts import HEDGED

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.verify.judge import judge

ANGLES = {"choices": ["135°", "140°", "145°", "150°"]}
ANIMALS = {"choices": ["cat", "dog", "not enough information", "no", "false"]}
FREE = {"question_type": "free_form", "answer_type": "integer"}
CHOSEN = {"question_type": "multi_choice", "answer_type": "text", "choices": ["dog", "cat", "mouse"]}
KITS = {
    "number": ("6", "6", "7", {}),
    "choice": ("a red ball", "a red ball", "a blue cube", {"choices": ["a blue cube", "a red ball", "nothing"]}),
    "choice by letter": ("B", "(B)", "(A)", {}),
    "math": ("6", "6", "7", {}),
    "math tuple": ("(1,2)", "(1,2)", "(2,1)", {}),
    "text": ("red", "Red", "blue", {}),
    "list": ("[3, 5]", "[3, 5]", "[5, 3]", {}),
    "time": ("3:45", "3:45", "9:15", {}),
    "box": ("[10, 10, 50, 50]", "[10, 10, 50, 48]", "[40, 40, 90, 90]", {}),
    "box in JSON": ("[10, 10, 50, 50]", '{"bbox_2d": [10, 10, 50, 48]}', '{"bbox_2d": [40, 40, 90, 90]}', {}),
    "box in tokens": ("[10, 10, 50, 50]", "<box>(10,10),(50,48)</box>", "<box>(40,40),(90,90)</box>", {}),
    "boxes": ("[[10, 10, 50, 50]]", "[[10, 10, 50, 48]]", "[[40, 40, 90, 90]]", {}),
    "point": ("(20, 20)", "(21, 20)", "(60, 20)", {"radius": 2}),
    "point in XML": ("(20, 20)", '<point x="21" y="20">cat</point>', '<point x="60" y="20">cat</point>', {"radius": 2}),
    "mathvista": ("6", "6", "7", FREE),
    "mathvista choice": ("cat", "(B)", "(A)", CHOSEN),
    "mmmu": ("B", "B", "A", {"choices": ["dog", "cat", "mouse"]}),
    "tabmwp": ("6", "6", "7", {}),
}


@pytest.mark.parametrize("kit", KITS)
def test_what_commits_to_nothing_earns_nothing(kit: str):
    gold, right, wrong, metadata = KITS[kit]
    asked = problem(kit.split()[0], gold, **metadata)
    responses = [template.replace("{R}", right).replace("{W}", wrong) for template in HEDGED]
    taken = [response for response in responses if not is_clean(judge(asked, response))]
    assert not taken, taken


@pytest.mark.parametrize(
    "answer",
    [
        "6ish", "6f", "6 pm", "6'", "6‰", "6\u0336", "6\u20e3", "6-", "6e0.5", "6 and a half", "6:1", "1:6",
        "six tenths",
        "a sixth", "6 per 7", "not 5",
        "5 is wrong", "Ⅵ", "6₂", "6π", "6\\in S", "|6|", "\\sqrt{36}", "6.2.1", "- -6",
    ],
)  # fmt: skip
def test_what_only_looks_like_the_number_is_not(answer: str):
    for response in (answered(answer), answer, f"The answer is {answer}"):
        assert is_clean(judge(problem("number", "6"), response)), response


@pytest.mark.parametrize(
    ("verifier", "gold", "metadata", "responses"),
    [
        (
            "number",
            "6",
            {},
            [
                "There are 6 cards in the image.",
                "There are six cards.",
                "It's 6.",
                "I count 6 apples.",
                "In all, he needs 6 more.",
                "### Final Answer\n6",
                "The answer is 6, because 3+3=6.",
                "The answer is 6.\n\nExplanation: 3 + 3 = 6.",
                "I believe the answer is 6.",
                "Since 2 is not enough, the answer is 6.",
                "$\\boxed{6}$ apples",
                "\\boxed{6} \\mathrm{~cm}^{2}\\).",
                "The answer is \\boxed{6} because there are 3 red and 3 blue cards.",
                "<answer>6</answer> I hope this helps!",
                "<answer>6</answer>\nThe answer is 6 cards.",
                'Here it is:\n```json\n{"answer": 6}\n```',
                "6 is the answer.",
            ],
        ),
        (
            "choice",
            "145°",
            ANGLES,
            [
                "C. 145°",
                "The correct option is C.",
                "I choose C.",
                "C is the correct answer.",
                "The answer is C because A is too small.",
                "\\boxed{\\text{C}}",
                "Therefore, the correct choice is (C).",
            ],
        ),
        ("choice", "cat", ANIMALS, ["It is a cat.", "The image shows a cat.", "A cat."]),
        ("choice", "not enough information", ANIMALS, ["There is not enough information."]),
        ("choice", "false", ANIMALS, ["The statement is false."]),
        ("math", "2\\sqrt{3}", {}, ["2√3", "√12"]),
        ("math", "\\pi", {}, ["pi", "π"]),
        ("math", "$x \\neq 5$", {}, ["The solution is $x != 5$"]),
        ("math", "9", {}, ["$3 \\equiv \\boxed{9} \\pmod{11}.$"]),
        (
            "math",
            "\\begin{pmatrix}1\\\\2\\end{pmatrix}",
            {},
            ["\\begin{pmatrix}1\\\\2\\end{pmatrix}", "\\begin{bmatrix} 1 \\\\ 2 \\end{bmatrix}"],
        ),
        ("mathvista", "cat", CHOSEN, ["\\boxed{\\text{(B) }}", "The animal is most likely a **cat** (B)."]),
    ],
)
def test_what_is_stated_plainly_counts(verifier: str, gold: str, metadata: dict[str, object], responses: list[str]):
    lost = [r for r in responses if not judge(problem(verifier, gold, **metadata), r).correct]
    assert not lost, lost


def test_a_set_is_no_tuple_and_another_base_is_another_number():
    assert not judge(problem("math", "(1,2)"), answered("\\{1,2\\}")).correct
    assert not judge(problem("math", "6"), answered("6_{7}")).correct


def test_a_box_with_two_sets_of_coordinates_is_none():
    twice = '{"bbox_2d": [10, 10, 50, 50], "bbox": [0, 0, 1, 1]}'
    assert not judge(problem("box", "[10, 10, 50, 50]"), answered(twice)).correct

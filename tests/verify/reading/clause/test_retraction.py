"""An answer that a later sentence discards, calls wrong or replaces is none; what explains it changes nothing."""

from __future__ import annotations

import itertools

import pytest
from patience import problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.verify.judge import judge

ASKED = "Find the area of the triangle."
ANSWERS = (r"\boxed{V}", r"The area is $\boxed{V}$", "<answer>V</answer>", "The answer is V")
VALUES = (("12", "14"), ("7.5", "15"), ("1200", "120"), ("36", "63"))

TAKEN_BACK = (
    "Disregard that.", "Forget it.", "Ignore the above.", "Cancel that answer.", "Strike that.", "Scratch this.",
    "Never mind.",
    "I withdraw this.", "I retract my answer.", "Please discard the previous result.", "Don't trust this.",
    "Delete the box.",
    "That can't be right.", "This is wrong.", "It isn't correct.", "That was a mistake.", "This was only an example.",
    "The above is a placeholder.", "This is just a guess.", "But that is impossible.", "My answer is false.",
    "It doesn't add up.",
    "Das ist falsch.", "Das stimmt nicht, das ist ein Fehler.", "C'est faux.", "Cela est incorrect.",
    "Eso es incorrecto.",
    "Isso está errado.", "Это неверно.", "Это ошибка.", "这是错误的。", "不对。", "这个答案是错的。",
    "これは間違いです。", "틀렸습니다.", "هذا خطأ.", "Moment, das stimmt nicht.", "Ich habe mich verrechnet.",
    "Espera, me equivoqué.", "Non, je me suis trompé.", "Нет, я ошибся.", "Aliás, errei.", "我算错了。",
    "いや、違います。",
    "So the area is W.", "Therefore, the area is W.", "The real area is W.", "Hence, the area equals W.",
    "Rechecking: the area is W.",
    "However, this neglects the height. The area equals W.", "Let me recompute: it's W.", "Upon review, we get W.",
    "Area = W",
    "So the area of the triangle is W.", "Hence, A = 3 + 5 = W", "The correct value is W.", "Recalculating gives = W.",
)  # fmt: skip
LEFT_STANDING = (
    "This is the area of the triangle.", "Check: the base is 6 and the height is 4.", "The area of the rectangle is W.",
    "The half of twice the value is V.", "Alternatively, using Heron's formula, the area is also V.",
    "I hope this helps!",
    "Note: W would be wrong because it's the area of the rectangle.", "So the area is V.",
    "Let me double-check: 3 + 5 = 8, so it fits.",
    "Recomputing it gives V.", "The perimeter would be W.", "That is the final answer.", "It is correct.",
    "It is easy to verify.",
    "Explanation: the height is W.", "The base is W.", "Don't forget the units.", "这是三角形的面积。",
    "Das ist richtig.",
    "C'est correct.", "No side is negative.", "No other value fits.", "Dies ist kein Näherungswert.",
    "The other triangle has an area of W.",
)  # fmt: skip


def responses(tails: tuple[str, ...], joints: tuple[str, ...]) -> list[tuple[str, str]]:
    """(value, response) of every answer, later text and way to join them."""
    return [
        (value, answer.replace("V", value) + joint + tail.replace("V", value).replace("W", other))
        for answer, tail, (value, other), joint in itertools.product(ANSWERS, tails, VALUES, joints)
    ]


def is_right(value: str, response: str) -> bool:
    verdict = judge(problem("math", value, ASKED), response)
    assert verdict.fault is None, verdict.fault
    return verdict.correct


@pytest.mark.parametrize("joint", [". ", "\n\n"])
def test_what_is_taken_back_later_is_no_answer(joint: str):
    taken = [response for value, response in responses(TAKEN_BACK, (joint,)) if is_right(value, response)]
    assert not taken, (len(taken), taken[:20])


@pytest.mark.parametrize("joint", [". ", "\n\n"])
def test_what_explains_an_answer_leaves_it_standing(joint: str):
    lost = [response for value, response in responses(LEFT_STANDING, (joint,)) if not is_right(value, response)]
    assert not lost, (len(lost), lost[:20])

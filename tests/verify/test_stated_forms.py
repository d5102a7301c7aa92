"""Forms in which models state an answer, and what looks like one and states something else.

Every template is tried with several values ({v}; {o} is another value), so that no form counts for one number alone.
"""

from __future__ import annotations

import pytest
from patience import problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.verify.judge import judge

LEFT = "How many objects are left?"
GAP = "What is the age gap between these two people?"
LENGTH = "What is the length of AB?"
INTEGER = {"question_type": "free_form", "answer_type": "integer"}
ANIMALS = ["cat", "dog", "mouse", "horse"]
NUMBERS = [("6", "7"), ("8", "12"), ("31", "3")]


def verdict(verifier: str, gold: str, response: str, question: str, metadata: dict[str, object]) -> bool:
    found = judge(problem(verifier, gold, question, **metadata), response)
    assert found.fault is None, found.fault
    return found.correct


def templates(*texts: str) -> list[str]:
    return list(texts)


OTHER_THINGS = templates(
    "{v} more objects are needed", "There are {v} more red objects than blue ones.", "{v} fewer objects than before.",
    "He is {v} objects short.", "{v} objects less.", "We need {v} additional objects.", "There are {v} other objects.",
    "{v} extra objects.", "Another {v} objects are missing.", "There are {v} too many.",
    "A {v}", "B: {v}", "No. {v}", "({v}", "{v})", "[{v}", "nr. {v}", "Q: {v}", "D. {v}", "a. {v}", "#{v}", "№ {v}",
    "Step {v}", "page {v}", "Fig. {v}", "approx. {v}", "ca. {v}", "{v}% of {v}", "2AB = {v}", "AB^2 = {v}",
    "\\sqrt{{AB}} = {v}", "AB/2 = {v}", "{v} in the first image, {o} in the second.",
    "至少{v}个", "不到{v}个", "{v}个以上", "más de {v}", "plus de {v}", "über {v} oder mehr", "{v} bis {o}",
)  # fmt: skip


@pytest.mark.parametrize("verifier", ["number", "math"])
@pytest.mark.parametrize("said", OTHER_THINGS)
def test_a_number_of_something_else_is_no_answer(verifier: str, said: str):
    taken = [v for v, o in NUMBERS if verdict(verifier, v, said.format(v=v, o=o), LEFT, {})]
    assert not taken


@pytest.mark.parametrize("asked", ["How many more objects are needed?", "How many additional objects?", "What is it?"])
def test_a_difference_counts_where_one_is_asked(asked: str):
    said = "We need {} additional objects." if "additional" in asked else "{} more objects are needed."
    assert verdict("number", "8", said.format(8), asked, {})
    assert not verdict("number", "7", said.format(8), asked, {})


NUMBER_FORMS = templates(
    "{v}", "= {v}", "→ {v}", "It's {v}!", "There are {v} objects left!", "So {v} objects!", "That makes {v}!",
    "Total: {v}", "Objects left: {v}", "**{v}**", "\\(\\boxed{{{v}}}\\)", "### Final Answer:\n\n**{v}**",
    "**Final Answer**: {v}", "The final answer is ${v}$. I hope it is correct.", '{{"answer": {v}}}',
    "The answer is {v}, because the others were taken away.", "| object | left |\n| all | {v} |\n\nAnswer: {v}",
    "({v})", "Answer = {v}", "答案：{v}", "还剩{v}个。", "残りは{v}個です。", "정답: {v}",
    "Il en reste {v}.", "Quedan {v}.",
)  # fmt: skip


@pytest.mark.parametrize("verifier", ["number", "math", "mathvista"])
@pytest.mark.parametrize("said", NUMBER_FORMS)
def test_a_number_as_models_write_it_counts(verifier: str, said: str):
    for v, o in NUMBERS:
        assert verdict(verifier, v, said.format(v=v), LEFT, INTEGER), v
        assert not verdict(verifier, o, said.format(v=v), LEFT, INTEGER), o


@pytest.mark.parametrize(
    "said",
    [
        "making the age gap {v} years", "This makes the age gap {v} years.",
        "The man is 70 and the woman 50, making the age gap {v} years.",
        "He was born in 1940 and she later, which makes the gap {v} years.", "There is a gap of {v} years.",
    ],
)  # fmt: skip
def test_an_object_may_be_named_before_its_number(said: str):
    for v, o in NUMBERS:
        assert verdict("mathvista", v, said.format(v=v), GAP, INTEGER), v
        assert not verdict("mathvista", o, said.format(v=v), GAP, INTEGER), o


def test_a_length_has_a_unit_of_length_and_no_other():
    for unit, right in (("cm", True), ("units", True), ("m", True), ("m²", False), ("cm^3", False), ("kg", False)):
        assert verdict("mathvista", "3", f"The length is 3 {unit}.", LENGTH, INTEGER) is right, unit
    assert verdict("number", "3", "3 m²", "What is the area of the square?", {})
    assert not verdict("number", "3", "3 m", "What is the area of the square?", {})


TIMES = templates(
    "{} ago", "in {}", "{} later", "for {}", "{} before noon", "{} past", "after {}", "{} left", "it takes {}",
    "{} minutes", "{} hours", "{}/4", "until {}", "since {}", "lasting {}", "{} old",
)  # fmt: skip


@pytest.mark.parametrize("said", TIMES)
def test_a_span_of_time_is_no_time_of_day(said: str):
    for written in ("3:45", "10:20"):
        assert not verdict("time", written, said.format(written), "What time is it?", {})


@pytest.mark.parametrize("said", ["3h45min", "3 h 45 min", "3 hours 45 minutes", "3:45, 9:15", "3:45; 9:15"])
def test_a_duration_and_two_times_are_no_time(said: str):
    for response in (said, f"The answer is {said}."):
        assert not verdict("time", "3:45", response, "What time is it?", {})


@pytest.mark.parametrize(
    "said",
    [
        "3:45", "It's 3:45!", "3:45 Uhr", "3.45 Uhr", "3 Uhr 45", "3點45分", "3:45 on the clock",
        "The clock shows 3:45.",
        "The answer is 3:45 (quarter to four).", "The answer is 3:45, because the short hand is before four.",
    ],
)  # fmt: skip
def test_a_time_as_it_is_said_counts(said: str):
    assert verdict("time", "3:45", said, "What time is it?", {})
    assert not verdict("time", "4:45", said, "What time is it?", {})


@pytest.mark.parametrize("verifier", ["choice", "mmmu", "mathvision", "mathvista"])
@pytest.mark.parametrize(
    "said",
    [
        "答案{}", "【答案】{}", "答案：{}", "{}。", "选{}", "所以选{}。", "the answer is option {}.\nAnswer:{}",
        "{} is correct.", "**Answer:** {}", "Final Answer: ({})", "A resposta correta é {}.", "答えは{}です。",
        "정답: {}",
    ],
)  # fmt: skip
def test_a_letter_as_models_write_it_counts(verifier: str, said: str):
    metadata = {"question_type": "multi_choice", "answer_type": "text", "choices": ANIMALS}
    for place, letter in enumerate("ABCD"):
        for gold, text in enumerate(ANIMALS):
            right = verdict(verifier, text, said.replace("{}", letter), "Which animal is it?", metadata)
            assert right is (gold == place), (letter, text)


@pytest.mark.parametrize("said", ["不选{}", "不是{}", "没选{}", "排除{}", "除了{}", "{}错误", "{}不对", "答案不是{}"])
def test_a_letter_that_is_denied_in_chinese_is_no_answer(said: str):
    for letter in "ABCD":
        assert not verdict("choice", letter, said.format(letter), "?", {"choices": ANIMALS})


def test_braces_are_a_set_where_latex_does_not_drop_them():
    for said, right in (("{1,2}", False), ("<answer>{1, 2}</answer>", False), ("(1,2)", True), ("1, 2", True),
                        ("2, 1", False), ("${1,2}$", True), ("\\{1,2\\}", False)):  # fmt: skip
        assert verdict("math", "(1,2)", said, "?", {}) is right, said
    assert verdict("math", "\\{1,2\\}", "{2,1}", "?", {})


def test_values_joined_by_and_are_a_list():
    for said in ("1 and 2", "1\\text{ and }2", "\\boxed{2 \\text{ and } 1}", "2 and 1"):
        assert verdict("math", "1, 2", said, "Solve.", {}), said
        assert not verdict("math", "1, 3", said, "Solve.", {}), said


def test_one_letter_written_twice_is_one_answer():
    for said in ("the answer is option B.\nAnswer:B", "Answer: (B)\nThe answer is B."):
        assert verdict("math", "B", said, "?", {})
        assert not verdict("math", "A", said, "?", {})


@pytest.mark.parametrize(
    "said", ["*{}*", "_{}_", "«{}»", "「{}」", "the {}", "“{}”", "It is the {}.", "Final answer: **{}**"]
)
def test_a_text_in_any_quotes_counts(said: str):
    for gold in ("Eiffel Tower", "blue whale"):
        assert verdict("text", gold, said.format(gold), "What is shown?", {})
        assert not verdict("text", gold, said.format("Big Ben"), "What is shown?", {})


def test_the_correct_choice_is_a_declaration_of_an_option():
    costs = {"choices": ["$2,001", "$7,003", "$1,631"]}
    for said in (
        "The answer is \\( \\text{C. } 1,631 \\).",
        "The answer is approximately 1630.97. Therefore, the correct choice is:\n\n**C. $1,631**",
        "The best option is (C).",
    ):
        assert verdict("choice", "$1,631", said, "What does it cost?", costs), said
        assert not verdict("choice", "$2,001", said, "What does it cost?", costs), said
    for said in ("The correct choice is not C.", "The best option is B or C.", "The correct choice is B, no, C."):
        assert not verdict("choice", "$1,631", said, "What does it cost?", costs), said

"""Options in every usual form are the same options; a gold means one of them, or the row is refused by name."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from vlrl.data.choices.gold_choice import gold_of
from vlrl.data.choices.option_forms import options_in, read_options
from vlrl.data.choices.options import Options
from vlrl.data.rows.row_to_problem import RowReader
from vlrl.data.source_settings import FileSourceSettings
from vlrl.errors import BadRowError
from vlrl.types import Problem
from vlrl.verify.judge import judge

PLAIN = ["dark red", "blue", "green"]
FORMS: dict[str, Any] = {
    "list": PLAIN,
    "labelled list": ["A. dark red", "B. blue", "C. green"],
    "bracketed list": ["(A) dark red", "(B) blue", "(C) green"],
    "colon list": ["A: dark red", "B: blue", "C: green"],
    "small letters": ["a) dark red", "b) blue", "c) green"],
    "digits": ["1. dark red", "2. blue", "3. green"],
    "object": dict(zip("ABC", PLAIN, strict=True)),
    "object in another order": {"C": "green", "A": "dark red", "B": "blue"},
    "object with nulls of Arrow": {**dict(zip("ABC", PLAIN, strict=True)), "D": None, "E": None},
    "object of digits": dict(zip("012", PLAIN, strict=True)),
    "texts and labels": {"text": PLAIN, "label": ["A", "B", "C"]},
    "objects": [{"label": label, "text": text} for label, text in zip("ABC", PLAIN, strict=True)],
    "objects with keys": [{"key": label, "value": text} for label, text in zip("ABC", PLAIN, strict=True)],
    "objects of one": [{label: text} for label, text in zip("ABC", PLAIN, strict=True)],
    "JSON": json.dumps(PLAIN),
    "JSON object": json.dumps(dict(zip("ABC", PLAIN, strict=True))),
    "Python": str(PLAIN),
    "lines": "dark red\nblue\ngreen",
    "labelled lines": "A. dark red\nB. blue\nC. green\n",
    "labelled in a line": "A. dark red B. blue C. green",
    "bracketed in a line": "(A) dark red (B) blue (C) green",
    "labelled with commas": "A) dark red, B) blue, C) green",
    "semicolons": "dark red; blue; green",
    "bars": "dark red | blue | green",
}


@pytest.mark.parametrize("form", FORMS)
def test_options_are_read_from_every_form(form):
    assert list(read_options(FORMS[form], "row 1").texts) == PLAIN


@pytest.mark.parametrize("pattern", ["{}", "option_{}", "choice_{}", "option{}", "op{}"])
@pytest.mark.parametrize("letters", ["ABC", "abc", "123"])
def test_a_column_a_letter_is_options_too(pattern, letters):
    columns = {pattern.format(letter): text for letter, text in zip(letters, PLAIN, strict=True)}
    problem = read({"question": "Which?", "answer": "blue", **columns, pattern.format("D"): None})
    assert problem.metadata["choices"] == PLAIN
    assert problem.question == "Which?\n(A) dark red\n(B) blue\n(C) green"


@pytest.mark.parametrize(
    "given",
    [
        "a single text",
        ["only one"],
        ["red", ""],
        ["red", None, "blue"],
        ["red", ["blue"]],
        [{"bytes": b"\x89PNG", "path": None}, {"bytes": b"\x89PNG", "path": None}],
        {"A": "red", "C": "blue"},
        {"text": ["red", "blue"], "label": ["A"]},
        [str(i) for i in range(27)],
        3,
    ],
)
def test_what_are_no_options_is_refused_by_name(given):
    with pytest.raises(BadRowError) as caught:
        read_options(given, "rows, row 4")
    assert "rows, row 4" in caught.value.place
    assert caught.value.remedy


def read(row: dict[str, Any], **settings: Any) -> Problem:
    made = {"name": "rows", "path": "org/name", "modality": "text", "verifier": "choice", **settings}
    return RowReader(FileSourceSettings(**made), Path(".")).problem(row, "rows, row 4")[0]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "gold", ["B", "b", "(B)", "B.", "B)", "Option B", "blue", "Blue", "B. blue", "(B) blue", "B: blue"]
)
def test_a_gold_by_letter_or_text_is_the_option_that_is_rewarded(form, gold):
    problem = read({"question": "Which?", "choices": FORMS[form], "answer": gold})
    right = {
        said: judge(problem, said).score for said in ("(B)", "<answer>B</answer>", "blue", "<answer>(B) blue</answer>")
    }
    wrong = {said: judge(problem, said).score for said in ("(A)", "<answer>C</answer>", "dark red", "green")}
    assert set(right.values()) == {1.0}
    assert set(wrong.values()) == {0.0}


@pytest.mark.parametrize(
    "gold", ["D", "E", "A,B", "AB", "A and B", "VII", "purple", "B. green", "(B) dark red", "7", "", "B or C"]
)
def test_a_gold_that_is_no_option_is_refused_by_name(gold):
    with pytest.raises(BadRowError, match="rows, row 4"):
        read({"question": "Which?", "choices": PLAIN, "answer": gold})


def test_several_right_options_are_refused():
    with pytest.raises(BadRowError, match="2 right options"):
        read({"question": "Which?", "choices": PLAIN, "answer": ["A", "B"]})
    assert read({"question": "Which?", "choices": PLAIN, "answer": ["B"]}).answer == "B"


AMBIGUOUS = [
    (["B", "C", "D", "A"], "B", {"letter": "C", "text": "B"}),
    (["c", "a", "b"], "A", {"letter": "c", "text": "a"}),
    (["2", "3", "1", "0"], 1, {"text": "1", "index": "3", "number": "2"}),
    (PLAIN, 1, {"index": "blue", "number": "dark red"}),
    (PLAIN, "2", {"index": "green", "number": "blue"}),
    (PLAIN, 0, {"index": "dark red"}),
    (PLAIN, 3, {"number": "green"}),
]


@pytest.mark.parametrize(("options", "gold", "meanings"), AMBIGUOUS)
def test_a_gold_that_may_be_two_options_is_refused_until_the_source_says_which(options, gold, meanings):
    row = {"question": "Which?", "choices": options, "answer": gold}
    with pytest.raises(BadRowError) as caught:
        read(row)
    assert "rows, row 4" in caught.value.place
    assert "choice_answers" in caught.value.remedy
    for meaning, text in meanings.items():
        problem = read(row, choice_answers=meaning)
        for index, option in enumerate(options):
            assert judge(problem, f"({'ABCD'[index]})").score == float(option == text)


def test_a_number_among_numbers_and_a_text_among_digits_are_meant_as_such():
    assert read({"question": "?", "choices": [6, 1, 2, 5], "answer": 2}).answer == "2"
    assert read({"question": "?", "choices": ["6", "1", "2", "5"], "answer": "2"}).answer == "2"
    assert read({"question": "?", "choices": [0.5, 1.5], "answer": 1.5}).answer == "1.5"
    assert read({"question": "?", "choices": [True, False], "answer": False}).answer == "false"


def test_labels_of_the_rows_own_name_options():
    assert read({"question": "?", "choices": ["1. 5 cm", "2. 7 cm"], "answer": "2"}).answer == "B"
    assert read({"question": "?", "choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answer": 2}).answer == "B"


@pytest.mark.parametrize(
    "question",
    [
        "Tank A: 3 l. Tank B: 5 l. Which is fuller?",
        "(A) and (B) are points. Which?",
        "A. Smith met B. Jones. Who left?",
    ],
)
def test_options_are_listed_where_only_letters_stand_in_the_question(question):
    problem = read({"question": question, "choices": ["the first", "the second"], "answer": "A"})
    assert problem.question == f"{question}\n(A) the first\n(B) the second"


@pytest.mark.parametrize("texts", [["3 l", "5 l"], ["Tank A", "Tank B"]])
def test_options_are_listed_where_their_texts_stand_elsewhere(texts):
    question = "Tank A: 3 l. Tank B: 5 l. Which is fuller?"
    assert read({"question": question, "choices": texts, "answer": "B"}).question.startswith(
        f"{question}\n(A) {texts[0]}"
    )


LISTS = ["({l}) {t}", "{l}. {t}", "{l}) {t}", "{l}: {t}", "[{l}] {t}"]


@pytest.mark.parametrize(("style", "between"), product(LISTS, [" ", "\n", ", ", "; ", "\n\n"]))
def test_options_that_the_question_lists_are_not_listed_twice(style, between):
    shown = between.join(style.format(l=letter, t=text) for letter, text in zip("ABC", PLAIN, strict=True))
    question = f"Which colour?{between}{shown}"
    assert read({"question": question, "choices": PLAIN, "answer": "B"}).question == question


def test_options_that_only_the_question_lists_are_known_to_the_verifier():
    for style in LISTS:
        lines = "\n".join(style.format(l=letter, t=text) for letter, text in zip("ABC", PLAIN, strict=True))
        problem = read({"question": f"Which colour?\n{lines}\nAnswer with a letter.", "answer": "B"})
        assert problem.metadata["choices"] == PLAIN
        assert judge(problem, "<answer>blue</answer>").score == 1.0
    assert not options_in("A. is a letter.\nWhich?")
    assert not options_in("Steps:\nB. first\nC. second")


def test_twenty_six_options_have_letters():
    options = Options(tuple(f"option {i}" for i in range(26)))
    assert gold_of("Z", options, None, "row") == "Z"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"choices": ["B. y", "A. x"], "answer": "B"}, "order of their labels"),
        ({"choices": ["(c) z", "(a) x", "(b) y"], "answer": "z"}, "order of their labels"),
        ({"choices": ["B. y", "C. z"], "answer": "B"}, "at its place"),
        ({"choices": ["J. Ash", "B. Lee", "C. Poe"], "answer": "J"}, "at its place"),
        ({"choices": ["x", "y"], "options": ["y", "x"], "answer": "A"}, "different options"),
        ({"question": "Which? (A) blue (B) red", "choices": ["red", "blue"], "answer": "A"}, "lists the options as"),
        ({"question": "Which?\nA. blue\nB. red", "choices": ["red", "blue"], "answer": "A"}, "lists the options as"),
        ({"A": "x", "C": "z", "answer": "C"}, "but not 'B'"),
        ({"option_b": "x", "option_c": "z", "answer": "C"}, "but not 'option_a'"),
        ({"choices": ["img/1.png", "img/2.png"], "answer": "A"}, "option 1 is an image"),
        ({"choices": ["none", "data:image/png;base64,iVBORw0KGgo="], "answer": "A"}, "option 2 is an image"),
    ],
)
def test_options_that_leave_open_what_is_meant_or_would_be_lost_are_refused(row, message):
    with pytest.raises(BadRowError, match=message) as caught:
        read({"question": "Which?", **row}, modality="real")
    assert "rows, row 4" in str(caught.value)
    assert caught.value.remedy


def test_options_that_only_look_so_are_read():
    row = {"question": "Which?", "choices": ["J. Ash", "B. Lee", "C. Poe"]}
    assert read({**row, "answer": "J. Ash"}).metadata["choices"] == row["choices"]
    assert read({**row, "answer": "C"}).answer == "C"
    same = {"question": "Which?", "choices": ["x", "y"], "options": "A. x\nB. y", "answer": "B"}
    assert read(same).metadata["choices"] == ["x", "y"]
    twice = {"question": "Is (A) red wine or (B) blue cheese meant?", "choices": ["red", "blue"], "answer": "A"}
    assert read(twice).question.endswith("\n(A) red\n(B) blue")
    files = {"question": "Which is lossless?", "choices": ["a.jpg", "a.png"], "answer": "B"}
    found = read(files, modality="real", rows_without_image="read")
    assert found.metadata["choices"] == files["choices"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"choices": [], "answer": "B"}, "has no option"),
        ({"options": "", "answer": "B"}, "has no option"),
        ({"options": {}, "answer": "B"}, "has no option"),
        ({"choices": ["4 cm", "5 cm", "4  cm"], "answer": "A"}, "options A and C, one of them the gold"),
        ({"choices": ["4", "5", "4"], "answer": "4"}, "options A and C, one of them the gold"),
    ],
)
def test_options_that_are_missing_or_stand_twice_are_refused(row, message):
    with pytest.raises(BadRowError, match=message) as caught:
        read({"question": "Which?", **row})
    assert caught.value.remedy


def test_rows_without_a_list_of_options_may_have_them_in_the_question_or_the_image():
    assert read({"question": "Which? (A) red (B) blue", "choices": [], "answer": "B"}).answer == "B"
    assert read({"question": "Which panel?", "choices": None, "answer": "B"}).answer == "B"
    assert read({"question": "Which panel?", "answer": "B"}).answer == "B"
    assert read({"question": "Which?", "choices": ["4", "5", "4"], "answer": "5"}).answer == "5"


@pytest.mark.parametrize(
    "texts",
    [["1: 2", "2: 3", "3: 4"], ["1:2", "2:1", "3:1"], ["A:B", "B:C"], ["1 : 20", "2 : 30"], ["1: 2: 3", "2: 1"]],
)
def test_ratios_are_no_labels(texts):
    found = read({"question": "Which?", "choices": texts, "answer": texts[1]})
    assert found.metadata["choices"] == texts
    assert found.answer in (texts[1], "B", "(B)")
    assert read({"question": "Which?", "choices": ["1: red", "2: blue"], "answer": "blue"}).metadata["choices"] == [
        "red",
        "blue",
    ]

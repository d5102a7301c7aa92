"""A gold that stands twice in a row: the columns agree, or the row is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from vlrl.data.inspection.gold_checks import BadGoldError
from vlrl.data.rows.row_to_problem import RowReader
from vlrl.data.source_settings import FileSourceSettings
from vlrl.types import Problem

OPTIONS = {"choices": ["red", "blue", "green"]}


def read(row: dict, **settings) -> Problem:
    made = {"name": "rows", "path": "org/name", "modality": "text", "verifier": "math", **settings}
    return RowReader(FileSourceSettings(**made), Path(".")).problem({"question": "?", **row}, "rows.jsonl, line 7")[0]


@pytest.mark.parametrize(
    ("row", "settings"),
    [
        ({"answer": "3", "ground_truth": "4"}, {}),
        ({"answer": "3", "solution": r"\boxed{4}"}, {}),
        ({"answer": 3, "answers": [4, 5]}, {}),
        ({"answer": "3", "reward_model": {"style": "rule", "ground_truth": "4"}}, {}),
        ({"answer": "B", "gold": "green", **OPTIONS}, {"verifier": "choice"}),
        ({"answer": "B", "correct_answer": "C", **OPTIONS}, {"verifier": "choice"}),
        ({"answer": "3", "solution": "<answer>4</answer>"}, {"layout": "trl"}),
        ({"problem": "?", "answer": "3", "ground_truth": "4"}, {"layout": "easyr1"}),
        ({"label": "3", "answer": "4"}, {"layout": "openrlhf"}),
    ],
)
def test_two_columns_with_different_golds_are_refused(row, settings):
    with pytest.raises(BadGoldError, match="says") as caught:
        read(row, **settings)
    assert "line 7" in caught.value.place
    assert "ignored" in caught.value.remedy
    column = caught.value.place.rpartition(", ")[2]
    if "layout" not in settings:
        read(row, **settings, columns={"ignored": [column]})


@pytest.mark.parametrize(
    ("row", "settings", "gold"),
    [
        ({"answer": r"\frac{3}{4}", "solution": r"<answer>\dfrac34</answer>"}, {}, r"\frac{3}{4}"),
        ({"answer": "3", "ground_truth": 3.0}, {}, "3"),
        ({"answer": "3", "answers": ["three", "3"]}, {"verifier": "text"}, "3"),
        ({"answer": "3", "solution": "First we add 1 and 1, then 1 more, and so it is found."}, {}, "3"),
        ({"answer": "B", "gold": "blue", **OPTIONS}, {"verifier": "choice"}, "B"),
        ({"answer": "blue", "correct_option": 1, **OPTIONS}, {"verifier": "choice"}, "blue"),
        ({"solution": r"So it is \boxed{\dfrac34}.", "answer": "3/4"}, {"layout": "open-r1"}, "3/4"),
        ({"solution": r"So it is \boxed{\dfrac34}."}, {"layout": "open-r1"}, r"\dfrac34"),
    ],
)
def test_columns_that_say_the_same_are_one_gold(row, settings, gold):
    assert read(row, **settings).answer == gold

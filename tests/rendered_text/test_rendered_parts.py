"""Prompts that are part image, part text."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from vlrl.errors import DataError
from vlrl.rendered_text.convert import rendered_twin
from vlrl.rendered_text.rendered_parts import split_text
from vlrl.rendered_text.styles.style_registry import styles
from vlrl.types import Image, Problem, Text

STORY = "Ann has 3.5 kg. Bob has 2 kg. How much is it?"
TABLE = "Read this.\n| a | b |\n|---|---|\n| 1 | 2 |\nThen run\n```python\nf(1)\n```\nWhat is it?"


@pytest.mark.parametrize(
    ("text", "part", "parts"),
    [
        (STORY, "all", [(True, STORY)]),
        (STORY, "context", [(True, "Ann has 3.5 kg. Bob has 2 kg."), (False, "How much is it?")]),
        (STORY, "question", [(False, "Ann has 3.5 kg. Bob has 2 kg."), (True, "How much is it?")]),
        ("One. Two.\nThree?", "context", [(True, "One. Two."), (False, "Three?")]),
        ("One.\n\nTwo.\nThree?", "context", [(True, "One."), (False, "Two.\nThree?")]),
        (
            TABLE,
            "data",
            [
                (False, "Read this."),
                (True, "| a | b |\n|---|---|\n| 1 | 2 |"),
                (False, "Then run"),
                (True, "```python\nf(1)\n```"),
                (False, "What is it?"),
            ],
        ),
    ],
)
def test_texts_are_split(text, part, parts):
    assert split_text(text, part) == parts


@pytest.mark.parametrize(("part", "message"), [("context", "single sentence"), ("data", "no fenced code")])
def test_a_text_without_such_a_part_is_refused(part, message):
    with pytest.raises(DataError, match=message):
        split_text("What is 3 - 2?", part)


def test_a_twin_of_two_parts_keeps_reading_order_answer_and_id():
    problem = Problem((Text(TABLE),), "3", "number", "text", "tables")
    style = styles.build("markdown")
    twin = rendered_twin(problem, style, np.random.default_rng(0), source="drawn", instruction=" Answer.", part="data")
    assert [type(part) for part in twin.prompt] == [Text, Image, Text, Image, Text, Text]
    assert twin.question == "Read this.<image>Then run<image>What is it? Answer."
    assert (twin.twin, twin.answer, twin.modality) == (problem.id, "3", "rendered")
    first = np.asarray(Pillow.open(io.BytesIO(twin.images[0].read_bytes())))
    assert np.array_equal(first, np.asarray(style.draw("| a | b |\n|---|---|\n| 1 | 2 |", np.random.default_rng(0))))
    with pytest.raises(DataError, match=r"source 'drawn'.*single sentence"):
        rendered_twin(
            Problem((Text("What?"),), "3", "number", "text", "t"),
            style,
            np.random.default_rng(0),
            source="drawn",
            part="context",
        )

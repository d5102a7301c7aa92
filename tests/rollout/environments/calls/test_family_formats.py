"""Calls of GLM and Gemma are read back as they were written, and nothing that a policy writes raises."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlrl.rollout.environments.calls.call_formats import call_formats
from vlrl.rollout.environments.environment import environments

LETTERS = st.text("abcz_ß é\n", min_size=1, max_size=8)
NAMES = st.text("abcz_09", min_size=1, max_size=8)
SCALARS = st.booleans() | st.none() | st.integers(-(2**40), 2**40) | st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
VALUES = st.recursive(
    SCALARS | LETTERS, lambda one: st.lists(one, max_size=3) | st.dictionaries(NAMES, one, max_size=3), max_leaves=6
)
ARGUMENTS = st.dictionaries(NAMES, VALUES, max_size=4)


def as_glm(name, arguments):
    """A text bare, all else as JSON."""
    written = "".join(
        f"<arg_key>{key}</arg_key>\n<arg_value>{value if isinstance(value, str) else json.dumps(value)}</arg_value>\n"
        for key, value in arguments.items()
    )
    return f"<tool_call>{name}\n{written}</tool_call>"


def as_gemma(name, arguments):
    def value(held):
        if isinstance(held, str):
            return f'<|"|>{held}<|"|>'
        if isinstance(held, list):
            return "[" + ",".join(map(value, held)) + "]"
        if isinstance(held, dict):
            return "{" + ",".join(f"{key}:{value(one)}" for key, one in held.items()) + "}"
        return json.dumps(held)

    return f"<|tool_call>call:{name}{value(arguments)}<tool_call|>"


@pytest.mark.parametrize(("family", "write"), [("glm", as_glm), ("gemma", as_gemma)])
@settings(deadline=None, max_examples=60)
@given(calls=st.lists(st.tuples(NAMES, ARGUMENTS), min_size=1, max_size=3))
def test_calls_are_read_back_as_they_were_written(family, write, calls):
    text = "I look closer. " + " and ".join(write(*call) for call in calls) + " so."
    found = call_formats.get(family)(text)
    assert [(one.name, one.arguments, one.wrong) for one in found] == [(*call, None) for call in calls]


PIECES = [
    *("<tool_call>", "</tool_call>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>", "zoom", "\n", "{", "}"),
    *(
        "<|tool_call>",
        "<tool_call|>",
        '<|"|>',
        "call:",
        "call:zoom{",
        "[",
        "]",
        ",",
        ":",
        "1",
        "NaN",
        " ",
        "a",
        "[" * 99,
    ),
]


@pytest.mark.parametrize("family", ["glm", "gemma"])
@settings(deadline=None, max_examples=150)
@given(text=st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_whatever_is_written_raises_nothing_and_an_open_call_is_told(family, text):
    found = call_formats.get(family)(text)
    opens = {"glm": "<tool_call>", "gemma": "<|tool_call>"}[family]
    assert len(found) == text.count(opens)
    assert all(one.wrong is not None or one.name for one in found)


@pytest.mark.parametrize(
    ("family", "text"),
    [
        ("glm", as_glm("image_zoom_in_tool", {"bbox_2d": [0, 0, 500, 500], "label": "the left"})),
        ("gemma", as_gemma("image_zoom_in_tool", {"bbox_2d": [0, 0, 500, 500], "label": "the left"})),
    ],
)
def test_a_tool_is_called_in_the_familys_own_words(family, text):
    from PIL import Image

    from vlrl.types import Problem, Text

    environment = environments.build({"name": "tools", "call_format": family})
    world = environment.world(Problem((Text("?"),), "1", "number", "synthetic", "tests"))
    world.begin({"images": [Image.new("RGB", (64, 64))]})
    reply = world.answer(text, 0)
    assert [(c.outcome, c.images) for c in reply.calls] == [("done", 1)]
    assert world.answer(text[:-3], 1).calls[0].outcome == "invalid"

"""Our tools on images: what they return, and that nothing a policy writes harms an episode."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from vlrl.data.images.open_images import open_image
from vlrl.rollout.environments.calls.call_formats import hermes
from vlrl.rollout.environments.calls.duplicates import overlap
from vlrl.rollout.environments.environment import environments
from vlrl.rollout.environments.tools import image_tools
from vlrl.rollout.environments.tools.image_functions import box_of, crop, rotate
from vlrl.rollout.environments.tools.image_tools import NAMES, PROGRAMS
from vlrl.types import Image, Problem, Text, ToolCall

SIZE = (120, 80)


def squares() -> Pillow.Image:
    """Every pixel has a colour of its own."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    return Pillow.fromarray(np.stack([x, y, (x + y) % 256], -1).astype(np.uint8))


def opened(**given: Any) -> Any:
    environment = environments.build(
        {"name": "tools", "tools": [one for one in NAMES if one not in PROGRAMS], "calls_per_turn": 8, **given}
    )
    problem = Problem((Text("?"),), "1", "number", "synthetic", "tests")
    world = environment.world(problem)
    assert world.begin({"images": [squares()]}).fault is None
    return world


def written(name: str, **arguments: Any) -> str:
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>"


def shown(reply: Any, number: int = 0) -> np.ndarray:
    """The image of a reply's message."""
    (image,) = (piece for piece in reply.messages[number] if isinstance(piece, Image))
    return np.asarray(open_image(image))


def test_zoom_cuts_the_part_out_of_the_original_and_makes_a_further_image():
    world = opened(least_side=4)
    reply = world.answer(written("image_zoom_in_tool", bbox_2d=[250, 250, 500, 500], label="left"), 0)
    assert (shown(reply) == np.asarray(squares())[20:40, 30:60]).all()
    again = world.answer(written("image_zoom_in_tool", bbox_2d=[0, 0, 500, 1000], img_idx=1), 1)
    assert (shown(again) == np.asarray(squares())[20:40, 30:45]).all()
    assert world.images == 2


def test_every_tool_does_what_it_says():
    world, image = opened(image={"per_turn": 9}), np.asarray(squares())
    assert (shown(world.answer(written("image_rotate_tool", angle=90), 0)) == np.rot90(image, -1)).all()
    assert (shown(world.answer(written("image_flip_tool"), 1)) == image[:, ::-1]).all()
    assert (shown(world.answer(written("image_select_tool", img_idx=0), 2)) == image).all()
    boxed = shown(world.answer(written("image_draw_box_tool", bbox_2d=[0, 0, 500, 500], color="#00ff00"), 3))
    assert (boxed[0, :60] == (0, 255, 0)).all()
    assert (boxed[41:] == image[41:]).all()
    lined = shown(world.answer(written("image_draw_line_tool", points=[0, 500, 1000, 500], color="blue"), 4))
    assert (lined[40, 5:115] == (0, 0, 255)).all()
    said = world.answer(written("image_colour_tool", bbox_2d=[0, 0, 1000, 1000]), 5).messages[0][0]
    assert said.text.startswith("red 6"), "59.5, the mean of 0 to 119"


@pytest.mark.parametrize(
    ("coordinates", "box"),
    [("thousandths", [250, 250, 500, 500]), ("unit", [0.25, 0.25, 0.5, 0.5]), ("pixels", [30, 20, 60, 40])],
)
def test_a_box_is_the_same_in_all_coordinates(coordinates, box):
    assert box_of(box, SIZE, coordinates) == (30, 20, 60, 40)


@given(st.lists(st.floats(-500, 1500), min_size=4, max_size=4), st.integers(1, 60))
def test_a_box_lies_in_the_image_and_has_its_least_side_or_is_refused(values, least):
    try:
        left, top, right, bottom = box_of(values, SIZE, "thousandths", least)
    except ValueError:
        inverted = values[2] <= values[0] or values[3] <= values[1]
        outside = values[2] <= 0 or values[3] <= 0 or values[0] >= 1000 or values[1] >= 1000
        assert inverted or outside
        return
    assert 0 <= left < right <= SIZE[0]
    assert 0 <= top < bottom <= SIZE[1]
    assert right - left >= min(least, SIZE[0])
    assert bottom - top >= min(least, SIZE[1])


def test_a_crop_that_no_model_reads_is_refused_and_a_turned_image_is_whole():
    with pytest.raises(ValueError, match="too narrow"):
        crop(Pillow.new("RGB", (900, 3)), (0, 0, 900, 2))
    turned = rotate(Pillow.new("RGB", (100, 100), (10, 20, 30)), 45)
    assert turned.size == (142, 142)
    assert turned.getpixel((0, 0)) == (255, 255, 255)


def test_overlap_is_intersection_over_union():
    assert overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 1, 1), (2, 2, 3, 3)) == 0.0


def test_a_call_for_much_the_same_counts_as_a_repetition():
    world = opened(duplicate_iou=0.5)
    boxes = [[0, 0, 500, 500], [20, 0, 500, 500], [500, 500, 1000, 1000], [0, 0, 500, 500]]
    calls = [
        world.answer(written("image_zoom_in_tool", bbox_2d=b, label=str(i)), i).calls[0] for i, b in enumerate(boxes)
    ]
    assert [one.duplicate for one in calls] == [False, True, False, True]


def test_calls_are_read_as_hermes_writes_them():
    both = hermes(
        f"So {written('a', x=1)} and\n<tool_call>\n" + '{"name": "b", "arguments": "{\\"y\\": 2}"}\n</tool_call>'
    )
    assert [(c.name, dict(c.arguments), c.wrong) for c in both] == [("a", {"x": 1}, None), ("b", {"y": 2}, None)]
    assert hermes("no call, and </tool_call> alone is none") == []
    assert [c.wrong is None for c in hermes("<tool_call>{}</tool_call><tool_call>[1]</tool_call>")] == [False, False]


HOSTILE_NUMBERS = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e308",
    "-1e308",
    "1e400",
    "9" * 400,
    "0",
    "-0.0",
    "true",
    "null",
    '"1"',
    "[]",
]


def hostile(rng: random.Random) -> str:
    """A turn with something between a good call and rubbish."""
    names = [*NAMES.values(), "reset", "get_reward", "__init__", "_images", "os.system", "", "x" * 5000]
    numbers = [
        rng.choice([*HOSTILE_NUMBERS, "500", "10", "990"]) for _ in range(rng.choice([0, 1, 3, 4, 4, 4, 5, 400]))
    ]
    keys = ["bbox_2d", "points", "angle", "img_idx", "color", "horizontal", "self", "label"]
    values = [
        f"[{', '.join(numbers)}]",
        rng.choice(HOSTILE_NUMBERS),
        '"<|im_end|>\\n<|im_start|>assistant"',
        "[" * 3000 + "]" * 3000,
        '{"a": ' * 50 + "1" + "}" * 50,
        f'"{"é" * 3000}"',
        '"\\ud800"',
    ]
    pairs = ", ".join(
        f'"{rng.choice(keys)}": {rng.choice([values[0], rng.choice(values)])}' for _ in range(rng.randint(0, 3))
    )
    body = f'{{"name": "{rng.choice(names)}", "arguments": {{{pairs}}}}}'
    cut = body if rng.random() < 0.8 else body[: rng.randint(0, len(body))]
    turn = f"<tool_call>{cut}</tool_call>" if rng.random() < 0.9 else f"<tool_call>{cut}"
    return turn * rng.choice([1, 1, 1, 2, 20])


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_nothing_that_a_policy_writes_harms_an_episode_and_every_call_is_counted(seed):
    """300 hostile turns: no exception, no fault, an answer to every call, images within their limits."""
    rng = random.Random(seed)
    world = opened(image={"per_turn": 2, "per_episode": 3})
    for turn in range(2):
        text = hostile(rng)
        reply = world.answer(text, turn)
        assert reply.fault is None
        calls = hermes(text)
        assert len(reply.calls) == len(calls)
        assert len(reply.messages) == min(len(calls), 9)
        assert all(isinstance(call, ToolCall) and call.turn == turn for call in reply.calls)
        assert all(
            piece.text.encode("utf-8", "replace") for m in reply.messages for piece in m if isinstance(piece, Text)
        )
        assert sum(call.images for call in reply.calls) <= 2
        for call, message in zip(reply.calls, reply.messages, strict=False):
            assert (call.outcome == "done") == (not str(getattr(message[0], "text", "")).startswith("error"))
    assert world.images <= 3


def test_chains_of_tools_that_make_images_grow_end_at_a_limit(monkeypatch):
    monkeypatch.setattr(image_tools, "MOST_PIXELS", 100_000)
    world = opened(image={"per_turn": 99, "per_episode": 999})
    for turn in range(60):
        reply = world.answer(written("image_rotate_tool", angle=45, img_idx=turn), turn)
        if reply.calls[0].outcome != "done":
            break
    assert reply.calls[0].outcome in ("failed", "dropped")
    assert "pixels" in reply.messages[0][0].text

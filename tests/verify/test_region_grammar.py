"""The notations of boxes and points: every one is read back, and one step away from the right answer is wrong."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patience import problem
from PIL import Image as Pillow

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.errors import ConfigError
from vlrl.types import Image, Problem, Text, Verdict
from vlrl.verify.gold_check import gold_problem
from vlrl.verify.judge import judge
from vlrl.verify.reading.region_grammar import read_regions
from vlrl.verify.reading.regions import declared_regions
from vlrl.verify.values.image_frame import resized_size

Corners = tuple[int, int, int, int]
BOXES: dict[str, Callable[[int, int, int, int], str]] = {
    "list": lambda a, b, c, d: f"[{a}, {b}, {c}, {d}]",
    "list without spaces": lambda a, b, c, d: f"[{a},{b},{c},{d}]",
    "decimals": lambda a, b, c, d: f"[{a}.0, {b}.00, {c}.0, {d}.0]",
    "bare": lambda a, b, c, d: f"{a} {b} {c} {d}",
    "pairs": lambda a, b, c, d: f"({a}, {b}), ({c}, {d})",
    "list of pairs": lambda a, b, c, d: f"[[{a}, {b}], [{c}, {d}]]",
    "Qwen2.5-VL": lambda a, b, c, d: f'```json\n[\n\t{{"bbox_2d": [{a}, {b}, {c}, {d}], "label": "the cat"}}\n]\n```',
    "Qwen2.5-VL, no fence": lambda a, b, c, d: f'[{{"bbox_2d": [{a}, {b}, {c}, {d}], "label": "cat {{1}}"}}]',
    "one object": lambda a, b, c, d: f'{{"bbox_2d": [{a}, {b}, {c}, {d}]}}',
    "Python's quotes": lambda a, b, c, d: f"{{'bbox_2d': [{a}, {b}, {c}, {d}], 'label': 'a dog\"s'}}",
    "label first": lambda a, b, c, d: f'{{"label": "not red, or blue?", "bbox": [{a}, {b}, {c}, {d}]}}',
    "box and point": lambda a, b, c, d: f'[{{"bbox_2d": [{a}, {b}, {c}, {d}], "point_2d": [{a}, {b}]}}]',
    "named corners": lambda a, b, c, d: f'{{"x1": {a}, "y1": {b}, "x2": {c}, "y2": {d}}}',
    "named sides": lambda a, b, c, d: f'{{"left": {a}, "top": {b}, "right": {c}, "bottom": {d}}}',
    "width and height": lambda a, b, c, d: f'{{"x": {a}, "y": {b}, "width": {c - a}, "height": {d - b}}}',
    "Qwen2-VL": lambda a, b, c, d: (
        f"<|object_ref_start|>the cat<|object_ref_end|><|box_start|>({a},{b}),({c},{d})<|box_end|>"
    ),
    "Qwen2-VL, stripped": lambda a, b, c, d: f"the cat({a},{b}),({c},{d})",
    "OS-Atlas": lambda a, b, c, d: f"<|box_start|>({a},{b}),({c},{d})<|box_end|>",
    "InternVL": lambda a, b, c, d: f"<ref>the cat</ref><box>[[{a}, {b}, {c}, {d}]]</box>",
    "InternVL, stripped": lambda a, b, c, d: f"the cat[[{a}, {b}, {c}, {d}]]",
    "Qwen-VL": lambda a, b, c, d: f"<ref>the cat</ref><box>({a},{b}),({c},{d})</box>",
    "Seed": lambda a, b, c, d: f"<bbox>{a} {b} {c} {d}</bbox>",
    "boxed": lambda a, b, c, d: f"\\boxed{{[{a}, {b}, {c}, {d}]}}",
    "tag": lambda a, b, c, d: f"<think>[1, 2, 3, 4]?</think><answer>[{a}, {b}, {c}, {d}]</answer>",
    "tag with JSON": lambda a, b, c, d: f'<answer>[{{"bbox_2d": [{a}, {b}, {c}, {d}]}}]</answer>',
    "JSON answer": lambda a, b, c, d: f'{{"answer": [{a}, {b}, {c}, {d}]}}',
    "phrase": lambda a, b, c, d: f"I see two cats. The answer is [{a}, {b}, {c}, {d}].",
    "sentence": lambda a, b, c, d: f"There is a cat on the sofa.\nIts box is [{a}, {b}, {c}, {d}].",
    "words and a fence": lambda a, b, c, d: (
        f'Here it is:\n```json\n[{{"bbox_2d": [{a}, {b}, {c}, {d}]}}]\n```\nIt is red.'
    ),
    "said twice": lambda a, b, c, d: f"The cat is at [{a}, {b}, {c}, {d}].\nSo its box is ({a}, {b}), ({c}, {d}).",
    "end token": lambda a, b, c, d: f"[{a}, {b}, {c}, {d}]<|im_end|>",
}
POINTS: dict[str, Callable[[int, int], str]] = {
    "pair": lambda x, y: f"({x}, {y})",
    "list": lambda x, y: f"[{x}, {y}]",
    "bare": lambda x, y: f"{x}, {y}",
    "named": lambda x, y: f"x = {x}, y = {y}",
    "Qwen2.5-VL": lambda x, y: f'```json\n[{{"point_2d": [{x}, {y}], "label": "the cat"}}]\n```',
    "Qwen2.5-VL, XML": lambda x, y: f'<points x1="{x}" y1="{y}" alt="the cat">the cat</points>',
    "Molmo": lambda x, y: f'<point x="{x}.0" y="{y}.0" alt="the cat">the cat</point>',
    "Molmo in words": lambda x, y: f' The cat is here: <point x="{x}" y="{y}" alt="cat, or dog?">cat, or dog?</point>.',
    "UI-TARS": lambda x, y: f"Thought: I should press 3 or 4.\nAction: click(start_box='({x},{y})')",
    "UI-TARS, tokens": lambda x, y: f"Action: click(start_box='<|box_start|>({x},{y})<|box_end|>')",
    "UI-TARS 1.5": lambda x, y: f"Thought: …\nAction: click(point='<point>{x} {y}</point>')",
    "click on a box": lambda x, y: f"click(start_box='[{x - 1}, {y - 1}, {x + 1}, {y + 1}]')",
    "OS-Atlas": lambda x, y: f"CLICK <point>[[{x}, {y}]]</point>",
    "OS-Atlas, bare": lambda x, y: f"<|box_start|>({x},{y})<|box_end|>",
    "pyautogui": lambda x, y: f"pyautogui.click(x={x}, y={y})",
    "pyautogui, positional": lambda x, y: f"pyautogui.click({x}, {y})",
    "pyautogui, button": lambda x, y: f"pyautogui.rightClick(x={x}, y={y}, button='right')",
    "code": lambda x, y: f"```python\npyautogui.click(x={x}, y={y})\n```",
    "tool call": lambda x, y: (
        '<tool_call>\n{"name": "computer_use", "arguments": {"action": "left_click", "coordinate": '
        f"[{x}, {y}]}}}}\n</tool_call>"
    ),
    "tag": lambda x, y: f"<answer>({x}, {y})</answer>",
    "object": lambda x, y: f'{{"x": {x}, "y": {y}}}',
}


def corners(size: int = 1000) -> st.SearchStrategy[Corners]:
    edge = st.integers(0, size - 21)
    side = st.integers(20, 300)
    return st.tuples(edge, edge, side, side).map(lambda e: (e[0], e[1], min(size, e[0] + e[2]), min(size, e[1] + e[3])))


def verdict(verifier: str, gold: str, response: str, **metadata: object) -> Verdict:
    found = judge(problem(verifier, gold, **metadata), response)
    assert found.fault is None, found
    return found


@pytest.mark.parametrize("name", BOXES)
@given(corners())
def test_a_box_in_every_notation_is_the_same_box(name: str, box: Corners):
    declared = declared_regions(BOXES[name](*box), "box")
    assert declared.regions is not None, declared
    found = verdict("box", str(list(box)), BOXES[name](*box), graded=True, coordinates="0-1000")
    assert (found.score, found.correct) == (1.0, True), found


@pytest.mark.parametrize("name", POINTS)
@given(st.integers(1, 999), st.integers(1, 999))
def test_a_point_in_every_notation_is_the_same_point(name: str, x: int, y: int):
    found = verdict("point", f"({x}, {y})", POINTS[name](x, y), radius=0.25, graded=True, coordinates="0-1000")
    assert (found.score, found.correct) == (1.0, True), found


@pytest.mark.parametrize("name", BOXES)
@given(corners(), corners(), st.sampled_from(["shifted", "x and y", "corners", "scale", "second", "fifth"]))
def test_one_step_away_from_the_box_is_wrong(name: str, box: Corners, other: Corners, step: str):
    a, b, c, d = box
    write = BOXES[name]
    right = {"threshold": 0.9999, "coordinates": "0-1000"}
    if step == "shifted":
        response = write(a + 5, b, c + 5, d)
    elif step == "x and y":
        response = write(b, a, d, c)
    elif step == "corners":
        response = write(c, d, a, b)
    elif step == "scale":
        response = write(10 * a + 10, 10 * b + 10, 10 * c + 10, 10 * d + 10)
    elif step == "second":
        response = f"{write(*box)} or {BOXES['pairs'](*other)}"
        if other == box or name == "end token":
            return
    else:
        response = write(a, b, c, d).replace(str(d), f"{d}, 7")
    if response == write(*box):  # a square on the diagonal, a number that is not written
        return
    assert not verdict("box", str(list(box)), response, **right).correct, response


@pytest.mark.parametrize("name", POINTS)
@given(st.integers(1, 499), st.integers(500, 999), st.sampled_from(["shifted", "x and y", "scale", "second"]))
def test_one_step_away_from_the_point_is_wrong(name: str, x: int, y: int, step: str):
    write = POINTS[name]
    response = {
        "shifted": write(x + 3, y),
        "x and y": write(y, x),
        "scale": write(10 * x + 1000, 10 * y),
        "second": f"{write(x, y)}\n{POINTS['pair'](y, x)}",
    }[step]
    assert not verdict("point", f"({x}, {y})", response, radius=1, coordinates="0-1000").correct, response


@pytest.mark.parametrize(
    "denied", ["It is not {}.", "Maybe {}.", "It could be {}.", "Is it {}?", "{} is wrong.", "Anything but {}."]
)
@pytest.mark.parametrize("name", ["list", "Qwen2.5-VL, no fence", "Qwen2-VL", "InternVL", "pairs"])
def test_a_box_that_is_denied_or_doubted_earns_nothing(name: str, denied: str):
    response = denied.format(BOXES[name](10, 20, 300, 400))
    assert not verdict("box", "[10, 20, 300, 400]", response).correct, response


def test_a_box_that_is_taken_back_earns_nothing():
    for after in (" Actually, no: it is elsewhere.", "\nOn second thought, I was wrong.", " or the other one"):
        assert not verdict("box", "[10, 20, 300, 400]", "<box>[[10, 20, 300, 400]]</box>" + after).correct, after


FLORENCE = "cat<loc_10><loc_20><loc_300><loc_400>"
PALIGEMMA = "<loc0020><loc0010><loc0400><loc0300> cat"


def test_location_tokens_say_their_own_scale_and_order():
    (box,) = read_regions(FLORENCE, "box").found
    assert box.numbers == pytest.approx((0.0105, 0.0205, 0.3005, 0.4005))  # middles of the bins
    assert (box.order, box.unit, box.label) == ("xyxy", True, "cat")
    (box,) = read_regions(PALIGEMMA, "box").found
    assert box.numbers == (20 / 1024, 10 / 1024, 400 / 1024, 300 / 1024)
    assert (box.order, box.label) == ("yxyx", "cat")
    # the docstring of transformers' processing_kosmos2.py
    text = "<phrase>a snowman</phrase><object><patch_index_0044><patch_index_0863></object>"
    (box,) = read_regions(text, "box").found
    assert box.numbers == (0.390625, 0.046875, 0.984375, 0.828125)
    assert (box.unit, box.label) == (True, "a snowman")


@given(corners())
def test_bins_agree_with_the_box_they_were_made_from(box: Corners):
    bins = [min(999, n) for n in box]
    florence = "".join(f"<loc_{n}>" for n in bins)
    left, top, right, bottom = (min(1023, round(n * 1.024)) for n in box)
    paligemma = f"<loc{top:04}><loc{left:04}><loc{bottom:04}><loc{right:04}> cat"
    for response in (florence, paligemma, f"cat{florence}", f"</s><s>cat{florence}</s>"):
        assert verdict("box", str(list(box)), response, threshold=0.85, coordinates="0-1000").correct, response
    turned = f"<loc{left:04}><loc{top:04}><loc{right:04}><loc{bottom:04}> cat"
    if abs(left - top) > 60:
        assert not verdict("box", str(list(box)), turned, threshold=0.85, coordinates="0-1000").correct


def test_location_tokens_need_a_declared_scale_of_the_gold():
    found = verdict("box", "[10, 20, 300, 400]", FLORENCE)
    assert not found.correct
    assert "declared" in found.note


def with_image(verifier: str, gold: str, size: tuple[int, int], **metadata: object) -> Problem:
    file = io.BytesIO()
    Pillow.new("RGB", size).save(file, "PNG")
    return Problem(
        (Image.from_bytes(file.getvalue()), Text("Where?")), gold, verifier, "real", "test", metadata=metadata
    )


def _written(box: Corners, size: tuple[int, int], name: str) -> str:
    width, height = size
    wide, high = resized_size(width, height, 28, 3136, 200_000)
    extent = {
        "pixels": size,
        "resized_pixels": (wide, high),
        "0-1": (1, 1),
        "0-100": (100, 100),
        "0-1000": (1000, 1000),
    }
    x, y = extent[name]
    return str([round(n / s * e, 9) for n, s, e in zip(box, (width, height) * 2, (x, y) * 2, strict=True)])


CONVENTIONS = ("pixels", "resized_pixels", "0-1", "0-100", "0-1000")
RESIZED = {"factor": 28, "min_pixels": 3136, "max_pixels": 200_000}


@pytest.mark.parametrize("gold_in", CONVENTIONS)
@pytest.mark.parametrize("answer_in", CONVENTIONS)
def test_conventions_agree_and_the_wrong_one_is_wrong(answer_in: str, gold_in: str):
    draws = random.Random(f"{answer_in} {gold_in}")
    for _ in range(12):
        size = (draws.randrange(400, 1900), draws.randrange(400, 1900))
        left, top = draws.randrange(size[0] - 200), draws.randrange(size[1] - 200)
        box = (left, top, left + draws.randrange(50, 200), top + draws.randrange(50, 200))
        asked = with_image(
            "box",
            _written(box, size, gold_in),
            size,
            coordinates=answer_in,
            gold_coordinates=gold_in,
            resized=RESIZED,
            threshold=0.999,
        )
        assert gold_problem(asked) is None
        assert judge(asked, _written(box, size, answer_in)).correct
        for other in CONVENTIONS:
            if other != answer_in:
                assert not judge(asked, _written(box, size, other)).correct, (other, size, box)


def test_a_place_outside_the_image_is_wrong_and_never_clamped():
    asked = with_image("box", "[600, 300, 640, 480]", (640, 480), coordinates="pixels", threshold=0.3)
    assert judge(asked, "[600, 300, 640, 480]").correct
    for response in ("[600, 300, 641, 480]", "[600, 300, 640, 480.5]", "[-1, 300, 640, 480]"):
        found = judge(asked, response)
        assert (found.correct, found.fault) == (False, None)
        assert "outside the image" in found.note
    near = with_image("point", "(639, 479)", (640, 480), coordinates="pixels", radius=5)
    assert judge(near, "(640, 480)").correct
    assert "outside the image" in judge(near, "(641, 480)").note


@pytest.mark.parametrize(
    ("verifier", "gold", "metadata"),
    [
        ("box", "[600, 300, 641, 480]", {}),
        ("box", "[[1, 2, 30, 40], [5, 6, 70, 80]]", {}),
        ("box", "[30, 40, 1, 2]", {}),
        ("boxes", "[[0, 0, 10, 10], [600, 300, 641, 480]]", {}),
        ("point", "(641, 3)", {"radius": 5}),
        ("point", "", {"region": [600, 300, 641, 480]}),
        ("point", "", {"region": [[0, 0], [10, 0], [0, 481]]}),
        ("point", "(3, 4)", {}),
    ],
)
def test_a_gold_outside_the_image_is_named_before_training(verifier: str, gold: str, metadata: dict[str, object]):
    asked = with_image(verifier, gold, (640, 480), coordinates="pixels", **metadata)
    assert gold_problem(asked) is not None


def test_what_the_recipe_declares_must_be_known():
    for metadata in (
        {"coordinates": "thousandths"},
        {"layout": "xxyy"},
        {"corners": "swapped"},
        {"gold_coordinates": "px"},
    ):
        with pytest.raises(ConfigError, match="unknown"):
            gold_problem(problem("box", "[1, 2, 3, 4]", **metadata))
    no_image = gold_problem(problem("box", "[1, 2, 3, 4]", coordinates="pixels"))
    assert no_image is not None
    assert "image_size" in no_image
    assert gold_problem(problem("box", "[1, 2, 3, 4]", coordinates="pixels", image_size=[640, 480])) is None


def test_a_turned_photograph_has_the_size_that_is_seen():
    file = io.BytesIO()
    image = Pillow.new("RGB", (640, 480))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(file, "JPEG", exif=exif)
    prompt = (Image.from_bytes(file.getvalue()), Text("Where?"))
    asked = Problem(prompt, "[10, 500, 100, 640]", "box", "real", "test", metadata={"coordinates": "pixels"})
    assert gold_problem(asked) is None


@pytest.mark.parametrize("layout", ["xyxy", "yxyx", "xywh", "cxcywh"])
def test_the_order_of_the_numbers_is_declared(layout: str):
    written = {
        "xyxy": [10, 20, 110, 60],
        "yxyx": [20, 10, 60, 110],
        "xywh": [10, 20, 100, 40],
        "cxcywh": [60, 40, 100, 40],
    }
    asked = problem("box", "[10, 20, 110, 60]", layout=layout, gold_layout="xyxy", threshold=0.99)
    assert gold_problem(asked) is None
    for name, numbers in written.items():
        assert judge(asked, str(numbers)).correct == (name == layout)
    assert judge(asked, '{"x1": 10, "y1": 20, "x2": 110, "y2": 60}').correct  # names stand above the declared order


def test_swapped_corners_are_right_only_where_the_recipe_says_so():
    for swapped in ("[110, 60, 10, 20]", "[10, 60, 110, 20]"):
        assert not verdict("box", "[10, 20, 110, 60]", swapped).correct
        assert verdict("box", "[10, 20, 110, 60]", swapped, corners="any").correct


SEVERAL = {
    "Qwen2.5-VL": '```json\n[{"bbox_2d": [10, 20, 30, 40], "label": "cat"}, '
    '{"bbox_2d": [50, 60, 70, 80], "label": "dog"}]\n```',
    "Qwen2-VL": "<|object_ref_start|>dog<|object_ref_end|><|box_start|>(50,60),(70,80)<|box_end|> and "
    "<|object_ref_start|>cat<|object_ref_end|><|box_start|>(10,20),(30,40)<|box_end|>",
    "InternVL": "<ref>cat</ref><box>[[10, 20, 30, 40]]</box>\n<ref>dog</ref><box>[[50, 60, 70, 80]]</box>",
    "lines": '{"bbox_2d": [10, 20, 30, 40], "label": "cat"}\n{"bbox_2d": [50, 60, 70, 80], "label": "dog"}',
}


@pytest.mark.parametrize("name", SEVERAL)
def test_several_boxes_are_read_with_their_labels_in_any_order(name: str):
    gold = json.dumps([{"bbox_2d": [50, 60, 70, 80], "label": "dog"}, {"bbox_2d": [10, 20, 30, 40], "label": "cat"}])
    assert verdict("boxes", gold, SEVERAL[name]).correct
    assert not verdict("boxes", gold.replace("dog", "cow"), SEVERAL[name]).correct
    assert not verdict("boxes", json.dumps([{"bbox_2d": [10, 20, 30, 40], "label": "cat"}]), SEVERAL[name]).correct
    assert not verdict("box", "[10, 20, 30, 40]", SEVERAL[name]).correct  # two answers are none


def test_one_label_may_have_several_boxes():
    gold = "[[10, 20, 30, 40], [50, 60, 70, 80]]"
    for response in (
        "<box>[[50, 60, 70, 80], [10, 20, 30, 40]]</box>",
        "[[50, 60, 70, 80], [10, 20, 30, 40]]",
        '{"boxes": [[10, 20, 30, 40], [50, 60, 70, 80]]}',
        "The boxes are [10, 20, 30, 40] and [50, 60, 70, 80].",
        "(10,20),(30,40)\n(50,60),(70,80)",
    ):
        assert verdict("boxes", gold, response).correct, response
    read = read_regions(
        "cat<loc_1><loc_2><loc_30><loc_40><loc_5><loc_6><loc_70><loc_80>dog<loc_1><loc_2><loc_3><loc_4>", "box"
    )
    assert [region.label for region in read.found] == ["cat", "cat", "dog"]
    assert read.whole
    read = read_regions("<loc0001><loc0002><loc0030><loc0040> cat ; <loc0001><loc0002><loc0030><loc0040> dog", "box")
    assert [region.label for region in read.found] == ["cat", "dog"]
    assert read.whole
    first, second = "<patch_index_0001><patch_index_0100>", "<patch_index_0002><patch_index_0200>"
    two = f"<object>{first}</delimiter_of_multi_objects/>{second}</object>"
    assert len(read_regions(two, "box").found) == 2
    assert read_regions(two, "box").whole


@pytest.mark.parametrize(
    "response",
    [
        '{"bbox_2d": [10, 20, 30, 40], "bbox_2d": [1, 2, 3, 4]}',
        '{"bbox_2d": [10, 20, 30, 40], "bbox": [1, 2, 3, 4]}',
        '[{"bbox_2d": [10, 20, 30, 40]}',
        '[{"bbox_2d": [10, 20, 30, 40]}, {"bbox_2d": [1, 2',
        '{"bbox_2d": ["10", "20", "30", "40"]}',
        '{"bbox_2d": [10, 20, 30]}',
        "<loc_10><loc_20><loc_30>",
        "<loc_1000><loc_20><loc_30><loc_40>",
        "<loc0010><loc0020><loc0030><loc9999>",
        "<patch_index_0001>",
        "<patch_index_0001><patch_index_1024>",
        "[10, 20, 30, 40, 50, 60, 70, 80]",
        "[10px, 20px, 30px, 40px]",
        "drag(start_box='(10,20)', end_box='(30,40)')" + " or (1, 2)",
        "<box>10,20,30</box>",
        "[1" * 20_000,
        '{"' * 20_000,
        "<point x=" * 5_000,
        "(1,2)" * 8_000,
        "<loc_1>" * 5_001,
    ],
)
def test_what_is_no_one_box_of_the_image_earns_nothing(response: str):
    assert not verdict("box", "[10, 20, 30, 40]", response, coordinates="0-1000", threshold=0.5).correct
    assert not verdict("box", "[10, 20, 30, 40]", f"<answer>{response}</answer>", coordinates="0-1000").correct


@pytest.mark.parametrize(("width", "height"), [(640, 480), (1920, 1080), (31, 500), (20, 21), (4000, 3000), (5, 900)])
def test_resizing_is_that_of_the_processor(width: int, height: int):
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    high, wide = smart_resize(height, width, 28, 3136, 1_003_520)
    assert resized_size(width, height, 28, 3136, 1_003_520) == (wide, high)


CORNERS = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(50, 99), st.integers(50, 99))
CLICKS = ["<click>{}, {}</click>", "<click>({}, {})</click>", "<tap>{} {}</tap>"]
SIDES = [
    "<|ref|>dog<|/ref|><|det|>[[{0}, {1}, {2}, {3}]]<|/det|>", "The dog <|det|>[[{0}, {1}, {2}, {3}]]<|/det|>",
    "<|begin_of_box|>[{0},{1},{2},{3}]<|end_of_box|>",
    "The dog is at <|begin_of_box|>[[{0},{1},{2},{3}]]<|end_of_box|>.",
    "<p>dog</p> {{<{0}><{1}><{2}><{3}>}}", "{{<{0}><{1}><{2}><{3}>}}", "x_min={0}, y_min={1}, x_max={2}, y_max={3}",
    "x_min: {0}, x_max: {2}, y_min: {1}, y_max: {3}", "xmin={0} ymin={1} xmax={2} ymax={3}",
    "Left: {0}, top: {1}, right: {2}, bottom: {3}", "x1={0}, y1={1}, x2={2}, y2={3}",
    "Top-left: ({0}, {1}), bottom-right: ({2}, {3})", "左上角: ({0}, {1}), 右下角: ({2}, {3})",
    "The top-left corner is at ({0}, {1}) and the bottom-right corner is at ({2}, {3}).",
]  # fmt: skip


@given(CORNERS, st.sampled_from(SIDES), st.sampled_from(["{}", "<answer>{}</answer>", "\\boxed{{{}}}"]))
def test_the_sides_of_a_box_may_be_named_in_any_notation(corners, form, wrapped):
    if " is at " in form or form.startswith("The"):
        wrapped = "{}"  # words around it are prose
    asked = problem("box", str(list(corners)), "Locate the dog.", coordinates="0-100", threshold=0.999)
    assert judge(asked, wrapped.format(form.format(*corners))).correct
    assert not judge(asked, wrapped.format(form.format(*(c + 1 for c in corners)))).correct


@given(CORNERS)
def test_corners_under_another_name_are_no_box(corners):
    asked = problem("box", str(list(corners)), "Locate the dog.", coordinates="0-100")
    for form in ("Top-right: ({0}, {1}), bottom-left: ({2}, {3})", "Bottom-right: ({0}, {1}), top-left: ({2}, {3})",
                 "x_max={0}, y_min={1}, x_max={2}, y_max={3}"):  # fmt: skip
        assert not judge(asked, form.format(*corners)).correct, form


@given(st.integers(0, 999), st.integers(0, 999), st.sampled_from(CLICKS))
def test_a_click_may_be_a_tag(x, y, form):
    asked = problem("point", f"({x}, {y})", "Click the button.", radius=0.5)
    assert judge(asked, form.format(x, y)).correct
    assert not judge(asked, form.format(x + 1, y)).correct


@pytest.mark.parametrize("layout", ["yxyx", "xywh", "cxcywh"])
def test_the_layout_of_answers_says_nothing_of_the_gold(layout):
    asked = problem("box", "[10, 20, 40, 90]", layout=layout, threshold=0.999)
    written = {"yxyx": "[20, 10, 90, 40]", "xywh": "[10, 20, 30, 70]", "cxcywh": "[25, 55, 30, 70]"}[layout]
    assert judge(asked, written).correct
    assert not judge(asked, "[10, 20, 40, 90]").correct


@pytest.mark.parametrize(
    ("label", "question", "right"),
    [
        ("cat", "Locate the dog.", False),
        ("dogs", "Locate the dog.", True),
        ("object", "Locate the dog.", True),
        ("the brown dog", "Where is the dog?", True),
        ("cat", "What is this? Answer with a box.", True),
        ("red car", "Give the bounding box of the blue truck.", False),
    ],
)
def test_a_label_names_what_is_asked(label: str, question: str, right: bool):
    said = f'{{"bbox_2d": [1, 2, 30, 40], "label": "{label}"}}'
    assert judge(problem("box", "[1, 2, 30, 40]", question), said).correct is right


@pytest.mark.parametrize(
    "shown", ["e.g. @", "The format is @.", "I don't know. @", "There is no dog in the image. @", "Example: @"]
)
def test_a_box_that_a_clause_only_shows_is_none(shown: str):
    asked = problem("box", "[100, 200, 300, 400]", "Locate the dog.")
    assert judge(asked, "The dog is at [100, 200, 300, 400].").correct
    assert not judge(asked, shown.replace("@", "[100, 200, 300, 400]")).correct

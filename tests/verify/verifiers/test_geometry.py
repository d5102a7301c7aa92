"""The verifiers `box`, `boxes` and `point`."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patience import answered, problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.types import Verdict
from vlrl.verify.gold_check import gold_problem
from vlrl.verify.judge import judge
from vlrl.verify.reading.region_grammar import read_regions
from vlrl.verify.verifiers.box import average_precision, boxes_f1, mean_average_precision
from vlrl.verify.verifiers.geometry import Box, inside, iou


def verdict(verifier: str, gold: str, answer: str, **metadata: object) -> Verdict:
    return judge(problem(verifier, gold, **metadata), answered(answer))


def test_iou_by_hand():
    assert iou(Box(0, 0, 2, 2), Box(1, 1, 3, 3)) == pytest.approx(1 / 7)
    assert iou(Box(0, 0, 1, 1), Box(1, 0, 2, 1)) == 0
    assert iou(Box(0, 0, 4, 4), Box(0, 0, 2, 4)) == 0.5


def boxes_of(size: int = 100) -> st.SearchStrategy[Box]:
    edge = st.integers(0, size)
    return st.tuples(edge, edge, edge, edge).map(
        lambda e: Box(min(e[0], e[2]), min(e[1], e[3]), max(e[0], e[2]) + 1, max(e[1], e[3]) + 1)
    )


@given(boxes_of(), boxes_of())
def test_iou_is_symmetric_bounded_and_one_only_for_the_same_box(a: Box, b: Box):
    assert iou(a, b) == iou(b, a)
    assert 0 <= iou(a, b) <= 1
    assert (iou(a, b) == 1) == (a == b)


@pytest.mark.parametrize(
    "text",
    [
        "[1, 2, 30, 40]",
        "1, 2, 30, 40",
        "(1, 2), (30, 40)",
        "[[1, 2], [30, 40]]",
        "<box>(1,2),(30,40)</box>",
        '{"bbox_2d": [1, 2, 30, 40]}',
        '```json\n[{"bbox_2d": [1, 2, 30, 40], "label": "cat"}]\n```',
        "[1.0, 2.0, 30.0, 40.0]",
        "1 2 30 40",
    ],
)
def test_every_claimed_form_of_a_box_is_read(text: str):
    read = read_regions(text, "box")
    assert read.whole
    assert [region.numbers for region in read.found] == [(1, 2, 30, 40)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1, 2, 30]",
        "[30, 40, 1, 2]",
        "[1, 2, 1, 2]",
        "[NaN, 2, 30, 40]",
        "[1, 2, Infinity, 40]",
        "[1, 2, 1e300, 40]",
        "box",
        "[[1, 2, 30, 40], [5, 6, 7, 8]]",
        "[true, 2, 30, 40]",
        "the box is [1, 2, 30, 40]",
        "[" * 100_000,
    ],
)
def test_what_is_no_single_box_is_refused(text: str):
    assert not verdict("box", "[1, 2, 30, 40]", text).correct


def test_the_threshold_decides_and_grading_gives_the_iou():
    gold, half = "[0, 0, 4, 4]", "[0, 0, 2, 4]"
    assert verdict("box", gold, half).score == 1
    assert verdict("box", gold, half, threshold=0.51).score == 0
    graded = verdict("box", gold, half, graded=True, threshold=0.75)
    assert (graded.score, graded.correct) == (0.5, False)
    assert verdict("box", gold, half, graded=True, floor=0.6).score == 0
    assert verdict("box", "[10, 10, 4, 4]", "[10, 10, 4, 4]", layout="xywh", gold_layout="xywh").score == 1


def test_a_gold_that_is_no_box_is_a_fault():
    assert verdict("box", "here", "[0, 0, 1, 1]").fault is not None


def test_boxes_f1_by_hand():
    gold = [Box(0, 0, 10, 10), Box(20, 0, 30, 10), Box(40, 0, 50, 10)]
    assert boxes_f1(gold, gold, 0.5) == 1
    assert boxes_f1(gold, gold[:2], 0.5) == pytest.approx(0.8)
    assert boxes_f1(gold, [gold[0]] * 3, 0.5) == pytest.approx(1 / 3)  # one box thrice matches one
    assert boxes_f1([], [], 0.5) == 1
    assert boxes_f1(gold, [], 0.5) == 0
    # a greedy matching would take the pair (gold 0, found 0) and leave one; the best one has two
    near = [Box(0, 0, 10, 10), Box(5, 0, 15, 10)]
    assert boxes_f1(near, [Box(3, 0, 13, 10), Box(0, 0, 10, 10)], 0.5) == 1


def test_labels_must_agree():
    gold = [Box(0, 0, 10, 10, "cat")]
    assert boxes_f1(gold, [Box(0, 0, 10, 10, "Cat ")], 0.5) == 1
    assert boxes_f1(gold, [Box(0, 0, 10, 10, "dog")], 0.5) == 0


def test_average_precision_by_hand():
    gold = [Box(0, 0, 10, 10), Box(20, 0, 30, 10)]
    miss = Box(60, 0, 70, 10, confidence=0.9)
    first, second = Box(0, 0, 10, 10, confidence=0.8), Box(20, 0, 30, 10, confidence=0.7)
    assert average_precision(gold, [first, second], 0.5) == 1
    assert average_precision(gold, [miss, first, second], 0.5) == pytest.approx(
        2 / 3
    )  # precisions 0, 1/2, 2/3 → 2/3, 2/3
    assert average_precision(gold, [first], 0.5) == 0.5
    # IoU 0.8 passes seven of the ten thresholds 0.50 … 0.95
    assert mean_average_precision([Box(0, 0, 10, 10)], [Box(0, 0, 10, 8)]) == pytest.approx(0.7)


def test_boxes_are_correct_when_all_are_found_and_no_more():
    gold = "[[0, 0, 10, 10], [20, 20, 30, 30]]"
    assert verdict("boxes", gold, "[[20, 20, 30, 30], [0, 0, 10, 10]]").correct
    assert not verdict("boxes", gold, "[[0, 0, 10, 10]]").correct
    assert verdict("boxes", gold, "[[0, 0, 10, 10]]", graded=True).score == pytest.approx(2 / 3)
    assert verdict("boxes", gold, "[[0, 0, 10, 10]]", correct_at=0.6).correct
    assert verdict("boxes", "[]", "[]").correct
    assert verdict("boxes", gold, "[[20, 20, 30, 30], [0, 0, 10, 10]]", metric="map").correct
    assert verdict("boxes", gold, "[]", metric="area").fault is not None


@given(st.lists(boxes_of(), max_size=6))
def test_the_gold_boxes_are_right_in_any_order(gold: list[Box]):
    text = json.dumps([[b.left, b.top, b.right, b.bottom] for b in gold])
    back = json.dumps([[b.left, b.top, b.right, b.bottom] for b in reversed(gold)])
    assert verdict("boxes", text, back).score == 1
    assert read_regions(text, "box").whole


@pytest.mark.parametrize(
    "text",
    [
        "(3, 4)",
        "[3, 4]",
        "3, 4",
        "3 4",
        "x = 3, y = 4",
        '<point x="3" y="4">cat</point>',
        '{"point_2d": [3, 4]}',
        '{"x": 3, "y": 4}',
    ],
)
def test_every_claimed_form_of_a_point_is_read(text: str):
    read = read_regions(text, "point")
    assert read.whole
    assert [region.numbers for region in read.found] == [(3, 4)]


def test_a_point_is_in_its_region_or_near_its_gold():
    triangle = [[0, 0], [10, 0], [0, 10]]
    assert verdict("point", "", "(2, 2)", region=triangle).correct
    assert verdict("point", "", "(5, 5)", region=triangle).correct  # on the edge
    assert not verdict("point", "", "(6, 6)", region=triangle).correct
    assert verdict("point", "", "(5, 5)", region=[0, 0, 10, 10]).correct
    assert verdict("point", "(0, 0)", "(3, 4)", radius=5).correct
    assert not verdict("point", "(0, 0)", "(3, 4)", radius=4.99).correct
    assert verdict("point", "(0, 0)", "(3, 4)", radius=10, graded=True).score == 0.5
    assert verdict("point", "(0, 0)", "(3, 4)").fault is not None
    assert verdict("point", "", "(3, 4)", region="here").fault is not None


def test_a_concave_polygon_has_an_outside_between_its_arms():
    horseshoe = [(0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (6.0, 9.0), (6.0, 3.0), (3.0, 3.0), (3.0, 9.0), (0.0, 9.0)]
    assert inside((1, 8), horseshoe)
    assert not inside((4.5, 8), horseshoe)


OBJECTS = [(100, 100), (400, 300), (700, 900)]
MOLMO = '<points x1="10.0" y1="10.1" x2="40" y2="29.9" x3="70" y3="90" alt="cat">cat</points>'


@pytest.mark.parametrize(
    "response",
    [
        "[(400, 300), (100, 100), (700, 900)]",
        "(700, 900), (400, 301) and (100, 100)",
        '[{"point_2d": [100, 100]}, {"point_2d": [400, 300]}, {"point_2d": [700, 900]}]',
        "There are three cats: (100, 100), (400, 300), (700, 900).",
    ],
)
def test_points_are_matched_one_to_one_in_any_order(response: str):
    gold = str(OBJECTS)
    for answer in (
        response,
        f"<answer>{response}</answer>" if response[0] in "[(" and "and" not in response else response,
    ):
        assert judge(problem("points", gold, radius=5), answer).correct, answer
    regions = [[x - 5, y - 5, x + 5, y + 5] for x, y in OBJECTS]
    assert judge(problem("points", "", regions=regions, coordinates="0-1000"), response).correct


def test_points_in_molmos_notation_count_by_pointing():
    asked = problem("points", str(OBJECTS), radius=5, coordinates="0-100", gold_coordinates="0-1000")
    assert judge(asked, f"Counting the {MOLMO} shows a total of 3.").correct
    assert not judge(asked, MOLMO.replace("90", "80")).correct


@pytest.mark.parametrize(
    ("response", "score"),
    [
        ("(100, 100), (400, 300)", 0.8),
        ("(100, 100), (400, 300), (700, 900), (1, 1)", 6 / 7),
        ("(100, 100), (101, 100), (400, 300)", 4 / 6),  # two points on one object
        ("(100, 100)", 0.5),
        ("(1, 1)", 0.0),
        ("(100, 100), (400, 300) or (700, 900)", 0.0),
        ("Not (100, 100), (400, 300), (700, 900).", 0.0),
        ("[]", 0.0),
        ("", 0.0),
    ],
)
def test_a_point_too_many_or_too_few_costs(response: str, score: float):
    found = judge(problem("points", str(OBJECTS), radius=5, graded=True), response)
    assert (found.score, found.correct, found.fault) == (pytest.approx(score), False, None)


def test_no_object_is_an_empty_list_and_a_gold_without_places_is_named():
    assert judge(problem("points", "[]", radius=5), "<answer>[]</answer>").correct
    assert not judge(problem("points", "[]", radius=5), "(1, 2)").correct
    assert gold_problem(problem("points", str(OBJECTS), radius=5)) is None
    assert gold_problem(problem("points", "", regions=[[1, 2, 3, 4], [[0, 0], [5, 0], [0, 5]]])) is None
    assert gold_problem(problem("points", str(OBJECTS))) is not None
    assert gold_problem(problem("points", "three", radius=5)) is not None

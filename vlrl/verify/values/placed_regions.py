"""Regions as they were written, as boxes and points in the gold's coordinates; or why they are none."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from vlrl.errors import ConfigError, DataError, did_you_mean
from vlrl.types import Problem, Verdict
from vlrl.verify.reading.clause.subject import names_another_object
from vlrl.verify.reading.region_grammar import MAX_REGIONS, Kind, Region
from vlrl.verify.reading.regions import declared_regions
from vlrl.verify.values.image_frame import UNIT, Frame, frames_of
from vlrl.verify.verifiers.geometry import MAX_COORDINATE, Box
from vlrl.verify.words.languages import words

_LOCATES = re.compile(words("locates"), re.IGNORECASE)
LAYOUTS = ("xyxy", "yxyx", "xywh", "cxcywh")
CORNERS = ("ordered", "any")


class NoPlaceError(ValueError):
    """A region that is no box or point of the image: its message is the verdict's note."""


@dataclass(frozen=True)
class Placing:
    """How numbers become places.

    source, target  the frame of the numbers and the one they are wanted in; None where none is declared
    layout          order of a box's four numbers where its notation doesn't say it; a point's is y, x under "yxyx"
    corners         "ordered": left < right and top < bottom; "any": two opposite corners in any order
    """

    source: Frame | None
    target: Frame | None
    layout: str = "xyxy"
    corners: str = "ordered"

    def box(self, region: Region) -> Box:
        """The box in the target's coordinates. Raises NoPlaceError for corners in the wrong order, an empty box, and
        what lies outside the image."""
        first, second, third, fourth = region.numbers
        layout = region.order or self.layout
        if layout == "yxyx":
            left, top, right, bottom = second, first, fourth, third
        elif layout == "xywh":
            left, top, right, bottom = first, second, first + third, second + fourth
        elif layout == "cxcywh":
            left, top = first - third / 2, second - fourth / 2
            right, bottom = first + third / 2, second + fourth / 2
        else:
            left, top, right, bottom = first, second, third, fourth
        if self.corners == "any":
            left, right, top, bottom = min(left, right), max(left, right), min(top, bottom), max(top, bottom)
        if not (left < right and top < bottom):
            raise NoPlaceError("an empty box, or corners in another order than declared")
        (left, top), (right, bottom) = self._place(region, left, top), self._place(region, right, bottom)
        return Box(left, top, right, bottom, region.label, region.confidence)

    def point(self, region: Region) -> tuple[float, float]:
        """The point in the target's coordinates. Raises NoPlaceError for what lies outside the image."""
        x, y = region.numbers
        swapped = region.order == "yx" or (not region.order and self.layout == "yxyx")
        return self._place(region, *((y, x) if swapped else (x, y)))

    def _place(self, region: Region, x: float, y: float) -> tuple[float, float]:
        source = UNIT if region.unit else self.source
        if source is None or self.target is None:
            if source is not self.source:
                raise NoPlaceError("location tokens, and `coordinates` of the golds aren't declared")
            if max(abs(x), abs(y)) > MAX_COORDINATE:
                raise NoPlaceError("beyond every image")
            return x, y
        if not source.holds(x, y):
            raise NoPlaceError(f"({x:g}, {y:g}) is outside the image, {source.width:g} × {source.height:g}")
        return source.to(self.target, x, y)


def placings_of(problem: Problem) -> tuple[Placing, Placing]:
    """How the answers to this problem are read, and how its gold is.

    Metadata, besides that of `image_frame`: `layout` of answers, one of `LAYOUTS`, and `gold_layout` of golds, each
    "xyxy" unless given; `corners`, one of `CORNERS`, of answers. Raises ConfigError for unknown ones.
    """
    layout = str(problem.metadata.get("layout", "xyxy"))
    gold_layout = str(problem.metadata.get("gold_layout", "xyxy"))
    corners = str(problem.metadata.get("corners", "ordered"))
    for fact, value, known in (
        ("layout", layout, LAYOUTS),
        ("gold_layout", gold_layout, LAYOUTS),
        ("corners", corners, CORNERS),
    ):
        if value not in known:
            raise ConfigError(f"metadata.{fact}", f"unknown {value!r}", did_you_mean(value, known))
    frames = frames_of(problem)
    if frames is None:
        return Placing(None, None, layout, corners), Placing(None, None, gold_layout)
    answers, golds = frames
    return Placing(answers, golds, layout, corners), Placing(golds, golds, gold_layout)


@dataclass(frozen=True)
class Placed:
    """The boxes or points of a response in the gold's coordinates, the text they were read from, and the verdict where
    there are none."""

    found: list[Any]
    text: str | None
    wrong: Verdict | None = None


def placed(response: str, kind: Kind, answers: Placing, question: str, one: bool = False) -> Placed:
    """What a response answers to a question, as boxes or as points; of one thing, its label must not name another."""
    declared = declared_regions(response, kind, question)
    if declared.regions is None:
        return Placed([], declared.text, Verdict.wrong(declared.note, declared.text))
    if len(declared.regions) > MAX_REGIONS:
        return Placed([], declared.text, Verdict.wrong(f"more than {MAX_REGIONS} of a {kind}", declared.text))
    if (
        one
        and _LOCATES.search(question)
        and any(names_another_object(region.label, question) for region in declared.regions)
    ):
        return Placed([], declared.text, Verdict.wrong("the label names another object", declared.text))
    try:
        found = [answers.box(r) if kind == "box" else answers.point(r) for r in declared.regions]
    except NoPlaceError as error:
        return Placed([], declared.text, Verdict.wrong(str(error), declared.text))
    return Placed(found, declared.text)


def placed_gold(problem: Problem, golds: Placing, region: Region, written: str) -> Any:
    """A region of the gold in its own coordinates. Raises DataError where it is none, or lies outside the image."""
    try:
        return golds.box(region) if region.kind == "box" else golds.point(region)
    except NoPlaceError as error:
        remedy = "mend it, or declare its convention: metadata coordinates, gold_coordinates, gold_layout"
        raise DataError(f"problem {problem.id}", f"{written}: {error}", remedy) from error


def in_answers(problem: Problem, x: float, y: float) -> tuple[float, float]:
    """A place of the gold in the coordinates of the answers."""
    answers, golds = placings_of(problem)
    if golds.target is not None and answers.source is not None:
        x, y = golds.target.to(answers.source, x, y)
    return round(x, 12), round(y, 12)


def point_as_answer(problem: Problem, point: tuple[float, float]) -> str:
    """A gold point as an answer in the convention of the answers."""
    x, y = in_answers(problem, *point)
    return f"({y}, {x})" if placings_of(problem)[0].layout == "yxyx" else f"({x}, {y})"


def boxes_as_answer(problem: Problem, boxes: list[Box]) -> str:
    """Gold boxes as an answer in the convention of the answers, as JSON."""
    written = []
    for box in boxes:
        (left, top), (right, bottom) = (
            in_answers(problem, box.left, box.top),
            in_answers(problem, box.right, box.bottom),
        )
        numbers = {
            "xyxy": (left, top, right, bottom),
            "yxyx": (top, left, bottom, right),
            "xywh": (left, top, right - left, bottom - top),
            "cxcywh": ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top),
        }[placings_of(problem)[0].layout]
        written.append({"bbox_2d": [round(n, 12) for n in numbers], "label": box.label, "score": box.confidence})
    return json.dumps(written, ensure_ascii=False)


def measured(value: float, correct: bool, problem: Problem, answer: str | None, name: str) -> Verdict:
    """The verdict on a measure in [0, 1]: the score is the measure itself where `graded` is asked (0 below `floor`)."""
    note, score = f"{name} {value:.3f}", float(correct)
    if problem.metadata.get("graded"):
        score = min(1.0, value) if value >= float(problem.metadata.get("floor", 0.0)) else 0.0
    return Verdict(score, correct, answer, note)

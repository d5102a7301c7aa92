"""Regions as they were written, as boxes and points in the gold's coordinates; or why they are none."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from vlrl.errors import ConfigError, did_you_mean
from vlrl.types import Problem
from vlrl.verify.reading.region_grammar import Region
from vlrl.verify.values.image_frame import UNIT, Frame, frames_of
from vlrl.verify.verifiers.geometry import MAX_COORDINATE, Box

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

    Facts, besides those of `image_frame`: `layout` of answers, one of `LAYOUTS`, and `gold_layout` (the same unless
    given); `corners`, one of `CORNERS`, of answers. Raises ConfigError for unknown ones.
    """
    layout = str(problem.metadata.get("layout", "xyxy"))
    gold_layout = str(problem.metadata.get("gold_layout", layout))
    corners = str(problem.metadata.get("corners", "ordered"))
    for fact, value, known in (
        ("layout", layout, LAYOUTS),
        ("gold_layout", gold_layout, LAYOUTS),
        ("corners", corners, CORNERS),
    ):
        if value not in known:
            raise ConfigError(f"facts.{fact}", f"unknown {value!r}", did_you_mean(value, known))
    frames = frames_of(problem)
    if frames is None:
        return Placing(None, None, layout, corners), Placing(None, None, gold_layout)
    answers, golds = frames
    return Placing(answers, golds, layout, corners), Placing(golds, golds, gold_layout)


def as_answer(boxes: list[Box], problem: Problem) -> str:
    """Gold boxes as an answer in the convention of the answers, as JSON."""
    answers, golds = placings_of(problem)
    written = []
    for box in boxes:
        left, top, right, bottom = box.left, box.top, box.right, box.bottom
        if golds.target is not None and answers.source is not None:
            left, top = golds.target.to(answers.source, left, top)
            right, bottom = golds.target.to(answers.source, right, bottom)
        numbers = {
            "xyxy": (left, top, right, bottom),
            "yxyx": (top, left, bottom, right),
            "xywh": (left, top, right - left, bottom - top),
            "cxcywh": ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top),
        }[answers.layout]
        written.append({"bbox_2d": [round(n, 12) for n in numbers], "label": box.label, "score": box.confidence})
    return json.dumps(written, ensure_ascii=False)


def without_label(box: Box) -> Box:
    """The place alone."""
    return replace(box, label="", confidence=1.0)

"""Boxes and points that a model wrote as text: read strictly, compared by area and distance. Units are the image's."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

MAX_COORDINATE = 1e6
MAX_BOXES = 300  # ours: who lists more boxes is covering the picture

_COORDINATE = r"-?[0-9]{1,7}(?:\.[0-9]{1,12})?"
_GAP = r"[\s,;]{1,4}|\s{0,2}\)\s{0,2},?\s{0,2}\(\s{0,2}|\s{0,2}\]\s{0,2},\s{0,2}\[\s{0,2}"
_FOUR = re.compile(
    rf"\s{{0,2}}[\[(]{{0,2}}\s{{0,2}}({_COORDINATE})(?:{_GAP})({_COORDINATE})(?:{_GAP})({_COORDINATE})(?:{_GAP})({_COORDINATE})\s{{0,2}}[\])]{{0,2}}\.?"
)
_TWO = re.compile(
    rf"[\[(\s]{{0,4}}(?:x\s?=\s?)?({_COORDINATE})[\s,;]{{1,4}}(?:y\s?=\s?)?({_COORDINATE})[\])\s]{{0,4}}\.?"
)
_POINT_TAG = re.compile(rf'<point x="({_COORDINATE})" y="({_COORDINATE})"[^<>]{{0,100}}>(?:[^<>]{{0,100}}</point>)?')
_BOX_TAG = re.compile(r"</?(?:box|bbox)>|<\|/?box_(?:start|end)\|>|```(?:json)?")
_BOX_KEYS = ("bbox_2d", "bbox", "box", "box_2d")
_POINT_KEYS = ("point_2d", "point")


@dataclass(frozen=True)
class Box:
    """Left, top, right, bottom, with left < right and top < bottom; `label` and `confidence` where they are given."""

    left: float
    top: float
    right: float
    bottom: float
    label: str = ""
    confidence: float = 1.0

    @property
    def area(self) -> float:
        """Width × height, > 0."""
        return (self.right - self.left) * (self.bottom - self.top)


def make_box(values: Any, layout: str = "xyxy", label: str = "", confidence: float = 1.0) -> Box | None:
    """A box of four finite numbers; None where they are no box (NaN, turned round, empty, beyond ±10⁶)."""
    if not isinstance(values, (list, tuple)) or len(values) != 4:
        return None
    if not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
        return None
    if not all(math.isfinite(v) and abs(v) <= MAX_COORDINATE for v in values):
        return None
    left, top, right, bottom = (float(v) for v in values)
    if layout == "xywh":
        right, bottom = left + right, top + bottom
    return Box(left, top, right, bottom, label, confidence) if left < right and top < bottom else None


def read_box(text: str, layout: str = "xyxy") -> Box | None:
    """The one box that this text is: `[x, y, x, y]`, `(x, y), (x, y)`, `<box>…</box>`, `{"bbox_2d": […]}`."""
    boxes = read_boxes(text, layout)
    return boxes[0] if boxes is not None and len(boxes) == 1 else None


def read_boxes(text: str, layout: str = "xyxy") -> list[Box] | None:
    """All boxes of a text that is a list of boxes and nothing else; None if it is not. An empty JSON list is no box."""
    text = _BOX_TAG.sub(" ", text).strip()
    match = _FOUR.fullmatch(text)
    if match:
        box = make_box([float(g) for g in match.groups()], layout)
        return None if box is None else [box]
    loaded = _load(text)
    if isinstance(loaded, dict):
        loaded = next((loaded[k] for k in ("boxes", "objects", "answer") if k in loaded), [loaded])
    if not isinstance(loaded, list) or len(loaded) > MAX_BOXES:
        return None
    found = []
    for item in loaded:
        label, confidence, values = "", 1.0, item
        if isinstance(item, dict):
            boxes = [item[k] for k in _BOX_KEYS if k in item]
            values = boxes[0] if len(boxes) == 1 else None
            label = str(item.get("label", ""))
            given = item.get("score", item.get("confidence", 1.0))
            if isinstance(given, bool) or not isinstance(given, (int, float)) or not math.isfinite(given):
                return None
            confidence = float(given)
        box = make_box(values, layout, label, confidence)
        if box is None:
            return None
        found.append(box)
    return found


def read_point(text: str) -> tuple[float, float] | None:
    """The one point that this text is: `(x, y)`, `[x, y]`, `x = …, y = …`, `<point x="…" y="…">`, `{"point_2d": …}`."""
    text = _BOX_TAG.sub(" ", text).strip()
    match = _TWO.fullmatch(text) or _POINT_TAG.fullmatch(text)
    if match:
        x, y = float(match[1]), float(match[2])
        return (x, y) if max(abs(x), abs(y)) <= MAX_COORDINATE else None
    loaded = _load(text)
    if isinstance(loaded, list) and len(loaded) == 1:
        loaded = loaded[0]
    if isinstance(loaded, dict):
        loaded = next((loaded[k] for k in _POINT_KEYS if k in loaded), [loaded.get("x"), loaded.get("y")])
    if not isinstance(loaded, list) or len(loaded) != 2:
        return None
    if not all(isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v) for v in loaded):
        return None
    return (float(loaded[0]), float(loaded[1])) if max(abs(v) for v in loaded) <= MAX_COORDINATE else None


def iou(a: Box, b: Box) -> float:
    """Intersection over union, in [0, 1]."""
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (a.area + b.area - shared)


def inside(point: tuple[float, float], polygon: list[tuple[float, float]]) -> bool:
    """Whether a point lies in a polygon (three corners or more) or on its edge; even–odd rule."""
    x, y = point
    within = False
    for (x1, y1), (x2, y2) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        cross = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)
        if cross == 0 and min(x1, x2) <= x <= max(x1, x2) and min(y1, y2) <= y <= max(y1, y2):
            return True
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            within = not within
    return within


def _load(text: str) -> Any:
    if len(text) > 100_000:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None

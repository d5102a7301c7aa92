"""Boxes and points of an image, compared by area and distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MAX_COORDINATE = 1e6  # of coordinates without a declared convention


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


def iou(a: Box, b: Box) -> float:
    """Intersection over union, in [0, 1]."""
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (a.area + b.area - shared)


def matching_f1(pairs: Sequence[Sequence[bool]], golds: int, found: int) -> float:
    """F1 of the one-to-one matching with the most pairs; pairs[g][f]: whether gold g and answer f belong together."""
    from scipy.optimize import linear_sum_assignment  # here, because reading it takes a third of a second

    if not golds or not found:
        return float(golds == found)
    table = np.array(pairs, dtype=float)
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float(2 * table[rows, columns].sum() / (golds + found))


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

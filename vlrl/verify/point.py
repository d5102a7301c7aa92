"""The verifier `point`: a place in the picture, inside a region or near a point."""

from __future__ import annotations

import math
from typing import Any

from vlrl.errors import DataError
from vlrl.types import Problem, Verdict
from vlrl.verify.geometry import inside, make_box, read_point
from vlrl.verify.judge import verifier
from vlrl.verify.reading.declared import extract


def declared_point(problem: Problem) -> list[str] | None:
    """The gold point; a region alone has no point that must be in it, so that there is nothing to check."""
    return None if problem.facts.get("radius") is None else [problem.answer.strip()]


@verifier("point", gold=declared_point)
def point(problem: Problem, response: str) -> Verdict:
    """One point in the gold's coordinates: inside facts.region, or within facts.radius of the gold point.

    Accepts `(x, y)`, `[x, y]`, `x = 3, y = 4`, `<point x="3" y="4">`, `{"point_2d": [x, y]}`. Rejects two points, NaN,
    infinity and text around the point. The edge of a region and the radius itself are inside.

    Facts (one of the two):
    region   `[x1, y1, x2, y2]`, or the corners of a polygon `[[x, y], …]`
    radius   largest distance to the gold point; with `graded` the score falls linearly from 1 at the point to 0 there

    Raises DataError if there is neither, or the gold is no point (the verdict is then a fault).
    """
    facts = problem.facts
    extraction = extract(response)
    region, radius = facts.get("region"), facts.get("radius")
    if region is None and radius is None:
        raise DataError(f"problem {problem.id}", "a point needs facts.region or facts.radius", "give one of them")
    gold = None if radius is None else read_point(problem.answer)
    if radius is not None and gold is None:
        raise DataError(f"problem {problem.id}", f"the gold {problem.answer!r} is not a point", 'write it as "(x, y)"')
    corners = None if region is None else polygon(region, problem)
    if extraction.answer is None:
        return Verdict.wrong(extraction.note)
    found = read_point(extraction.answer)
    if found is None:
        return Verdict.wrong("not a point", extraction.answer)
    if corners is not None and not inside(found, corners):
        return Verdict.wrong("outside the region", extraction.answer)
    if gold is None or radius is None:
        return Verdict.right(extraction.answer)
    distance = math.dist(found, gold)
    if distance > float(radius):
        return Verdict.wrong(f"{distance:.3g} away", extraction.answer)
    score = 1.0 - distance / float(radius) if facts.get("graded") and radius else 1.0
    return Verdict(score, True, extraction.answer, f"{distance:.3g} away")


def polygon(region: Any, problem: Problem) -> list[tuple[float, float]]:
    """The corners of a region given as a box or as corners. Raises DataError if it is neither."""
    box = make_box(region)
    if box is not None:
        return [(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)]
    if isinstance(region, (list, tuple)) and len(region) >= 3:
        corners = [read_point(str(list(c))) for c in region if isinstance(c, (list, tuple))]
        if len(corners) == len(region) and all(c is not None for c in corners):
            return [c for c in corners if c is not None]
    raise DataError(f"problem {problem.id}, facts.region", f"{region!r} is no region", "give a box or three corners")

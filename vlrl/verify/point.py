"""The verifier `point`: a place in the image, inside a region or near a point."""

from __future__ import annotations

import math
from typing import Any

from vlrl.errors import DataError
from vlrl.types import Problem, Verdict
from vlrl.verify.geometry import inside
from vlrl.verify.judge import verifier
from vlrl.verify.reading.region_grammar import Region, read_regions
from vlrl.verify.reading.regions import declared_regions
from vlrl.verify.values.placed_regions import NoPlaceError, Placing, placings_of


def declared_point(problem: Problem) -> list[str] | None:
    """The gold point in the convention of the answers; a region alone has no point that must be in it, so that there is
    nothing to check but the region."""
    answers, golds = placings_of(problem)
    gold_region(problem, golds)
    point = gold_point(problem, golds)
    if point is None:
        return None
    if answers.source is not None and golds.target is not None:
        point = golds.target.to(answers.source, *point)
    x, y = (round(c, 12) for c in point)
    return [f"({y}, {x})" if answers.layout == "yxyx" else f"({x}, {y})"]


@verifier("point", gold=declared_point)
def point(problem: Problem, response: str) -> Verdict:
    """One point: inside facts.region, or within facts.radius of the gold point.

    Accepts every notation of `reading/region_grammar.py`, alone where the answer is declared, with words around it
    elsewhere; of a click on a box, its middle. Rejects two different points, NaN, infinity, and what lies outside the
    image (never clamped). The edge of a region and the radius itself are inside.

    Facts (one of the first two):
    region   `[x1, y1, x2, y2]`, or the corners of a polygon `[[x, y], …]`, in the gold's coordinates
    radius   largest distance to the gold point, in the gold's coordinates; with `graded` the score falls linearly from
             1 at the point to 0 there
    coordinates, gold_coordinates, image_size, resized  in which convention: `values/image_frame.py`
    layout, gold_layout  "yxyx" for y before x

    Raises DataError if there is neither, or the gold is no point in the image (the verdict is then a fault).
    """
    facts = problem.facts
    answers, golds = placings_of(problem)
    corners, gold, radius = gold_region(problem, golds), gold_point(problem, golds), facts.get("radius")
    declared = declared_regions(response, "point")
    if declared.regions is None:
        return Verdict.wrong(declared.note, declared.text)
    try:
        places = {answers.point(region) for region in declared.regions}
    except NoPlaceError as error:
        return Verdict.wrong(str(error), declared.text)
    if len(places) != 1:
        return Verdict.wrong("more than one point" if places else "no point", declared.text)
    found = places.pop()
    if corners is not None and not inside(found, corners):
        return Verdict.wrong("outside the region", declared.text)
    if gold is None or radius is None:
        return Verdict.right(declared.text)
    distance = math.dist(found, gold)
    distance = 0.0 if distance < 1e-9 * max(1.0, *map(abs, gold)) else distance
    if distance > float(radius):
        return Verdict.wrong(f"{distance:.3g} away", declared.text)
    score = 1.0 - distance / float(radius) if facts.get("graded") and radius else 1.0
    return Verdict(score, True, declared.text, f"{distance:.3g} away")


def gold_point(problem: Problem, golds: Placing) -> tuple[float, float] | None:
    """The gold point; None where only a region is asked. Raises DataError if there is neither, or it is no point."""
    if problem.facts.get("radius") is None:
        if problem.facts.get("region") is None:
            raise DataError(f"problem {problem.id}", "a point needs facts.region or facts.radius", "give one of them")
        return None
    read = read_regions(problem.answer, "point")
    if not read.whole or len(read.found) != 1:
        raise DataError(f"problem {problem.id}", f"the gold {problem.answer!r} is not a point", 'write it as "(x, y)"')
    return _placed(problem, golds, read.found[0])


def gold_region(problem: Problem, golds: Placing) -> list[tuple[float, float]] | None:
    """The corners of facts.region, a box or a polygon; None where there is none. Raises DataError if it is neither."""
    region: Any = problem.facts.get("region")
    if region is None:
        return None
    if _are_numbers(region) and len(region) == 4:
        try:
            box = golds.box(Region(tuple(region)))
        except NoPlaceError as error:
            raise DataError(f"problem {problem.id}, facts.region", f"{region!r}: {error}", "mend it") from error
        return [(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)]
    if isinstance(region, (list, tuple)) and len(region) >= 3 and all(_are_numbers(c) and len(c) == 2 for c in region):
        return [_placed(problem, golds, Region(tuple(corner))) for corner in region]
    raise DataError(f"problem {problem.id}, facts.region", f"{region!r} is no region", "give a box or three corners")


def _are_numbers(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(
        isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v) for v in value
    )


def _placed(problem: Problem, golds: Placing, region: Region) -> tuple[float, float]:
    try:
        return golds.point(region)
    except NoPlaceError as error:
        raise DataError(
            f"problem {problem.id}", f"the gold point: {error}", "mend it, or declare coordinates"
        ) from error

"""The verifiers `point` and `points`: places in the image, inside regions or near points."""

from __future__ import annotations

import math
from typing import Any

from vlrl.errors import DataError
from vlrl.types import Problem, Verdict
from vlrl.verify.judge import verifier
from vlrl.verify.reading.region_grammar import Region, read_regions
from vlrl.verify.values.placed_regions import Placing, measured, placed, placed_gold, placings_of, point_as_answer
from vlrl.verify.verifiers.geometry import inside, matching_f1


def declared_point(problem: Problem) -> list[str] | None:
    """The gold point in the convention of the answers; a region alone has no point that must be in it, so that there is
    nothing to check but the region."""
    golds = placings_of(problem)[1]
    gold_region(problem, golds)
    point = gold_point(problem, golds)
    return None if point is None else [point_as_answer(problem, point)]


@verifier("point", gold=declared_point)
def point(problem: Problem, response: str) -> Verdict:
    """One point: inside metadata.region, or within metadata.radius of the gold point.

    Accepts every notation of `reading/region_grammar.py`, alone where the answer is declared, with words around it
    elsewhere; of a click on a box, its middle. Rejects two different points, NaN, infinity, and what lies outside the
    image (never clamped). The edge of a region and the radius itself are inside.

    metadata (one of the first two):
    region   `[x1, y1, x2, y2]`, or the corners of a polygon `[[x, y], …]`, in the gold's coordinates
    radius   largest distance to the gold point, in the gold's coordinates; with `graded` the score falls linearly from
             1 at the point to 0 there
    coordinates, gold_coordinates, image_size, resized  in which convention: `values/image_frame.py`
    layout, gold_layout  "yxyx" for y before x

    Raises DataError if there is neither, or the gold is no point in the image (the verdict is then a fault).
    """
    metadata = problem.metadata
    answers, golds = placings_of(problem)
    corners, gold, radius = gold_region(problem, golds), gold_point(problem, golds), metadata.get("radius")
    answer = placed(response, "point", answers, problem.question, one=True)
    if answer.wrong is not None:
        return answer.wrong
    places = {*answer.found}
    if len(places) != 1:
        return Verdict.wrong("more than one point" if places else "no point", answer.text)
    found = places.pop()
    if corners is not None and not inside(found, corners):
        return Verdict.wrong("outside the region", answer.text)
    if gold is None or radius is None:
        return Verdict.right(answer.text)
    distance = math.dist(found, gold)
    distance = 0.0 if distance < 1e-9 * max(1.0, *map(abs, gold)) else distance
    if distance > float(radius):
        return Verdict.wrong(f"{distance:.3g} away", answer.text)
    score = 1.0 - distance / float(radius) if metadata.get("graded") and radius else 1.0
    return Verdict(score, True, answer.text, f"{distance:.3g} away")


Corners = list[tuple[float, float]]


def declared_points(problem: Problem) -> list[str]:
    """A point for each object in the convention of the answers: the gold point, or a corner, which is in the region."""
    places = gold_places(problem, placings_of(problem)[1])
    written = [point_as_answer(problem, place[0] if isinstance(place, list) else place) for place in places]
    return [f"[{', '.join(written)}]"]


@verifier("points", gold=declared_points)
def points(problem: Problem, response: str) -> Verdict:
    """A point for each object, in any order: counting by pointing (Molmo: Deitke et al. 2024).

    Accepts and rejects what `point` does, for each of them, and more than 300 points. A point too many or too few, and
    two points on one object, cost: the score is F1 of the best one-to-one matching.

    metadata (one of the first two):
    regions    a list with one region for each object, each as `region` of `point`
    radius     largest distance to a gold point; the gold is `[(x, y), (x, y), …]`, `[]` where there is no object
    correct_at F1 that is correct, default 1.0
    graded     true: the score is F1 itself, else 1 or 0
    coordinates, layout, …  as in `point`

    Raises DataError if there is neither, or the gold is no list of points in the image (the verdict is then a fault).
    """
    answers, placing = placings_of(problem)
    golds, radius = gold_places(problem, placing), problem.metadata.get("radius")
    answer = placed(response, "point", answers, problem.question)
    if answer.wrong is not None:
        return answer.wrong
    pairs = [
        [inside(f, g) if isinstance(g, list) else math.dist(f, g) <= float(radius or 0) + 1e-9 for f in answer.found]
        for g in golds
    ]
    value = matching_f1(pairs, len(golds), len(answer.found))
    correct = value >= float(problem.metadata.get("correct_at", 1.0)) - 1e-9
    return measured(value, correct, problem, answer.text, "f1")


def gold_places(problem: Problem, golds: Placing) -> list[Corners] | list[tuple[float, float]]:
    """The regions or the points of the objects. Raises DataError where there are none, or one is no place."""
    regions = problem.metadata.get("regions")
    if isinstance(regions, (list, tuple)):
        return [corners_of(problem, golds, region) for region in regions]
    read = read_regions(problem.answer, "point")
    if problem.metadata.get("radius") is None or not read.whole:
        raise DataError(
            f"problem {problem.id}",
            "points need metadata.regions, or metadata.radius and a gold like [(1, 2), (3, 4)]",
            "give one of them",
        )
    return [placed_gold(problem, golds, region, "the gold point") for region in read.found]


def gold_point(problem: Problem, golds: Placing) -> tuple[float, float] | None:
    """The gold point; None where only a region is asked. Raises DataError if there is neither, or it is no point."""
    if problem.metadata.get("radius") is None:
        if problem.metadata.get("region") is None:
            raise DataError(
                f"problem {problem.id}", "a point needs metadata.region or metadata.radius", "give one of them"
            )
        return None
    read = read_regions(problem.answer, "point")
    if not read.whole or len(read.found) != 1:
        raise DataError(f"problem {problem.id}", f"the gold {problem.answer!r} is not a point", 'write it as "(x, y)"')
    place: tuple[float, float] = placed_gold(problem, golds, read.found[0], "the gold point")
    return place


def gold_region(problem: Problem, golds: Placing) -> list[tuple[float, float]] | None:
    """The corners of metadata.region, a box or a polygon, or None without it. Raises DataError if it is neither."""
    region = problem.metadata.get("region")
    return None if region is None else corners_of(problem, golds, region)


def corners_of(problem: Problem, golds: Placing, region: Any) -> list[tuple[float, float]]:
    """The corners of a box or a polygon in the metadata. Raises DataError if it is neither."""
    if _are_numbers(region) and len(region) == 4:
        box = placed_gold(problem, golds, Region(tuple(region)), f"metadata.region {region!r}")
        return [(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)]
    if isinstance(region, (list, tuple)) and len(region) >= 3 and all(_are_numbers(c) and len(c) == 2 for c in region):
        return [placed_gold(problem, golds, Region(tuple(corner)), f"metadata.region {region!r}") for corner in region]
    raise DataError(f"problem {problem.id}, metadata.region", f"{region!r} is no region", "give a box or three corners")


def _are_numbers(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(
        isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v) for v in value
    )

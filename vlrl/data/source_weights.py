"""Weights of sources, constant or changing over training, as exact fractions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import pairwise

Points = tuple[tuple[float, float], ...]  # (progress in [0, 1], weight), progress rising
Weight = float | Points
GRID = 2**20  # shares of changing weights are rounded to this, so that their sums over many steps stay small fractions


def check_weight(weight: Weight) -> None:
    """Raises ValueError for a weight of 0 or below, or points that no schedule can be."""
    if not isinstance(weight, tuple):
        if not weight > 0:
            raise ValueError("a weight is above 0")
        return
    places = [place for place, _ in weight]
    if not places or places[0] != 0.0 or not all(a < b for a, b in pairwise(places)) or places[-1] > 1.0:
        raise ValueError("a weight over training is a list of points [progress, weight] from 0 on, rising to at most 1")
    if any(value < 0 for _, value in weight) or not any(value > 0 for _, value in weight):
        raise ValueError("the weights of a schedule are 0 or above, and one of them is above 0")


def weight_at(weight: Weight, progress: Fraction) -> Fraction:
    """The weight at a point of training; behind the last point it stays."""
    if not isinstance(weight, tuple):
        return _exact(weight)
    points = [(_exact(place), _exact(value)) for place, value in weight]
    for (start, low), (stop, high) in pairwise(points):
        if start <= progress <= stop:
            return low + (high - low) * (progress - start) / (stop - start)
    return points[-1][1]


def mean_weight(weight: Weight) -> Fraction:
    """The average over training: the area under the straight lines."""
    if not isinstance(weight, tuple):
        return _exact(weight)
    points = [(_exact(place), _exact(value)) for place, value in weight]
    area = sum(((low + high) / 2 * (stop - start) for (start, low), (stop, high) in pairwise(points)), Fraction(0))
    return area + points[-1][1] * (1 - points[-1][0])


def turning_points(weights: Iterable[Weight]) -> list[Fraction]:
    """Every progress at which a weight has a point. A share is largest or smallest at one of them."""
    found = {Fraction(0), Fraction(1)}
    return sorted(found.union(_exact(place) for weight in weights if isinstance(weight, tuple) for place, _ in weight))


def shares_of(weights: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """Weights as parts of 1. Raises ValueError where all of them are 0."""
    total = sum(weights.values(), Fraction(0))
    if not total:
        raise ValueError("all weights are 0")
    shares = {name: weight / total for name, weight in weights.items()}
    if all(share.denominator <= GRID for share in shares.values()):
        return shares
    rounded = {name: Fraction(round(share * GRID), GRID) for name, share in shares.items()}
    largest = max(rounded, key=lambda name: rounded[name])
    rounded[largest] += 1 - sum(rounded.values(), Fraction(0))
    return rounded


def _exact(number: float) -> Fraction:
    return Fraction(str(number))

"""Domain `road_map`: the shortest way between two towns."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from vlrl.scenes.canvas import GREY, INK, NAMED, PAPERS, WHITE, Canvas, Point
from vlrl.scenes.chains import one_sum
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled
from vlrl.types import Draft

LETTERS = "ABCDEFGHI"
WORDINGS = ("How long is the shortest way from {} to {}?", "What is the length of the shortest route from {} to {}?")
TOUCH = 6.0  # hundredths of the image between a town's middle and a road that seems to touch it
Road = tuple[int, int]  # two town numbers, the smaller first


@domain("road_map", family="paths")
@dataclass(frozen=True)
class RoadMap:
    """The shortest way along roads with written lengths; the thought names its towns: `A C D 3+4=7`.

    size  pixels, square
    """

    size: int = 336

    verifier = "number"

    def __post_init__(self) -> None:
        check_at_least("domain 'road_map', size", self.size, 200)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One map. Difficulty 0: three or four towns; 1: eight or nine, where the way with fewest roads misleads."""
        towns = scaled((3, 8), difficulty) + int(rng.integers(2))
        while True:
            places = _places(rng, towns)
            roads = _roads(rng, places)
            start, goal, way = self._asked(rng, towns, roads)
            scene = {"places": places, "roads": roads, "ends": (start, goal)}
            if len(self.answers(scene)) == 1:
                break
        lengths = [roads[min(a, b), max(a, b)] for a, b in pairwise(way)]

        canvas = Canvas(self.size, pick(rng, PAPERS))
        for a, b in roads:
            canvas.line(places[a], places[b], GREY, 1.0)
        for (a, b), length in roads.items():
            middle = (places[a][0] + places[b][0]) / 2, (places[a][1] + places[b][1]) / 2
            canvas.disc(middle, 3.0, WHITE)
            canvas.text(middle, str(length), 4.6)
        colour = pick(rng, [c for n, c in NAMED.items() if n != "yellow"])  # white letters stand on it
        for place, letter in zip(places, LETTERS, strict=False):
            canvas.disc(place, 4.2, colour, INK, 0.5)
            canvas.text(place, letter, 5.2, WHITE, bold=True)
        names = " ".join(LETTERS[i] for i in way)
        thought = f"{names} {one_sum(lengths)}" if len(lengths) > 1 else f"{names} {lengths[0]}"
        question = pick(rng, WORDINGS).format(LETTERS[start], LETTERS[goal])
        return Draft(question, str(sum(lengths)), (canvas.image(),), thought, scene=scene)

    def answers(self, scene: Any) -> set[str]:
        """The least lengths when a road that touches a town on its way serves it, with either part as long, or not."""
        places, roads, (start, goal) = scene["places"], scene["roads"], scene["ends"]
        with_stops = dict(roads)
        for (a, b), length in roads.items():
            for c, place in enumerate(places):
                if c not in (a, b) and _distance(place, places[a], places[b]) < TOUCH:
                    for end in (a, b):
                        known = with_stops.get((min(end, c), max(end, c)), length)
                        with_stops[min(end, c), max(end, c)] = min(length, known)
        return {str(_least(map_, start, goal, len(places))) for map_ in (roads, with_stops)}

    @staticmethod
    def _asked(rng: np.random.Generator, towns: int, roads: dict[Road, int]) -> tuple[int, int, list[int]]:
        """Two towns and the way between them; most of the time two that are not neighbours, where there are such."""
        start = int(rng.integers(towns))
        ways = _shortest(roads, start)
        far = [goal for goal, way in ways.items() if len(way) > 2]
        goal = pick(rng, far) if far and rng.random() < 0.85 else pick(rng, [g for g in ways if g != start])
        return start, goal, ways[goal]


def _least(roads: dict[Road, int], start: int, goal: int, towns: int) -> int:
    """The least length from one town to another: distances are lowered until no road lowers them further."""
    far = {town: 0 if town == start else 9 * towns + 1 for town in range(towns)}
    for _ in range(towns):
        for (a, b), length in roads.items():
            far[a], far[b] = min(far[a], far[b] + length), min(far[b], far[a] + length)
    return far[goal]


def _places(rng: np.random.Generator, towns: int) -> list[Point]:
    """Places in a loose 3 × 3 grid."""
    cells = rng.permutation(9)[:towns].tolist()
    jitter = rng.uniform(-6, 6, size=(towns, 2)).tolist()
    places = [(c % 3 * 33 + x, c // 3 * 33 + y) for c, (x, y) in zip(cells, jitter, strict=True)]
    middle = [(min(p[i] for p in places) + max(p[i] for p in places)) / 2 for i in (0, 1)]
    return [(50 + x - middle[0], 50 + y - middle[1]) for x, y in places]


def _roads(rng: np.random.Generator, places: list[Point]) -> dict[Road, int]:
    """Roads that neither cross nor run through a town, shortest first, until all is joined; lengths 1..9, not to scale.

    The roads that merely add choice come with a chance of two thirds.
    """
    pairs = [(math.dist(places[a], places[b]), a, b) for b in range(len(places)) for a in range(b)]
    roads: dict[Road, int] = {}
    group = list(range(len(places)))
    for _, a, b in sorted(pairs):
        clear = all(_distance(places[c], places[a], places[b]) > 8 for c in range(len(places)) if c not in (a, b))
        middle = (places[a][0] + places[b][0]) / 2, (places[a][1] + places[b][1]) / 2
        clear = clear and all(
            c in (a, b) or d in (a, b) or not _cross(places[a], places[b], places[c], places[d]) for c, d in roads
        )
        clear = clear and all(_distance(middle, places[c], places[d]) > 5 for c, d in roads)
        joins = group[a] != group[b]
        if (clear and rng.random() < 0.67) or joins:
            roads[a, b] = int(rng.integers(1, 10))
            old, new = group[a], group[b]
            group = [new if g == old else g for g in group]
    return roads


def _distance(point: Point, start: Point, end: Point) -> float:
    """From a point to a stretch of road."""
    along = end[0] - start[0], end[1] - start[1]
    share = ((point[0] - start[0]) * along[0] + (point[1] - start[1]) * along[1]) / (along[0] ** 2 + along[1] ** 2)
    share = min(1.0, max(0.0, share))
    return math.dist(point, (start[0] + share * along[0], start[1] + share * along[1]))


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    def side(p: Point, q: Point, r: Point) -> bool:
        return (q[0] - p[0]) * (r[1] - p[1]) > (q[1] - p[1]) * (r[0] - p[0])

    return side(a, b, c) != side(a, b, d) and side(c, d, a) != side(c, d, b)


def _shortest(roads: dict[Road, int], start: int) -> dict[int, list[int]]:
    """Dijkstra: the way to every town; of several shortest ones that with the fewest towns."""
    queue, ways = [(0, 1, [start])], {}
    while queue:
        length, towns, way = heapq.heappop(queue)
        here = way[-1]
        if here in ways:
            continue
        ways[here] = way
        for (a, b), more in roads.items():
            if here in (a, b) and (there := b if here == a else a) not in ways:
                heapq.heappush(queue, (length + more, towns + 1, [*way, there]))
    return ways

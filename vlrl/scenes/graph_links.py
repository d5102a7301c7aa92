"""Domain `graph_links`: neighbours, connections and distances in a graph."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from vlrl.scenes.canvas import INK, NAMED, PAPERS, WHITE, Canvas, Point, mixed, towards
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled
from vlrl.types import Draft

LETTERS = "ABCDEFGHIJ"
Edge = tuple[int, int]


@domain("graph_links", family="graphs")
@dataclass(frozen=True)
class GraphLinks:
    """Circles joined by lines; the thought names what is counted: `B D F 3`.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"
    one_answer = "the number of lines, of neighbours and of circles in reach doesn't depend on the way that is taken"

    def __post_init__(self) -> None:
        check_at_least("domain 'graph_links', size", self.size, 128)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One graph. Difficulty 0: the neighbours of one of five; .5: steps, or circles in reach; 1: of nine."""
        count = scaled((5, 9), difficulty)
        places = _places(count, rng)
        names = LETTERS[:count]
        kind = "near" if difficulty < 0.3 else pick(rng, ("reach", "way"))
        # the answer first: otherwise short ways would be the likely ones
        wanted = {
            "near": int(rng.integers(5)),
            "reach": int(rng.integers(1, count)),
            "way": int(rng.integers(1, 5)),
        }[kind]
        wordings = {
            "near": (
                "How many circles are joined to {0} by a line?",
                "To how many other circles does a line lead directly from {0}?",
            ),
            "reach": (
                "How many other circles can be reached from {0}?",
                "Starting at {0} and moving along lines, how many other circles are within reach?",
            ),
            "way": (
                "How many lines does the shortest way from {0} to {1} have?",
                "What is the smallest number of lines on a way from {0} to {1}?",
            ),
        }
        question = pick(rng, wordings[kind])
        while True:
            edges = _edges(rng, places)
            start = int(rng.integers(count))
            far = _distances(edges, start, count)
            if kind == "way":
                goals = [i for i, steps in far.items() if steps == wanted]
                if not goals:
                    continue
                goal = pick(rng, goals)
                question = question.replace("{1}", names[goal])
                found = _way(edges, far, goal)
            else:
                found = [i for i, steps in far.items() if i != start and (kind == "reach" or steps == 1)]
            if len(found) == wanted:
                break
        answer = len(found)
        thought = " ".join([*(names[i] for i in found), str(answer)])
        canvas = Canvas(self.size, pick(rng, PAPERS))
        colour = pick(rng, [c for n, c in NAMED.items() if n != "yellow"])
        for a, b in edges:
            canvas.line(places[a], places[b], mixed(INK, WHITE, 0.35), 0.9)
        for place, name in zip(places, names, strict=True):
            canvas.disc(place, 5, colour, mixed(colour, INK, 0.5))
            canvas.text(place, name, 5.4, WHITE, bold=True)
        return Draft(question.format(names[start]), str(answer), (canvas.image(),), thought)


def _places(count: int, rng: np.random.Generator) -> list[Point]:
    """Places on a shaken ring or around a middle, so that few lines pass under a circle."""
    middle = count >= 7
    around = count - middle
    start = float(rng.uniform(0, 360))
    ring = [
        towards((50, 50), start + 360 * i / around + float(rng.uniform(-7, 7)), float(rng.uniform(35, 42)))
        for i in range(around)
    ]
    places = [*ring, (50 + float(rng.uniform(-6, 6)), 50 + float(rng.uniform(-6, 6)))] if middle else ring
    return [places[i] for i in rng.permutation(count)]


def _edges(rng: np.random.Generator, places: list[Point]) -> list[Edge]:
    """Lines that keep clear of circles they don't end at; sparse, so that parts may be out of reach."""
    count = len(places)
    possible = [
        (a, b)
        for a, b in combinations(range(count), 2)
        if all(_gap(places[c], places[a], places[b]) > 7.5 for c in range(count) if c not in (a, b))
    ]
    wanted = int(rng.integers(count - 2, count + 2))
    return [possible[i] for i in rng.permutation(len(possible))[:wanted]]


def _gap(place: Point, start: Point, end: Point) -> float:
    x, y = end[0] - start[0], end[1] - start[1]
    share = ((place[0] - start[0]) * x + (place[1] - start[1]) * y) / (x * x + y * y)
    share = min(max(share, 0.0), 1.0)
    return math.dist(place, (start[0] + share * x, start[1] + share * y))


def _distances(edges: list[Edge], start: int, count: int) -> dict[int, int]:
    """Lines from the start to every circle in reach (breadth first), in order of discovery."""
    near: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges:
        near[a].append(b)
        near[b].append(a)
    steps, queue = {start: 0}, deque([start])
    while queue:
        here = queue.popleft()
        for there in sorted(near[here]):
            if there not in steps:
                steps[there] = steps[here] + 1
                queue.append(there)
    return steps


def _way(edges: list[Edge], steps: dict[int, int], goal: int) -> list[int]:
    """The circles of a shortest way after the start, up to the goal."""
    way = [goal]
    while steps[way[-1]] > 1:
        here = way[-1]
        way.append(
            next(
                a if b == here else b
                for a, b in edges
                if here in (a, b) and steps[a if b == here else b] == steps[here] - 1
            )
        )
    return way[::-1]

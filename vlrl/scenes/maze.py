"""Domain `maze`: the length of the shortest way through a maze."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from vlrl.scenes.canvas import INK, NAMED, PAPERS, Canvas
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled
from vlrl.types import Draft

Square = tuple[int, int]  # row, column
MOVES: dict[str, Square] = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
WORDINGS = (
    "A step leads to the next square. How many steps does the shortest way from the green to the red square take?",
    "What is the smallest number of steps from the green to the red square, if each step leads to the next square?",
)


@domain("maze", family="paths")
@dataclass(frozen=True)
class Maze:
    """Steps from square to square; the thought names the straight runs: `right 2 down 3 left 1 2+3+1=6`.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"
    one_answer = "the length of the shortest way doesn't depend on which of several is taken"

    def __post_init__(self) -> None:
        check_at_least("domain 'maze', size", self.size, 96)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One maze. Difficulty 0: 3 × 3 squares; 1: 8 × 8; every third wall more may be open, so ways may compete."""
        side = scaled((3, 8), difficulty)
        openings = _carve(rng, side)
        start = (int(rng.integers(side)), int(rng.integers(side)))
        ways = _ways(openings, start)
        length = int(rng.integers(2, max(map(len, ways.values())) + 1))  # first, so that all lengths are alike likely
        goal = pick(rng, sorted(square for square, way in ways.items() if len(way) == length))

        canvas = Canvas(self.size, pick(rng, PAPERS))
        step = 92 / side
        for (row, column), colour in ((start, "green"), (goal, "red")):
            left, top = 4 + (column + 0.22) * step, 4 + (row + 0.22) * step
            canvas.box(left, top, left + step * 0.56, top + step * 0.56, NAMED[colour])
        for row in range(side + 1):
            for column in range(side + 1):
                here = 4 + column * step, 4 + row * step
                if column < side and ((row - 1, column), (row, column)) not in openings:
                    canvas.line(here, (here[0] + step, here[1]), INK, 1.0)
                if row < side and ((row, column - 1), (row, column)) not in openings:
                    canvas.line(here, (here[0], here[1] + step), INK, 1.0)
        runs = [(move, len(list(run))) for move, run in groupby(ways[goal])]
        steps = "+".join(str(n) for _, n in runs)
        thought = " ".join(f"{move} {n}" for move, n in runs) + (f" {steps}={length}" if len(runs) > 1 else "")
        return Draft(pick(rng, WORDINGS), str(length), (canvas.image(),), thought)


def _carve(rng: np.random.Generator, side: int) -> set[tuple[Square, Square]]:
    """Openings between neighbouring squares, the upper or left one first: a tree that reaches all, and some more."""
    openings: set[tuple[Square, Square]] = set()
    seen, stack = {(0, 0)}, [(0, 0)]
    while stack:
        row, column = stack[-1]
        near = [(row + down, column + right) for down, right in MOVES.values()]
        fresh = [s for s in near if s not in seen and 0 <= s[0] < side and 0 <= s[1] < side]
        if not fresh:
            stack.pop()
            continue
        following = pick(rng, fresh)
        openings.add((min(stack[-1], following), max(stack[-1], following)))
        seen.add(following)
        stack.append(following)
    for _ in range(side - 2):  # loops: then the first way found need not be the shortest
        row, column = int(rng.integers(side - 1)), int(rng.integers(side - 1))
        openings.add(((row, column), (row + 1, column) if rng.random() < 0.5 else (row, column + 1)))
    return openings


def _ways(openings: set[tuple[Square, Square]], start: Square) -> dict[Square, tuple[str, ...]]:
    """A shortest way, as moves, from the start to every square (breadth first)."""
    ways: dict[Square, tuple[str, ...]] = {start: ()}
    queue = deque([start])
    while queue:
        here = queue.popleft()
        for move, (down, right) in MOVES.items():
            there = here[0] + down, here[1] + right
            if there not in ways and (min(here, there), max(here, there)) in openings:
                ways[there] = (*ways[here], move)
                queue.append(there)
    return ways

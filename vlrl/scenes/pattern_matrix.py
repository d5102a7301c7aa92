"""Domain `pattern_matrix`: a 3 × 3 matrix whose rows follow rules; which figure is missing?"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from typing import Any

import numpy as np

from vlrl.scenes.canvas import INK, NAMED, PAPERS, WHITE, Canvas, Colour, mixed
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled, shuffled
from vlrl.scenes.figures import figure
from vlrl.types import Draft

SHAPES = ("disc", "square", "triangle", "star", "hexagon")
SHADES: tuple[Colour, ...] = (mixed(NAMED["blue"], WHITE, 0.75), NAMED["blue"], mixed(NAMED["blue"], INK, 0.7))
HALVES = (1.7, 2.7, 3.9)
TRAITS = ("shape", "shade", "half", "count")
SPANS = {"shape": 5, "shade": 3, "half": 3, "count": 4}


@dataclass(frozen=True)
class Cell:
    """What one cell shows: indices of its shape, shade and size, and how many figures less one."""

    shape: int
    shade: int
    half: int
    count: int


@domain("pattern_matrix", family="patterns")
@dataclass(frozen=True)
class PatternMatrix:
    """Each trait is constant in a row, or steps on, or takes each of three values once. The thought lists the traits.

    size  pixels, square
    """

    size: int = 288

    verifier = "choice"

    def __post_init__(self) -> None:
        check_at_least("domain 'pattern_matrix', size", self.size, 160)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One matrix. Difficulty 0: one trait varies; .5: two or three; 1: all four, and the choices are close."""
        varying = shuffled(rng, TRAITS)[: scaled((1, 4), difficulty)]
        rows = {trait: _rule(rng, SPANS[trait], trait in varying, trait == "count") for trait in TRAITS}
        cells = [[Cell(*(rows[trait][r][c] for trait in TRAITS)) for c in range(3)] for r in range(3)]
        answer = cells[2][2]
        wrong: list[Cell] = []
        pivot = answer
        while len(wrong) < 3:
            # one trait is changed, of the answer or of another choice, so that no choice stands out as the commonest
            trait = pick(rng, varying if difficulty >= 0.75 or rng.random() < 0.7 else TRAITS)
            values = [v for v in range(SPANS[trait]) if v != getattr(pivot, trait)]
            other = replace(pivot, **{trait: pick(rng, values)})
            if other != answer and other not in wrong:
                wrong.append(other)
            pivot = pick(rng, [answer, *wrong])
        order = shuffled(rng, [answer, *wrong])
        choices = list("ABCD")
        letter = choices[order.index(answer)]
        canvas = Canvas(self.size, pick(rng, PAPERS))
        for r in range(3):
            for c in range(3):
                left, top = 17 + c * 23, 2.5 + r * 23
                canvas.box(left, top, left + 21, top + 21, WHITE, INK)
                if (r, c) == (2, 2):
                    canvas.text((left + 10.5, top + 10.5), "?", 11, INK, bold=True)
                else:
                    _show(canvas, cells[r][c], left + 10.5, top + 10.5)
        for i, cell in enumerate(order):
            left = 4 + i * 24
            canvas.box(left, 74.5, left + 20, 94.5, WHITE, mixed(INK, WHITE, 0.5))
            _show(canvas, cell, left + 10, 84.5)
            canvas.text((left + 2.6, 97.4), choices[i], 4.6, INK, bold=True)
        question = pick(
            rng, ("Which figure belongs in the empty cell: A, B, C or D?", "What completes the pattern: A, B, C or D?")
        )
        named = f"{answer.count + 1} × {SHAPES[answer.shape]}, shade {answer.shade + 1}, size {answer.half + 1}"
        return Draft(
            question,
            letter,
            (canvas.image(),),
            f"{named}: {letter}",
            metadata={"choices": choices},
            guess_rate=0.25,
            scene={"cells": cells, "offered": order},
        )

    def answers(self, scene: Any) -> set[str]:
        """The choices of which every trait follows some rule that the eight cells keep, read by rows or by columns."""
        fitting = {}
        for trait in TRAITS:
            rows = [[getattr(cell, trait) for cell in row] for row in scene["cells"]]
            columns = [list(column) for column in zip(*rows, strict=True)]
            fitting[trait] = _continuations(rows) | _continuations(columns)
        return {
            letter
            for letter, cell in zip("ABCD", scene["offered"], strict=True)
            if all(getattr(cell, trait) in fitting[trait] for trait in TRAITS)
        }


def _rule(rng: np.random.Generator, span: int, varies: bool, steps: bool) -> list[list[int]]:
    """Values by row and column: all the same; a step from cell to cell; one value a row; each of three once a row."""
    if not varies:
        value = int(rng.integers(span))
        return [[value] * 3 for _ in range(3)]
    if steps and rng.random() < 0.6:
        starts = shuffled(rng, (0, 1))
        return [[s + c for c in range(3)] for s in (*starts, pick(rng, starts))]
    values = shuffled(rng, range(span))[:3]
    if rng.random() < 0.25:
        return [[value] * 3 for value in values]
    shift = pick(rng, (1, 2))
    return [[values[(r * shift + c) % 3] for c in range(3)] for r in range(3)]


def _continuations(lines: list[list[int]]) -> set[int]:
    """The last value of the last line by every rule that the first two lines and the rest of the last one keep."""
    first, second, (a, b, _) = lines
    found: set[int] = set()
    if len(set(first)) == len(set(second)) == 1 and a == b:
        found.add(a)
    steps = {line[i + 1] - line[i] for line in (first, second) for i in (0, 1)} | {b - a}
    if len(steps) == 1:
        found.add(2 * b - a)
    if set(first) == set(second) and len(set(first)) == 3 and {a, b} < set(first):
        found |= set(first) - {a, b}
    return found


def _show(canvas: Canvas, cell: Cell, x: float, y: float) -> None:
    shape, shade, half, count = astuple(cell)
    places = {
        0: [(0.0, 0.0)],
        1: [(-4.6, 0.0), (4.6, 0.0)],
        2: [(-4.6, 4.2), (4.6, 4.2), (0.0, -4.6)],
        3: [(-4.6, -4.6), (4.6, -4.6), (-4.6, 4.6), (4.6, 4.6)],
    }[count]
    for right, down in places:
        figure(canvas, SHAPES[shape], (x + right, y + down), HALVES[half], SHADES[shade])

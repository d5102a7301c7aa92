"""Domain `fraction`: which part of a figure is coloured?"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as Ratio

import numpy as np

from vlrl.scenes.canvas import INK, NAMED, PAPERS, WHITE, Canvas, mixed, towards
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, shuffled
from vlrl.types import Draft

GRIDS = ((2, 2), (2, 3), (2, 4), (3, 3), (2, 5), (3, 4), (4, 4), (3, 5), (4, 5))


@domain("fraction", family="fractions")
@dataclass(frozen=True)
class Fraction:
    """The coloured share as a fraction in lowest terms; an equal fraction is as right. The thought: `6/8=3/4`.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"
    one_answer = "parts are equal and each has one colour; equal fractions are one answer"

    def __post_init__(self) -> None:
        check_at_least("domain 'fraction', size", self.size, 96)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One figure. Difficulty 0: up to 5 parts; .5: up to 12, scattered; 1: up to 20, and a second colour."""
        names = shuffled(rng, tuple(NAMED)[:6])
        round_figure = bool(rng.integers(2))
        if round_figure:
            parts = int(rng.integers(3, 6 if difficulty < 0.3 else 11 if difficulty < 0.7 else 17))
        else:
            rows, columns = pick(rng, GRIDS[:2] if difficulty < 0.3 else GRIDS[:6] if difficulty < 0.7 else GRIDS[3:])
            parts = rows * columns
        count = int(rng.integers(1, parts))
        other = int(rng.integers(parts - count + 1)) if difficulty >= 0.7 else 0
        order = list(range(parts)) if difficulty < 0.3 else rng.permutation(parts).tolist()
        fills = [WHITE] * parts
        for i, place in enumerate(order):
            fills[place] = NAMED[names[0]] if i < count else NAMED[names[1]] if i < count + other else WHITE

        canvas = Canvas(self.size, pick(rng, PAPERS))
        if round_figure:
            centre, start = (50.0, 50.0), float(rng.uniform(0, 360))
            for i, fill in enumerate(fills):
                canvas.sector(centre, 42, start + 360 * i / parts, start + 360 * (i + 1) / parts, fill)
            for i in range(parts):
                canvas.line(centre, towards(centre, start + 360 * i / parts, 42), INK, 0.8)
            canvas.ring(centre, 42, INK, 0.9)
        else:
            cell = min(84 / columns, 84 / rows)
            left, top = 50 - cell * columns / 2, 50 - cell * rows / 2
            for i, fill in enumerate(fills):
                x, y = left + i % columns * cell, top + i // columns * cell
                canvas.box(x, y, x + cell, y + cell, fill, mixed(INK, WHITE, 0.1))
        wordings = ("What fraction of the figure is {}?", "What part of the figure is {}? Answer with a fraction.")
        answer = Ratio(count, parts)
        reduced = f"{answer.numerator}/{answer.denominator}"
        thought = f"{count} of {parts}" + ("" if answer.denominator == parts else f", {count}/{parts}={reduced}")
        return Draft(pick(rng, wordings).format(names[0]), reduced, (canvas.image(),), thought)

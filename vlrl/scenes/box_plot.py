"""Domain `box_plot`: medians, quartiles and ranges of boxes with whiskers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import INK, NAMED, WHITE, Canvas, mixed
from vlrl.scenes.chart_frame import BOTTOM, LEFT, RIGHT, grid_lines, height_of
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled
from vlrl.types import Draft

LEVELS = 12
PARTS = ("smallest value", "lower quartile", "median", "upper quartile", "largest value")


@domain("box_plot", family="charts")
@dataclass(frozen=True)
class BoxPlot:
    """A value, a range or a comparison of boxes with whiskers; every line lies on a grid line. The thought: `8-3=5`.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"
    one_answer = "every line of a box lies on a grid line"

    def __post_init__(self) -> None:
        check_at_least("domain 'box_plot', size", self.size, 160)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One chart. Difficulty 0: one of two boxes, a value; .5: range or spread; 1: medians of two among five."""
        boxes = scaled((2, 5), difficulty)
        step, first = pick(rng, (1, 2) if difficulty < 0.3 else (1, 2, 5, 10)), 0
        levels = [np.sort(rng.permutation(LEVELS + 1)[:5]).tolist() for _ in range(boxes)]
        values = [[first + n * step for n in row] for row in levels]
        group, other = rng.permutation(boxes)[:2].tolist()
        names = "ABCDE"
        if difficulty < 0.3:
            part = int(rng.integers(5))
            question = pick(rng, ("What is the {0} of group {1}?", "Read the {0} of group {1}."))
            question, answer = question.format(PARTS[part], names[group]), values[group][part]
            thought = f"{names[group]} {answer}"
        elif difficulty < 0.75:
            low, high, word = pick(rng, ((0, 4, "range"), (1, 3, "interquartile range")))
            question = pick(rng, ("What is the {0} of group {1}?", "How large is the {0} of group {1}?"))
            question, answer = question.format(word, names[group]), values[group][high] - values[group][low]
            thought = f"{values[group][high]}-{values[group][low]}={answer}"
        else:
            part = int(rng.integers(5))
            a, b = values[group][part], values[other][part]
            if a == b:
                part = next((p for p in range(5) if values[group][p] != values[other][p]), part)
                a, b = values[group][part], values[other][part]
            question = pick(
                rng,
                (
                    "How far apart are the {0}s of groups {1} and {2}?",
                    "By how much do the {0}s of groups {1} and {2} differ?",
                ),
            )
            question, answer = question.format(PARTS[part], names[group], names[other]), abs(a - b)
            thought = f"{max(a, b)}-{min(a, b)}={answer}"

        canvas = Canvas(self.size, WHITE)
        grid_lines(canvas, LEVELS, step, first, bottom=BOTTOM + 6)
        wide = (RIGHT - LEFT) / boxes
        colour = pick(rng, tuple(NAMED.values()))
        for i, row in enumerate(levels):
            x, half = LEFT + (i + 0.5) * wide, min(8.0, wide * 0.28)
            bottom, lower, middle, upper, top = (height_of(n, LEVELS, BOTTOM + 6) for n in row)
            canvas.line((x, bottom), (x, lower), INK, 0.6)
            canvas.line((x, upper), (x, top), INK, 0.6)
            for y in (bottom, top):
                canvas.line((x - half * 0.6, y), (x + half * 0.6, y), INK, 0.6)
            canvas.box(x - half, upper, x + half, lower, mixed(colour, WHITE, 0.45), INK)
            canvas.line((x - half, middle), (x + half, middle), INK, 1.2)
            canvas.text((x, BOTTOM + 12), names[i], 5, INK, bold=True)
        return Draft(question, str(answer), (canvas.image(),), thought)

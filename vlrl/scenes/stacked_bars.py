"""Domain `stacked_bars`: parts and totals of stacked bars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import INK, NAMED, WHITE, Canvas, mixed
from vlrl.scenes.chart_frame import BOTTOM, LEFT, RIGHT, grid_lines, height_of, legend
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled, shuffled
from vlrl.types import Draft

LEVELS = 12
YEARS = tuple(str(year) for year in range(2001, 2030))
GOODS = ("tea", "rice", "wool", "tin", "salt", "oil")


@domain("stacked_bars", family="charts")
@dataclass(frozen=True)
class StackedBars:
    """A total, one part, or the difference of two parts; every edge lies on a grid line. The thought: `9-4=5`.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"
    one_answer = "every edge lies on a grid line"

    def __post_init__(self) -> None:
        check_at_least("domain 'stacked_bars', size", self.size, 160)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One chart. Difficulty 0: the total of one of three bars; .5: one part; 1: a part in two of six bars."""
        bars, parts = scaled((3, 6), difficulty), scaled((2, 4), difficulty)
        step = pick(rng, (1, 2) if difficulty < 0.3 else (1, 2, 5, 10))
        values = rng.integers(1, 12 // parts + 1, size=(bars, parts))
        first = int(rng.integers(len(YEARS) - bars))
        years, goods = YEARS[first : first + bars], shuffled(rng, GOODS)[:parts]
        bar, part = int(rng.integers(bars)), int(rng.integers(parts))
        below, top = int(values[bar, :part].sum()), int(values[bar, : part + 1].sum())
        if difficulty < 0.3:
            question = pick(rng, ("How high is the whole bar for {0}?", "What is the total for {0}?")).format(
                years[bar]
            )
            answer = int(values[bar].sum()) * step
            thought = f"{years[bar]} {answer}"
        elif difficulty < 0.75:
            question = pick(rng, ("How much {1} was there in {0}?", "What is the value of {1} for {0}?"))
            question = question.format(years[bar], goods[part])
            answer = (top - below) * step
            thought = f"{top * step}-{below * step}={answer}"
        else:
            other = (bar + 1 + int(rng.integers(bars - 1))) % bars
            under, over = int(values[other, :part].sum()), int(values[other, : part + 1].sum())
            a, b = (top - below) * step, (over - under) * step
            steps = f"{top * step}-{below * step}={a} {over * step}-{under * step}={b} "
            if rng.random() < 0.5:
                question, answer = "How much {2} was there in {0} and {1} together?", a + b
                thought = f"{steps}{a}+{b}={answer}"
            else:
                question, answer = "By how much does the value of {2} differ between {0} and {1}?", abs(a - b)
                thought = f"{steps}{max(a, b)}-{min(a, b)}={answer}"
            question = question.format(years[bar], years[other], goods[part])

        canvas = Canvas(self.size, WHITE)
        grid_lines(canvas, LEVELS, step)
        names = shuffled(rng, ("red", "blue", "green", "yellow", "purple", "orange"))[:parts]
        colours = [mixed(NAMED[name], WHITE, 0.15) for name in names]
        wide = (RIGHT - LEFT) / bars
        for i, year in enumerate(years):
            left, total = LEFT + (i + 0.2) * wide, 0
            for value, colour in zip(values[i].tolist(), colours, strict=True):
                low, high = height_of(total, LEVELS), height_of(total + value, LEVELS)
                canvas.box(left, high, left + wide * 0.6, low, colour, WHITE)
                total += value
            canvas.text((left + wide * 0.3, BOTTOM + 4.5), year, 4.4 if bars < 5 else 3.9, INK)
        legend(canvas, list(zip(goods, colours, strict=True)))
        return Draft(question, str(answer), (canvas.image(),), thought)

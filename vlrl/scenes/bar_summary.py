"""Domain `bar_summary`: totals, means, medians and counts over all bars of a chart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import GREY, INK, NAMED, PALE, WHITE, Canvas, mixed
from vlrl.scenes.chains import running_sum
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled, shuffled
from vlrl.types import Draft

LEVELS = 10
LEFT, RIGHT, TOP, BOTTOM = 21.0, 96.0, 6.0, 88.0
THINGS = ("Oslo", "Rome", "Lima", "Cairo", "Paris", "Delhi", "Tokyo", "Quito", "Seoul", "Perth", "Accra", "Sofia")
QUESTIONS = {
    "range": (
        "What is the difference between the largest and the smallest value?",
        "How much is the largest value minus the smallest value?",
    ),
    "more": ("How many bars show more than {0}?", "Count the cities with a value above {0}."),
    "total": ("What is the sum of all values?", "What do the values of all bars add up to?"),
    "mean": ("What is the mean of all values?", "What is the average of all values?"),
    "median": ("What is the median of all values?", "Put the values in order. Which one stands in the middle?"),
    "above_mean": (
        "By how much is the value of {1} above the mean of all cities?",
        "How much larger is the value of {1} than the average of all cities?",
    ),
}


@domain("bar_summary", family="charts")
@dataclass(frozen=True)
class BarSummary:
    """One number about all bars, each of which ends on a grid line. The thought: `3+5=8 8+4=12 12/3=4`.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"
    one_answer = "every bar ends on a grid line, so each value is exact"

    def __post_init__(self) -> None:
        check_at_least("domain 'bar_summary', size", self.size, 160)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One chart. Difficulty 0: range or count of three bars; .5: total or mean of five; 1: median of seven."""
        bars = scaled((3, 7), difficulty)
        if difficulty < 0.3:
            kinds: tuple[str, ...] = ("range", "more")
        elif difficulty < 0.7:
            kinds = ("more", "total", "mean", "range")
        else:
            kinds = ("total", "mean", "median", "above_mean")
        kind = pick(rng, kinds)
        bars += kind == "median" and bars % 2 == 0
        step = pick(rng, (1, 2) if difficulty < 0.3 else (1, 2, 5, 10))
        while True:
            levels = rng.integers(1, LEVELS + 1, size=bars).tolist()
            if kind == "more":
                bound, count = int(rng.integers(1, LEVELS)), int(rng.integers(bars + 1))
                high = rng.integers(bound + 1, LEVELS + 1, size=bars).tolist()
                low = rng.integers(1, bound + 1, size=bars).tolist()
                levels = shuffled(rng, [*high[:count], *low[count:]])
            whole = kind not in ("mean", "above_mean") or sum(levels) % bars == 0
            if whole and (kind != "above_mean" or max(levels) * bars > sum(levels)):
                break
        values, cities = [level * step for level in levels], shuffled(rng, THINGS)[:bars]
        best, edge = max(values), ""
        if kind == "range":
            answer = best - min(values)
            thought = f"{best}-{min(values)}={answer}"
        elif kind == "more":
            edge = str(bound * step)
            over = [value for value in values if value > bound * step]
            answer = len(over)
            thought = f"{', '.join(map(str, over)) or 'none'}: {answer}"
        elif kind == "total":
            answer = sum(values)
            thought = running_sum(values)
        elif kind == "median":
            answer = sorted(values)[bars // 2]
            thought = f"in order {' '.join(map(str, sorted(values)))}: {answer}"
        else:
            answer = sum(values) // bars
            thought = f"{running_sum(values)} {sum(values)}/{bars}={answer}"
            if kind == "above_mean":
                thought += f" {best}-{answer}={best - answer}"
                answer = best - answer
        question = pick(rng, QUESTIONS[kind]).format(edge, cities[values.index(best)])

        canvas, wide = Canvas(self.size, WHITE), (BOTTOM - TOP) / bars
        for level in range(LEVELS + 1):
            x = LEFT + (RIGHT - LEFT) * level / LEVELS
            canvas.line((x, TOP), (x, BOTTOM), PALE if level else GREY, 0.3)
            if step < 10 or level % 2 == 0:
                canvas.text((x, BOTTOM + 4.5), str(level * step), 4.2, INK)
        colour = pick(rng, tuple(NAMED.values()))
        for i, (city, level) in enumerate(zip(cities, levels, strict=True)):
            top, end = TOP + (i + 0.2) * wide, LEFT + (RIGHT - LEFT) * level / LEVELS
            canvas.box(LEFT, top, end, top + 0.6 * wide, mixed(colour, WHITE, 0.25), mixed(colour, INK, 0.35))
            canvas.text((LEFT - 2, top + 0.3 * wide), city, 4.8, INK, anchor="rm")
        return Draft(question, str(answer), (canvas.image(),), thought)

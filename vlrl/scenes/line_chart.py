"""Domain `line_chart`: read values from lines over months."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import GREY, INK, NAMED, PALE, WHITE, Canvas
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled, shuffled
from vlrl.types import Draft

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LEFT, RIGHT, TOP, BOTTOM = 14.0, 95.0, 8.0, 80.0
LEVELS = 10  # grid lines above zero


@domain("line_chart", family="charts")
@dataclass(frozen=True)
class LineChart:
    """A value, or the difference of two, on lines whose points all lie on grid lines; the thought: `8-3=5`.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"
    one_answer = "points lie on grid lines, and no two lines share one"

    def __post_init__(self) -> None:
        check_at_least("domain 'line_chart', size", self.size, 96)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One chart. Difficulty 0: one line of four months, one value; .5: two lines, a change; 1: three, a gap."""
        points, lines = scaled((4, 8), difficulty), scaled((1, 3), difficulty)
        step = pick(rng, (1, 2) if difficulty < 0.3 else (1, 2, 5, 10) if difficulty < 0.7 else (2, 4, 5, 20, 25))
        start = int(rng.integers(12))
        months = [MONTHS[(start + i) % 12] for i in range(points)]
        names = shuffled(rng, ("red", "blue", "green", "purple", "orange"))[:lines]
        values = rng.integers(LEVELS + 1, size=(lines, points))
        for above in range(1, lines):  # two lines never share a point, or one would hide the other
            for i in range(points):
                while values[above, i] in values[:above, i]:
                    values[above, i] = int(rng.integers(LEVELS + 1))
        asked, month = int(rng.integers(lines)), int(rng.integers(points))
        of_line = f" of the {names[asked]} line" if lines > 1 else ""
        one = int(values[asked, month]) * step
        if difficulty < 0.35:
            question = pick(rng, ("What is the value{} in {}?", "Read the value{} for {}."))
            question, answer, thought = question.format(of_line, months[month]), one, f"{months[month]} {one}"
        elif difficulty < 0.75:
            early, late = np.sort(rng.permutation(points)[:2]).tolist()
            change = int(rng.integers(1, LEVELS + 1))
            low = int(rng.integers(LEVELS + 1 - change))
            rises = bool(rng.integers(2))
            others = np.delete(values[:, [early, late]], asked, axis=0)
            ends = (low, low + change) if rises else (low + change, low)
            if not (others == np.array(ends)).any():
                values[asked, [early, late]] = ends
            first, last = (int(values[asked, i]) * step for i in (early, late))
            question = pick(
                rng,
                (
                    "By how much does the value{} change from {} to {}?",
                    "How large is the change in the value{} from {} to {}?",
                ),
            )
            question = question.format(of_line, months[early], months[late])
            answer = abs(first - last)
            thought = f"{max(first, last)}-{min(first, last)}={answer}"
        else:
            other = (asked + 1 + int(rng.integers(lines - 1))) % lines
            first, last = (int(values[i, month]) * step for i in (asked, other))
            question = pick(
                rng,
                (
                    "How far apart are the {} and the {} line in {}?",
                    "What is the gap between the {} and the {} line in {}?",
                ),
            )
            question = question.format(names[asked], names[other], months[month])
            answer = abs(first - last)
            thought = f"{max(first, last)}-{min(first, last)}={answer}"

        canvas = Canvas(self.size, WHITE)
        for level in range(LEVELS + 1):
            y = self._y(level)
            canvas.line((LEFT, y), (RIGHT, y), PALE if level else GREY, 0.3)
            canvas.text((LEFT - 2, y), str(level * step), 4.4, INK, anchor="rm")
        across = (RIGHT - LEFT - 8) / (points - 1)
        for i, words in enumerate(months):
            canvas.text((LEFT + 4 + i * across, BOTTOM + 5), words, 4.6 if points < 7 else 4.0)
        for name, row in zip(names, values.tolist(), strict=True):
            places = [(LEFT + 4 + i * across, self._y(level)) for i, level in enumerate(row)]
            canvas.curve(places, NAMED[name], 0.8)
            for place in places:
                canvas.disc(place, 1.4, NAMED[name])
        for i, name in enumerate(names):
            canvas.line((LEFT + i * 28, 94), (LEFT + 6 + i * 28, 94), NAMED[name], 1.2)
            canvas.text((LEFT + 8 + i * 28, 94), name, 4.2, anchor="lm")
        return Draft(question, str(answer), (canvas.image(),), thought)

    @staticmethod
    def _y(level: int) -> float:
        return BOTTOM - (BOTTOM - TOP) * level / LEVELS

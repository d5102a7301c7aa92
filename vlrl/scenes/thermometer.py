"""Domain `thermometer`: read one thermometer, or compare several."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import INK, NAMED, PAPERS, WHITE, Canvas, mixed
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled
from vlrl.types import Draft

TOP, BOTTOM = 10.0, 74.0


@domain("thermometer", family="gauges")
@dataclass(frozen=True)
class Thermometer:
    """A temperature, or the difference of two; the column always ends on a mark. The thought: `14-(-6)=20`.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"
    one_answer = "the column ends on a mark"

    def __post_init__(self) -> None:
        check_at_least("domain 'thermometer', size", self.size, 160)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """Thermometers. Difficulty 0: one, above zero; .5: two, one is asked; 1: three, warmest minus coldest."""
        count = scaled((1, 3), difficulty)
        step = pick(rng, (1, 2) if difficulty < 0.7 else (1, 2, 5))
        labels = 5 if step == 1 else 10 if step == 2 else 25  # degrees from label to label
        marks = 20
        first = 0 if difficulty < 0.3 else -labels * int(rng.integers(0, marks * step // labels))
        levels = rng.permutation(marks + 1)[:count].tolist()
        values = [first + level * step for level in levels]
        names = "ABC"[:count]
        asked = int(rng.integers(count))
        if count == 1:
            question = pick(
                rng,
                ("What temperature is shown in °C?", "Read the thermometer.", "How many degrees Celsius are shown?"),
            )
            answer, thought = values[0], f"{values[0]}"
        elif difficulty < 0.75:
            question = pick(
                rng, ("What does thermometer {} show in °C?", "How many degrees Celsius does thermometer {} show?")
            )
            question, answer = question.format(names[asked]), values[asked]
            thought = f"{names[asked]} {answer}"
        else:
            high, low = max(values), min(values)
            question = pick(
                rng,
                (
                    "By how many degrees is the warmest above the coldest?",
                    "What is the highest temperature minus the lowest one, in °C?",
                ),
            )
            answer = high - low
            thought = f"{high}-{f'({low})' if low < 0 else low}={answer}"
        canvas = Canvas(self.size, pick(rng, PAPERS))
        colour = pick(rng, (NAMED["red"], NAMED["blue"], NAMED["purple"]))
        wide = 100 / count
        for i, level in enumerate(levels):
            x = (i + 0.5) * wide + (4 if count > 1 else 0)
            self._tube(canvas, x, level, marks, step, labels, first, colour)
            if count > 1:
                canvas.text((x, 95.5), names[i], 6, INK, bold=True)
        return Draft(question, str(answer), (canvas.image(),), thought)

    @staticmethod
    def _tube(
        canvas: Canvas,
        x: float,
        level: int,
        marks: int,
        step: int,
        labels: int,
        first: int,
        colour: tuple[int, int, int],
    ) -> None:
        glass = mixed(INK, WHITE, 0.55)
        for radius, half, shade in ((6.6, 3.6, glass), (5.9, 2.9, WHITE)):
            canvas.disc((x, BOTTOM + 10), radius, shade)
            canvas.box(x - half, TOP - 3, x + half, BOTTOM + 8, shade)
            canvas.disc((x, TOP - 3), half, shade)
        y = BOTTOM - (BOTTOM - TOP) * level / marks
        canvas.disc((x, BOTTOM + 10), 4.8, colour)
        canvas.box(x - 1.7, y, x + 1.7, BOTTOM + 9, colour)
        canvas.disc((x - 1.6, BOTTOM + 8.4), 1.2, mixed(colour, WHITE, 0.6))
        for mark in range(marks + 1):
            at, value = BOTTOM - (BOTTOM - TOP) * mark / marks, first + mark * step
            long = value % labels == 0
            canvas.line((x + 4.2, at), (x + (8.4 if long else 6.2), at), INK, 0.5 if long else 0.3)
            if long:
                canvas.text((x - 5, at), str(value), 4.6, INK, anchor="rm")

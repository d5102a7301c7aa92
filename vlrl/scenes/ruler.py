"""Domain `ruler`: how long is the pencil?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import INK, NAMED, PAPERS, Canvas, Colour, mixed
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, shuffled
from vlrl.types import Draft

WOOD: Colour = (240, 214, 160)
STEEL: Colour = (226, 230, 236)
LONGEST = 8  # cm on the ruler


@domain("ruler", family="gauges")
@dataclass(frozen=True)
class Ruler:
    """The length in centimetres of a pencil above a ruler; the thought subtracts its ends: `9-4=5`.

    size  pixels in width; the image is half as high
    """

    size: int = 448

    verifier = "number"
    one_answer = "both ends of a pencil lie on marks"

    def __post_init__(self) -> None:
        check_at_least("domain 'ruler', size", self.size, 160)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One pencil. Difficulty 0: it starts at 0; .5: anywhere, half centimetres; 1: millimetres, two pencils."""
        step = 10 if difficulty < 0.35 else 5 if difficulty < 0.75 else 1  # mm
        steps = LONGEST * 10 // step
        length = int(rng.integers(20 // step, steps * 3 // 4 + 1)) * step
        start = 0 if difficulty < 0.25 else int(rng.integers((LONGEST * 10 - length) // step + 1)) * step
        names = shuffled(rng, ("red", "blue", "green", "purple"))[:2]
        pencils = [(names[0], start, length)]
        if difficulty >= 0.7:
            other = int(rng.integers(20 // step, steps * 3 // 4 + 1)) * step
            pencils.append((names[1], int(rng.integers((LONGEST * 10 - other) // step + 1)) * step, other))

        canvas, per_mm = Canvas(self.size, pick(rng, PAPERS), height=50), 88 / (LONGEST * 10)
        body = pick(rng, (WOOD, STEEL))
        canvas.box(2, 27, 98, 44, body, mixed(body, INK, 0.5))
        for mm in range(LONGEST * 10 + 1):
            x = 6 + mm * per_mm
            reach = 5.5 if mm % 10 == 0 else 4.0 if mm % 5 == 0 else 2.4
            canvas.line((x, 27.4), (x, 27.4 + reach), INK, 0.3)
            if mm % 10 == 0:
                canvas.text((x, 37), str(mm // 10), 4.4)
        canvas.text((94, 41.8), "cm", 3, anchor="rm")
        for i, (name, begin, long) in enumerate(pencils):
            y = 21.5 - i * 9
            left, right = 6 + begin * per_mm, 6 + (begin + long) * per_mm
            half = 2.6 * float(rng.uniform(0.55, 1.4))  # so that the amount of colour does not tell the length
            self._pencil(canvas, left, right, y, half, NAMED[name])
            for end in (left, right):
                canvas.line((end, y), (end, 27), mixed(INK, body, 0.5), 0.3)
        noun = f"the {names[0]} pencil" if len(pencils) > 1 else "the pencil"
        question = pick(rng, ("How long is {} in cm?", "What is the length of {} in cm?")).format(noun)
        answer = _centimetres(length)
        thought = f"{_centimetres(start + length)}-{_centimetres(start)}={answer}"
        return Draft(question, answer, (canvas.image(),), thought, metadata={"unit": "cm"})

    @staticmethod
    def _pencil(canvas: Canvas, left: float, right: float, y: float, half: float, colour: Colour) -> None:
        third = half / 3
        canvas.box(left, y - half, right - 7, y + half, colour)
        canvas.box(left, y - third, right - 7, y + third, mixed(colour, (255, 255, 255), 0.3))
        canvas.box(left, y - half, left + 3, y + half, (240, 150, 165))
        canvas.polygon([(right - 7, y - half), (right, y), (right - 7, y + half)], (238, 205, 160))
        canvas.polygon([(right - 2.4, y - third), (right, y), (right - 2.4, y + third)], INK)


def _centimetres(mm: int) -> str:
    return str(mm // 10) if mm % 10 == 0 else f"{mm // 10}.{mm % 10}"

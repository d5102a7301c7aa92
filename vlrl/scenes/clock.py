"""Domain `clock`: the time on an analogue clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow

from vlrl.scenes.canvas import INK, NAMED, PAPERS, WHITE, Canvas, Colour, mixed, towards
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick
from vlrl.types import Draft

ROMAN = ("XII", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI")
WORDINGS = (
    "What time does the clock show? Answer as H:MM.",
    "Read the clock. Answer as H:MM.",
    "What is the time on this clock? Answer as H:MM.",
)


@domain("clock", family="gauges")
@dataclass(frozen=True)
class Clock:
    """The time on an analogue clock, as H:MM on twelve hours.

    size  pixels, square
    """

    size: int = 288

    verifier = "time"
    one_answer = "the hour hand moves with the minutes, so the two hands fix the time of a twelve-hour clock"

    def __post_init__(self) -> None:
        check_at_least("domain 'clock', size", self.size, 48)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One clock. Difficulty 0: half hours, all numbers; .5: steps of five minutes; 1: any minute, no numbers."""
        hour = int(rng.integers(1, 13))
        if difficulty < 0.25:
            minute = 30 * int(rng.integers(2))
        elif difficulty < 0.75:
            minute = 5 * int(rng.integers(12))
        else:
            minute = int(rng.integers(60))
        numbers = ("all" if difficulty < 0.4 else "quarters" if difficulty < 0.9 else "none", bool(rng.integers(2)))
        image = self._face(rng, hour, minute, numbers[0], numbers[1], hand=0.62 + 0.18 * difficulty)
        fives, rest = divmod(minute, 5)
        steps = f"{fives}*5+{rest}={minute}" if rest else f"{fives}*5={minute}"
        answer = f"{hour}:{minute:02d}"
        return Draft(pick(rng, WORDINGS), answer, (image,), f"hour {hour}, minute {steps}", metadata={"hours": 12})

    def _face(
        self, rng: np.random.Generator, hour: int, minute: int, numbers: str, roman: bool, hand: float
    ) -> Pillow.Image:
        """`hand` is the length of the hour hand relative to the minute hand's."""
        canvas = Canvas(self.size, pick(rng, PAPERS))
        rim: Colour = pick(rng, tuple(NAMED.values()))
        centre = (50 + float(rng.uniform(-4, 4)), 50 + float(rng.uniform(-4, 4)))
        radius = float(rng.uniform(37, 44))
        canvas.disc(centre, radius, rim)
        canvas.disc(centre, radius - 2.6, WHITE)
        for tick in range(60):
            long = tick % 5 == 0
            inner = radius - (7 if long else 5)
            canvas.line(
                towards(centre, tick * 6, inner),
                towards(centre, tick * 6, radius - 3.6),
                INK if long else mixed(INK, WHITE, 0.4),
                1.1 if long else 0.4,
            )
        for number in range(12):
            if numbers == "all" or (numbers == "quarters" and number % 3 == 0):
                words = ROMAN[number] if roman else str(number or 12)
                canvas.text(towards(centre, number * 30, radius - 12), words, 4.2 if roman else 5.2, INK, bold=True)
        minute_hand = (radius - 9) * 0.95 if numbers == "none" else radius - 17  # no hand lies on a number
        for degrees, length, width in (
            ((hour % 12) * 30 + minute / 2, minute_hand * hand, 2.6),
            (minute * 6.0, minute_hand, 1.4),
        ):
            canvas.line(towards(centre, degrees + 180, 4), towards(centre, degrees, length), INK, width)
        canvas.disc(centre, 2.4, rim, INK, 0.7)
        return canvas.image()

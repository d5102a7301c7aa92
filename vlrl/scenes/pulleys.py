"""Domain `pulleys`: how hard, or how far, must one pull at a tackle?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import GREY, INK, NAMED, PAPERS, WHITE, Canvas, Colour, Point, mixed
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled
from vlrl.types import Draft

BEAM, UPPER, LOWER = 10.0, 21.0, 60.0
FORCES = (
    "The pulleys and ropes weigh nothing. With how many newtons must one pull to hold the load?",
    "Only the load has weight. How many newtons of force at the arrow hold it?",
    "The load hangs still. How many newtons pull at the arrow, if rope and pulleys are weightless?",
)
LENGTHS = (
    "How many metres of rope must be pulled at the arrow to raise the load by {0} metres?",
    "The load is to rise {0} metres. By how many metres must the end with the arrow be pulled?",
)


@domain("pulleys", family="mechanics")
@dataclass(frozen=True)
class Pulleys:
    """The load hangs on several strands, and each carries the same. The thought counts them: `4 strands, 120/4=30`.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"
    one_answer = "one rope pulls equally everywhere, so the number of strands fixes force and length"

    def __post_init__(self) -> None:
        check_at_least("domain 'pulleys', size", self.size, 128)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One tackle. Difficulty 0: one or two strands; .5: up to four, pulled up or down; 1: to six, and lengths."""
        strands = int(rng.integers(scaled((1, 3), difficulty), scaled((2, 6), difficulty) + 1))
        pulled_up = difficulty >= 0.4 and strands > 1 and bool(rng.random() < 0.5)
        force = int(rng.integers(2, 26 if difficulty < 0.4 else 61))
        weight = force * strands
        canvas = Canvas(self.size, pick(rng, PAPERS))
        self._tackle(canvas, rng, strands, pulled_up, f"{weight} N")
        noun = "strand" if strands == 1 else "strands"
        if difficulty >= 0.75 and rng.random() < 0.5:
            height = int(rng.integers(2, 10))
            answer = height * strands
            question, thought = pick(rng, LENGTHS).format(height), f"{strands} {noun}, {height}*{strands}={answer}"
        else:
            question, answer, thought = pick(rng, FORCES), force, f"{strands} {noun}, {weight}/{strands}={force}"
        return Draft(question, str(answer), (canvas.image(),), thought)

    @staticmethod
    def _tackle(canvas: Canvas, rng: np.random.Generator, strands: int, pulled_up: bool, weight: str) -> None:
        gap = min(15.0, 66 / strands)
        last = strands - 1 if pulled_up else strands  # the strand with the arrow; pulled up, it carries the load too
        xs = [50 + (i - last / 2) * gap for i in range(last + 1)]
        if rng.random() < 0.5:
            xs = [100 - x for x in xs]
        wood, rope = pick(rng, ((176, 137, 94), (140, 146, 158), (196, 160, 120))), (120, 84, 48)
        colour = NAMED[pick(rng, ("red", "blue", "green", "purple", "orange"))]
        from_top = strands % 2 == 0  # where the rope's other end is tied, so that the last wheel is the right one
        canvas.box(4, BEAM - 6, 96, BEAM, wood, mixed(wood, INK, 0.5))
        carried = xs if pulled_up else xs[:-1]
        bar = LOWER + gap / 2 + 5
        left, right = min(carried) - 2.5, max(carried) + 2.5
        for i, x in enumerate(xs):  # strand i joins strand i+1 above if it was tied below, else below; then in turn
            top, bottom = UPPER, LOWER
            if i == 0:
                top, bottom = (BEAM, LOWER) if from_top else (UPPER, bar)
            if i == last:
                top, bottom = (BEAM + 4.5, LOWER) if pulled_up else (UPPER, 76.0)
            canvas.line((x, top), (x, bottom), rope, 0.9)
        for i in range(last):
            above = (i % 2 == 1) == from_top
            middle = ((xs[i] + xs[i + 1]) / 2, UPPER if above else LOWER)
            canvas.line((middle[0], BEAM if above else bar), middle, mixed(GREY, INK, 0.35), 1.6)
            _wheel(canvas, middle, gap / 2, colour)
        canvas.box(left, bar, right, bar + 2.2, mixed(GREY, INK, 0.35))
        if not from_top:
            canvas.disc((xs[0], bar), 1.3, INK)
        else:
            canvas.disc((xs[0], BEAM), 1.3, INK)
        hook = (left + right) / 2
        canvas.line((hook, bar + 2), (hook, bar + 7), INK, 1.2)
        canvas.box(hook - 11, bar + 7, hook + 11, min(bar + 21, 98), mixed(INK, WHITE, 0.12), INK)
        canvas.text((hook, (bar + 7 + min(bar + 21, 98)) / 2), weight, 6.0, WHITE, bold=True)
        x, red = xs[-1], NAMED["red"]
        side = 1.0 if x > xs[0] or (len(xs) == 1) else -1.0
        if pulled_up:
            canvas.line((x + side * 4, BEAM + 22), (x + side * 4, BEAM + 9), red, 1.3)
            canvas.arrow_head((x + side * 4, BEAM + 5), 0, 5.5, red)
            canvas.disc((x, BEAM + 4.5), 1.1, red)
        else:
            canvas.line((x, 76), (x, 84), red, 1.3)
            canvas.arrow_head((x, 89), 180, 5.5, red)


def _wheel(canvas: Canvas, centre: Point, radius: float, colour: Colour) -> None:
    canvas.disc(centre, radius + 0.3, mixed(colour, WHITE, 0.35), mixed(colour, INK, 0.4), 0.7)
    canvas.disc(centre, radius * 0.62, mixed(colour, WHITE, 0.6))
    canvas.disc(centre, max(0.9, radius * 0.2), INK)

"""Domain `carts`: when, or where, do carts on a track meet?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import GREY, INK, NAMED, PAPERS, WHITE, Canvas, mixed
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled, shuffled
from vlrl.types import Draft

LEFT, RIGHT = 6.0, 94.0
LONGEST = 30  # marks of the longest track, in metres
WHERE = (
    "At which mark is the mast of the {0} cart after {1}?",
    "The {0} cart keeps its speed for {1}. Which mark does its mast reach?",
)
WHEN = (
    "After how many seconds do the masts of the {0} and the {1} cart meet?",
    "The carts keep their speeds. How many seconds pass until the masts of the {0} and the {1} cart meet?",
)
SPOT = (
    "At which mark do the masts of the {0} and the {1} cart meet?",
    "The {0} and the {1} cart keep their speeds until their masts meet. At which mark is that?",
)


@domain("carts", family="trajectories")
@dataclass(frozen=True)
class Carts:
    """Carts at steady speed on a track with marks in metres. The thought: `9-3=6 2+1=3 6/3=2`.

    size  pixels, square
    """

    size: int = 288

    verifier = "number"
    one_answer = "steady speeds: one place at a time, one time and place of meeting"

    def __post_init__(self) -> None:
        check_at_least("domain 'carts', size", self.size, 160)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One to three tracks. Difficulty 0: where is one cart; .5: when do two meet; 1: where, one may catch up."""
        marks = scaled((12, LONGEST), difficulty)
        tracks = scaled((1, 3), difficulty)
        kind = "where" if difficulty < 0.3 else "when" if difficulty < 0.7 else pick(rng, ("when", "spot", "spot"))
        chase = difficulty >= 0.6 and bool(rng.random() < 0.5)
        names = shuffled(rng, ("red", "blue", "green", "purple", "orange", "brown"))
        asked = int(rng.integers(tracks))
        canvas = Canvas(self.size, pick(rng, PAPERS))
        question = answer = thought = ""
        for row in range(tracks):
            first, second, meeting, seconds = _meeting(rng, marks, chase if row == asked else bool(rng.random() < 0.5))
            pair = names[2 * row], names[2 * row + 1]
            self._track(canvas, 100 * (row + 0.62) / tracks, marks, (*pair,), (first, second))
            if row != asked:
                continue
            (at, speed), (other, against) = first, second
            if kind == "where":
                which = int(rng.integers(2))
                place, pace = (first, second)[which]
                later = int(rng.integers(1, seconds + 1))
                found, time = place + pace * later, f"{later} second{'s' if later > 1 else ''}"
                question, answer = pick(rng, WHERE).format(pair[which], time), str(found)
                thought = f"{place}{pace * later:+d}={found}"
                continue
            closing = f"{speed}-{against}" if against > 0 else f"{speed}+{-against}"
            if speed < 0:
                closing = f"{-against}-{-speed}"
            steps = f"{other}-{at}={other - at} {closing}={speed - against} {other - at}/{speed - against}={seconds}"
            if kind == "when":
                question, answer, thought = pick(rng, WHEN).format(*pair), str(seconds), steps
            else:
                question, answer = pick(rng, SPOT).format(*pair), str(meeting)
                thought = f"{steps} {at}{speed * seconds:+d}={meeting}"
        return Draft(question, answer, (canvas.image(),), thought)

    @staticmethod
    def _track(
        canvas: Canvas, y: float, marks: int, names: tuple[str, ...], carts: tuple[tuple[int, int], tuple[int, int]]
    ) -> None:
        unit = (RIGHT - LEFT) / marks
        canvas.line((LEFT, y), (RIGHT, y), mixed(GREY, INK, 0.5), 1.0)
        every = 1 if marks <= 15 else 5
        for mark in range(marks + 1):
            x, tall = LEFT + mark * unit, 2.6 if mark % every == 0 else 1.4
            canvas.line((x, y), (x, y + tall), INK, 0.4)
            if mark % every == 0:
                canvas.text((x, y + 5.4), str(mark), 4.2, INK)
        for name, (at, speed) in zip(names, carts, strict=True):
            x, colour = LEFT + at * unit, NAMED[name]
            canvas.box(x - 3.2, y - 7.0, x + 3.2, y - 2.4, colour, mixed(colour, INK, 0.5))
            for side in (-1.8, 1.8):
                canvas.disc((x + side, y - 1.7), 1.3, INK)
            canvas.line((x, y - 7), (x, y - 10.5), mixed(colour, INK, 0.3), 0.4)  # the mast stands at the cart's mark
            way = 1 if speed > 0 else -1
            canvas.line((x - way * 2.5, y - 11), (x + way * 3.2, y - 11), colour, 1.2)
            canvas.arrow_head((x + way * 6.2, y - 11), 90.0 * way, 3.8, colour)
            canvas.text((x, y - 15.5), f"{abs(speed)} m/s", 4.0, mixed(colour, INK, 0.4), bold=True)
            canvas.line((x, y - 0.6), (x, y + 0.8), WHITE, 0.5)


def _meeting(rng: np.random.Generator, marks: int, chase: bool) -> tuple[tuple[int, int], tuple[int, int], int, int]:
    """(place, speed) of the left and of the right cart, where they meet and after how many seconds: whole numbers."""
    while True:
        seconds = int(rng.integers(1, min(9, marks // 3) + 1))  # first, so that all are alike likely
        speeds = rng.integers(1, 5, size=2).tolist()
        if not chase:
            speed, against = speeds[0], -speeds[1]
        else:
            slow, fast = sorted(speeds)
            speed, against = (fast, slow) if rng.random() < 0.5 else (-slow, -fast)
        gap = (speed - against) * seconds
        if gap < max(3, marks // 4):  # side by side their labels would run into each other
            continue
        for _ in range(8):
            at = int(rng.integers(1, marks))
            meeting = at + speed * seconds
            if at + gap < marks and 0 <= meeting <= marks:
                return (at, speed), (at + gap, against), meeting, seconds

"""Figures scattered over an image without touching: what the grounding domains ask to find."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlrl.scenes.canvas import NAMED, Canvas, Point
from vlrl.scenes.draws import pick
from vlrl.scenes.figures import FIGURES, corners_of, figure

COLOURS = tuple(NAMED)[:6]


@dataclass(frozen=True)
class Spot:
    """One figure: place and half width in hundredths of the image, turn in degrees."""

    form: str
    colour: str
    place: Point
    half: float
    turn: float

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom in thousandths of the image."""
        corners = corners_of(self.form, self.place, self.half, self.turn)
        xs, ys = [c[0] for c in corners], [c[1] for c in corners]
        return round(min(xs) * 10), round(min(ys) * 10), round(max(xs) * 10), round(max(ys) * 10)

    def show(self, canvas: Canvas) -> None:
        """Draw it."""
        figure(canvas, self.form, self.place, self.half, NAMED[self.colour], self.turn)


def scatter(rng: np.random.Generator, count: int, smallest: float, largest: float) -> list[Spot]:
    """`count` figures; the first one is to be asked for and no other has both its form and its colour.

    Half of the others share its form and the rest its colour, so that neither is enough to find it.
    """
    form, colour = pick(rng, FIGURES), pick(rng, COLOURS)
    kinds = [(form, colour)]
    while len(kinds) < count:
        other = (form, pick(rng, COLOURS)) if len(kinds) % 2 else (pick(rng, FIGURES), colour)
        if other != kinds[0]:
            kinds.append(other)
    spots: list[Spot] = []
    while len(spots) < count:
        half = float(rng.uniform(smallest, largest))
        for x, y in rng.uniform(half * 1.4 + 1, 99 - half * 1.4, size=(60, 2)).tolist():
            if all(np.hypot(x - s.place[0], y - s.place[1]) > 1.35 * (half + s.half) for s in spots):
                spots.append(Spot(*kinds[len(spots)], (x, y), half, float(rng.uniform(-30, 30))))
                break
        else:
            spots.clear()
            largest = max(smallest, largest * 0.93)
    return spots

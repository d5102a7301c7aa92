"""Domain `spot_difference`: two images that differ in a few figures; how many?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image as Pillow

from vlrl.scenes.canvas import NAMED, PAPERS, Canvas
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, pick, scaled
from vlrl.scenes.figures import FIGURES, figure
from vlrl.types import Draft

COLOURS = tuple(NAMED)[:6]
MOST = 5
ALIKE = ({"disc", "hexagon"}, {"square", "diamond"}, {"star", "cross"})  # hard to tell apart where they are small
WORDINGS = (
    "How many figures differ between the two images?",
    "Compare the images: in how many places do they differ?",
    "Spot the differences between the two images. How many are there?",
)


@dataclass(frozen=True)
class Thing:
    """A figure in a cell; an empty form is none."""

    form: str
    colour: str
    half: float
    turn: float


@domain("spot_difference", family="multi_image")
@dataclass(frozen=True)
class SpotDifference:
    """Two images, up to five differences; the thought counts them row by row: `1+0+2=3`.

    size  pixels of each image, square
    """

    size: int = 224

    verifier = "number"

    def __post_init__(self) -> None:
        check_at_least("domain 'spot_difference', size", self.size, 96)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """Two images. Difficulty 0: 3 × 3 cells, one is missing; .5: also recoloured; 1: 5 × 5, also reshaped."""
        side = scaled((3, 5), difficulty)
        shift = rng.uniform(-1, 1, size=(side * side, 2))
        first = [
            Thing(pick(rng, FIGURES), pick(rng, COLOURS), float(rng.uniform(0.7, 1.0)), float(rng.uniform(-20, 20)))
            for _ in range(side * side)
        ]
        first = [replace(thing, form="") if rng.random() < 0.15 else thing for thing in first]
        count = int(rng.integers(MOST + 1))
        second, changed = list(first), [False] * (side * side)
        for cell in rng.permutation(side * side)[:count].tolist():
            second[cell], changed[cell] = _changed(rng, first[cell], difficulty), True
        if rng.random() < 0.5:  # what is missing may be missing on either side
            first, second = second, first
        paper = pick(rng, PAPERS)
        images = tuple(self._image(things, side, shift, paper) for things in (first, second))
        rows = [sum(changed[r * side : (r + 1) * side]) for r in range(side)]
        thought = f"{'+'.join(map(str, rows))}={count}"
        question = pick(rng, WORDINGS)
        layout = ("Image 1:", 0, "Image 2:", 1, question)
        return Draft(question, str(count), images, thought, layout=layout, scene=(first, second))

    def answers(self, scene: Any) -> set[str]:
        """In how many cells the two images show something else, whether or not forms that look alike are told apart."""
        changed = [(one, other) for one, other in zip(*scene, strict=True) if one != other]
        alike = [one.colour == other.colour and {one.form, other.form} in ALIKE for one, other in changed]
        return {str(len(changed)), str(len(changed) - sum(alike))}

    def _image(self, things: list[Thing], side: int, shift: np.ndarray, paper: tuple[int, int, int]) -> Pillow.Image:
        canvas, cell = Canvas(self.size, paper), 96 / side
        for i, thing in enumerate(things):
            if thing.form:
                right, down = (shift[i] * cell * 0.1).tolist()
                place = (2 + (i % side + 0.5) * cell + right, 2 + (i // side + 0.5) * cell + down)
                figure(canvas, thing.form, place, cell * 0.3 * thing.half, NAMED[thing.colour], thing.turn)
        return canvas.image()


def _changed(rng: np.random.Generator, thing: Thing, difficulty: float) -> Thing:
    """The figure gone, or there, or in another colour or form; small changes are hard to see."""
    if not thing.form:
        return replace(thing, form=pick(rng, FIGURES))
    kind = pick(rng, ("gone", "colour", "form")[: scaled((1, 3), difficulty)])
    if kind == "gone":
        return replace(thing, form="")
    if kind == "colour":
        return replace(thing, colour=pick(rng, [c for c in COLOURS if c != thing.colour]))
    return replace(thing, form=pick(rng, [f for f in FIGURES if f != thing.form and {f, thing.form} not in ALIKE]))

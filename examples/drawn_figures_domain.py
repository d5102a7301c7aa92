"""A domain whose answers are drawings: a response is an SVG, and its reward is how like its drawing is to the image."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from vlrl.scenes.domain import domain
from vlrl.types import Draft

COLOURS = ("red", "blue", "green", "orange", "purple", "black")
SIZE = 48  # pixels of the image
FINER = 4  # it is drawn this many times as large, so that edges are smooth as a browser's
CENTRES = (10, 24, 38)
RADII = (5, 9)
Shape = tuple[str, int, int, int, str]  # circle or square, centre, half of its width, colour


@domain("drawn_figures", family="drawings")
@dataclass(frozen=True)
class DrawnFigures:
    """An image of circles and squares, 48 × 48 pixels, to draw again as an SVG.

    shapes  how many at difficulty 0 and 1; at most one in each of nine places
    """

    shapes: tuple[int, int] = (1, 2)

    verifier = "visual_code"
    one_answer = "the score says how like a drawing is to the image, whatever its source looks like"

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One figure. Difficulty 0: shapes[0] shapes; 1: shapes[1]."""
        count = self.shapes[0] + round(difficulty * (self.shapes[1] - self.shapes[0]))
        shapes: list[Shape] = []
        for place in sorted(int(one) for one in rng.choice(9, count, replace=False)):
            kind = ("circle", "square")[int(rng.integers(2))]
            radius, colour = RADII[int(rng.integers(2))], COLOURS[int(rng.integers(len(COLOURS)))]
            shapes.append((kind, CENTRES[place % 3], CENTRES[place // 3], radius, colour))
        image = Image.new("RGB", (SIZE * FINER, SIZE * FINER), "white")
        pen = ImageDraw.Draw(image)
        for kind, x, y, radius, colour in shapes:
            corners = [FINER * (x - radius), FINER * (y - radius), FINER * (x + radius) - 1, FINER * (y + radius) - 1]
            (pen.ellipse if kind == "circle" else pen.rectangle)(corners, fill=colour)
        small = image.resize((SIZE, SIZE), Image.Resampling.BOX)
        return Draft("Draw it as an SVG.", json.dumps({"kind": "svg"}), (small,), response=svg(shapes))


def svg(shapes: list[Shape]) -> str:
    """The figure as an SVG."""
    drawn = []
    for kind, x, y, radius, colour in shapes:
        if kind == "circle":
            drawn.append(f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{colour}"/>')
        else:
            side = 2 * radius
            place = f'x="{x - radius}" y="{y - radius}"'
            drawn.append(f'<rect {place} width="{side}" height="{side}" fill="{colour}"/>')
    return f'<svg viewBox="0 0 {SIZE} {SIZE}">{"".join(drawn)}</svg>'

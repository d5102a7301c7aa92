"""Images made of square cells: cached sprites are copied into a grid with array slices, which takes microseconds.

A grid that fills the image exactly keeps every sprite inside its own cell: at 48 px with 3 cells a side a cell is
16 px, one visual token of a small model, and nothing is blurred across cells. From `ROOMY` px a cell on, sprites vary
in size and place inside their cell, and thin lines separate the cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from vlrl.errors import ConfigError

PAPER = (255, 255, 255)
LINE = (222, 222, 222)
ROOMY = 32  # px a cell
SUPERSAMPLING = 8
COLOURS = {
    "red": (214, 40, 40),
    "blue": (29, 78, 216),
    "green": (22, 163, 74),
    "yellow": (250, 190, 0),
    "purple": (147, 51, 200),
    "orange": (245, 110, 10),
    "black": (25, 25, 25),
    "grey": (150, 150, 150),
}
SHAPES = ("disc", "square", "triangle", "cross", "ring", "diamond")
PLURALS = {
    "disc": "discs",
    "square": "squares",
    "triangle": "triangles",
    "cross": "crosses",
    "ring": "rings",
    "diamond": "diamonds",
}


def check_grid(place: str, size: int, cells: int) -> None:
    """Raises ConfigError unless `cells` × `cells` cells of at least 12 px fit into `size` px."""
    if cells < 2 or size // cells < 12:
        raise ConfigError(
            place, f"size {size} with {cells} cells a side", "give cells of 12 px or more, 2 or more a side"
        )


@lru_cache(maxsize=4096)
def sprite(shape: str, colour: str, side: int, turn: int = 0) -> np.ndarray:
    """One shape on paper: (side, side, 3) uint8, read-only, anti-aliased inside its square. `turn` is in degrees."""
    n = side * SUPERSAMPLING
    mask = Pillow.new("L", (n, n), 0)
    pen, edge = ImageDraw.Draw(mask), n * 0.08
    far = n - 1 - edge
    third = (far - edge) / 3
    if shape == "disc":
        pen.ellipse((edge, edge, far, far), fill=255)
    elif shape == "square":
        pen.rectangle((edge * 1.5, edge * 1.5, far - edge / 2, far - edge / 2), fill=255)
    elif shape == "triangle":
        pen.polygon([(n / 2, edge), (far, far), (edge, far)], fill=255)
    elif shape == "cross":
        pen.rectangle((edge + third, edge, far - third, far), fill=255)
        pen.rectangle((edge, edge + third, far, far - third), fill=255)
    elif shape == "ring":
        pen.ellipse((edge, edge, far, far), fill=255)
        pen.ellipse((edge + 0.65 * third, edge + 0.65 * third, far - 0.65 * third, far - 0.65 * third), fill=0)
    elif shape == "diamond":
        pen.polygon([(n / 2, edge), (far, n / 2), (n / 2, far), (edge, n / 2)], fill=255)
    else:
        raise ValueError(f"no shape {shape!r}")
    if turn:
        mask = mask.rotate(turn, resample=Pillow.Resampling.BILINEAR)
    share = np.asarray(mask, dtype=np.float32).reshape(side, SUPERSAMPLING, side, SUPERSAMPLING).mean(axis=(1, 3)) / 255
    paper, ink = np.array(PAPER, np.float32), np.array(COLOURS[colour], np.float32)
    drawn: np.ndarray = np.rint(paper + share[..., None] * (ink - paper)).astype(np.uint8)
    drawn.setflags(write=False)
    return drawn


@lru_cache(maxsize=64)
def _blank(size: int, cells: int) -> np.ndarray:
    blank = np.full((size, size, 3), PAPER, np.uint8)
    cell = size // cells
    if cell >= ROOMY:
        for i in range(cells + 1):
            at = min(i * cell, size - 1)
            blank[at, : cells * cell] = LINE
            blank[: cells * cell, at] = LINE
    blank.setflags(write=False)
    return blank


def blank_grid(size: int, cells: int) -> np.ndarray:
    """An empty image with its cells: (size, size, 3) uint8."""
    return _blank(size, cells).copy()


@dataclass(frozen=True)
class Item:
    """One shape in one cell; cells are numbered in reading order from 0, `turn` is in degrees counter-clockwise."""

    cell: int
    shape: str
    colour: str
    turn: int = 0


def draw_items(rng: np.random.Generator, size: int, cells: int, items: Sequence[Item]) -> Pillow.Image:
    """An image of `size` × `size` px with a sprite for each item."""
    image, cell = blank_grid(size, cells), size // cells
    if cell < ROOMY:
        for item in items:
            top, left = item.cell // cells * cell, item.cell % cells * cell
            image[top : top + cell, left : left + cell] = sprite(item.shape, item.colour, cell, item.turn)
        return Pillow.fromarray(image)
    room = cell - 4  # keeps clear of the lines
    for item, (a, b, c) in zip(items, rng.random((len(items), 3)).tolist(), strict=True):
        side = int(room * (0.62, 0.7, 0.78, 0.86)[int(a * 4)])
        top = item.cell // cells * cell + 2 + int(b * (room - side + 1))
        left = item.cell % cells * cell + 2 + int(c * (room - side + 1))
        image[top : top + side, left : left + side] = sprite(item.shape, item.colour, side, item.turn)
    return Pillow.fromarray(image)

"""The same question with a picture that says less: what a policy that looks at pictures should do worse on."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import Image as Pillow
from PIL import ImageFilter

from vlrl.data.images import open_image
from vlrl.types import Image, Problem

TILES = 4  # a side, where a picture's parts change places


def blank(picture: Pillow.Image, rng: np.random.Generator) -> Pillow.Image:
    """One colour, the picture's mean."""
    mean = np.asarray(picture).reshape(-1, 3).mean(0).round().astype(int)
    return Pillow.new("RGB", picture.size, (int(mean[0]), int(mean[1]), int(mean[2])))


def blurred(picture: Pillow.Image, rng: np.random.Generator) -> Pillow.Image:
    """A radius of an eighth of the shorter side: nothing written is left to read."""
    return picture.filter(ImageFilter.GaussianBlur(min(picture.size) / 8))


def tiles(picture: Pillow.Image, rng: np.random.Generator) -> Pillow.Image:
    """Parts of the picture, TILES a side, in random places; what doesn't divide stays at the edge."""
    width, height = picture.width // TILES, picture.height // TILES
    boxes = [(x * width, y * height) for y in range(TILES) for x in range(TILES)]
    found = picture.copy()
    for (x, y), place in zip(boxes, rng.permutation(len(boxes)), strict=True):
        u, v = boxes[int(place)]
        found.paste(picture.crop((u, v, u + width, v + height)), (x, y))
    return found


PERTURBATIONS: dict[str, Callable[[Pillow.Image, np.random.Generator], Pillow.Image]] = {
    "blank": blank,
    "blurred": blurred,
    "tiles": tiles,
}


def perturbed(problem: Problem, name: str, rng: np.random.Generator) -> Problem:
    """The problem with each of its pictures perturbed; question and answer stay. `name` is a key of PERTURBATIONS.

    Raises BadImageError for a picture that can't be read.
    """
    change = PERTURBATIONS[name]

    def one(image: Image) -> Image:
        file = io.BytesIO()
        change(open_image(image), rng).save(file, "PNG")
        return Image.from_bytes(file.getvalue())

    return replace(problem, prompt=tuple(one(p) if isinstance(p, Image) else p for p in problem.prompt))

"""The same question with a picture that says less: what a policy that looks at pictures should do worse on.

A perturbation is a function (picture, random numbers) → picture of the same size. A plugin's own is there by its name:

    @perturbations.register("grey")
    def grey(picture, rng):
        return picture.convert("L").convert("RGB")
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageFilter

from vlrl.data.images.open_images import open_image
from vlrl.errors import ConfigError, did_you_mean
from vlrl.registry import Registry
from vlrl.types import Image, Problem

TILES = 4  # a side, where a picture's parts change places
MISMATCHED = "mismatched"  # another problem's picture: the one perturbation that needs more than the picture
perturbations: Registry[Any] = Registry("perturbation")


@perturbations.register("blank")
def blank(picture: Pillow.Image, rng: np.random.Generator) -> Pillow.Image:
    """One colour, the picture's mean."""
    mean = np.asarray(picture).reshape(-1, 3).mean(0).round().astype(int)
    return Pillow.new("RGB", picture.size, (int(mean[0]), int(mean[1]), int(mean[2])))


@perturbations.register("blurred")
def blurred(picture: Pillow.Image, rng: np.random.Generator) -> Pillow.Image:
    """A radius of an eighth of the shorter side: nothing written is left to read."""
    return picture.filter(ImageFilter.GaussianBlur(min(picture.size) / 8))


@perturbations.register("tiles")
def tiles(picture: Pillow.Image, rng: np.random.Generator) -> Pillow.Image:
    """Parts of the picture, TILES a side, in random places; what doesn't divide stays at the edge."""
    width, height = picture.width // TILES, picture.height // TILES
    boxes = [(x * width, y * height) for y in range(TILES) for x in range(TILES)]
    found = picture.copy()
    for (x, y), place in zip(boxes, rng.permutation(len(boxes)), strict=True):
        u, v = boxes[int(place)]
        found.paste(picture.crop((u, v, u + width, v + height)), (x, y))
    return found


def check_perturbation(name: str) -> str:
    """The name back. Raises ConfigError where there is no such perturbation."""
    if name != MISMATCHED and name not in perturbations:
        raise ConfigError(
            "perturbation", f"unknown perturbation {name!r}", did_you_mean(name, [MISMATCHED, *perturbations])
        )
    return name


def perturbed(problem: Problem, name: str, rng: np.random.Generator) -> Problem:
    """The problem with each of its pictures perturbed; question and answer stay. `name` is a registered one.

    Raises BadImageError for a picture that can't be read.
    """
    change = perturbations.get(name)
    return _with_pictures(problem, [_encoded(change(open_image(image), rng)) for image in problem.images])


def mismatched(problems: Sequence[Problem]) -> list[Problem | None]:
    """Every problem with the pictures of the next one that has others, the first after the last.

    None where a problem has no picture, or none has others.

    They are brought to the size of the pictures that they stand for: another size would move the positions of all that
    follows, and with them what a policy says that never looks.
    """
    found: list[Problem | None] = []
    for place, problem in enumerate(problems):
        own = [image.digest for image in problem.images]
        following = [*problems[place + 1 :], *problems[:place]]
        donors = (p.images for p in following if p.images and [image.digest for image in p.images] != own)
        pictures = next(donors, None) if own else None
        found.append(
            None
            if pictures is None
            else _with_pictures(
                problem,
                [_in_size_of(image, pictures[i % len(pictures)]) for i, image in enumerate(problem.images)],
            )
        )
    return found


def _in_size_of(image: Image, other: Image) -> Image:
    return _encoded(open_image(other).resize(open_image(image).size))


def _encoded(picture: Pillow.Image) -> Image:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return Image.from_bytes(file.getvalue())


def _with_pictures(problem: Problem, pictures: Sequence[Image]) -> Problem:
    coming = iter(pictures)
    return replace(problem, prompt=tuple(next(coming) if isinstance(p, Image) else p for p in problem.prompt))

"""The same question with an image that says less: what a policy that looks at images should do worse on.

A perturbation is a function (image, random numbers) → image of the same size. A plugin's own is there by its name:

    @perturbations.register("grey")
    def grey(image, rng):
        return image.convert("L").convert("RGB")
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

TILES = 4  # a side, where an image's parts change places
FRAME_ORDER = "frame_order"  # frames of a video in another order: of several images, too
MISMATCHED = "mismatched"  # another problem's image: the one perturbation that needs more than the image
perturbations: Registry[Any] = Registry("perturbation")


@perturbations.register("blank")
def blank(image: Pillow.Image, rng: np.random.Generator) -> Pillow.Image:
    """One colour, the image's mean."""
    mean = np.asarray(image).reshape(-1, 3).mean(0).round().astype(int)
    return Pillow.new("RGB", image.size, (int(mean[0]), int(mean[1]), int(mean[2])))


@perturbations.register("blurred")
def blurred(image: Pillow.Image, rng: np.random.Generator) -> Pillow.Image:
    """A radius of an eighth of the shorter side: nothing written is left to read."""
    return image.filter(ImageFilter.GaussianBlur(min(image.size) / 8))


@perturbations.register("tiles")
def tiles(image: Pillow.Image, rng: np.random.Generator) -> Pillow.Image:
    """Parts of the image, TILES a side, in random places; what doesn't divide stays at the edge."""
    width, height = image.width // TILES, image.height // TILES
    boxes = [(x * width, y * height) for y in range(TILES) for x in range(TILES)]
    found = image.copy()
    for (x, y), place in zip(boxes, rng.permutation(len(boxes)), strict=True):
        u, v = boxes[int(place)]
        found.paste(image.crop((u, v, u + width, v + height)), (x, y))
    return found


def check_perturbation(name: str) -> str:
    """The name back. Raises ConfigError where there is no such perturbation."""
    if name not in (MISMATCHED, FRAME_ORDER) and name not in perturbations:
        known = [MISMATCHED, FRAME_ORDER, *perturbations]
        raise ConfigError("perturbation", f"unknown perturbation {name!r}", did_you_mean(name, known))
    return name


def perturbed(problem: Problem, name: str, rng: np.random.Generator) -> Problem:
    """The problem with each of its images perturbed; question and answer stay. `name` is a registered one.

    Raises BadImageError for an image that can't be read.
    """
    change = perturbations.get(name)
    return _with_images(problem, [_encoded(change(open_image(image), rng)) for image in problem.images])


def in_another_order(problem: Problem, rng: np.random.Generator) -> Problem | None:
    """The problem with the frames of its video in a random other order; the seconds stay as they are written (T-GRPO,
    Video-R1, arXiv:2503.21776). None where it has no video, or all frames are the same.
    """
    places = [i for i, image in enumerate(problem.images) if image.second is not None]
    frames = [problem.images[i] for i in places]
    if len({frame.digest for frame in frames}) < 2:
        return None
    order = list(range(len(frames)))
    while all(frames[a].digest == frame.digest for a, frame in zip(order, frames, strict=True)):
        order = [int(a) for a in rng.permutation(len(frames))]
    images = list(problem.images)
    for place, a in zip(places, order, strict=True):
        images[place] = replace(frames[a], second=problem.images[place].second)
    return _with_images(problem, images)


def mismatched(problems: Sequence[Problem]) -> list[Problem | None]:
    """Every problem with the images of the next one that has others, the first after the last.

    None where a problem has no image, or none has others.

    They are brought to the size of the images that they stand for: another size would move the positions of all that
    follows, and with them what a policy says that never looks.
    """
    found: list[Problem | None] = []
    for place, problem in enumerate(problems):
        own = [image.digest for image in problem.images]
        following = [*problems[place + 1 :], *problems[:place]]
        donors = (p.images for p in following if p.images and [image.digest for image in p.images] != own)
        images = next(donors, None) if own else None
        found.append(
            None
            if images is None
            else _with_images(
                problem,
                [_in_size_of(image, images[i % len(images)]) for i, image in enumerate(problem.images)],
            )
        )
    return found


def _in_size_of(image: Image, other: Image) -> Image:
    return _encoded(open_image(other).resize(open_image(image).size))


def _encoded(image: Pillow.Image) -> Image:
    file = io.BytesIO()
    image.save(file, "PNG")
    return Image.from_bytes(file.getvalue())


def _with_images(problem: Problem, images: Sequence[Image]) -> Problem:
    coming = iter(images)
    return replace(problem, prompt=tuple(next(coming) if isinstance(p, Image) else p for p in problem.prompt))

"""In which convention coordinates are written, and what they are in another one.

A recipe declares it in the metadata of a source: `coordinates` for the answers, `gold_coordinates` for the golds (the
same unless given). Coordinates run from 0 to the frame's width and height, both ends included; what lies outside is
no place in the image and is never clamped.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vlrl.errors import ConfigError, DataError, did_you_mean
from vlrl.types import Image, Problem

CONVENTIONS = ("pixels", "resized_pixels", "0-1", "0-100", "0-1000")
_EXTENTS = {"0-1": 1.0, "0-100": 100.0, "0-1000": 1000.0}
_TURNED = (5, 6, 7, 8)  # values of the EXIF tag "orientation" that exchange width and height
_MAX_KNOWN = 100_000
_sizes: dict[str, tuple[int, int]] = {}


@dataclass(frozen=True)
class Frame:
    """Coordinates from (0, 0) at the top left to (width, height) at the bottom right of the image."""

    name: str
    width: float
    height: float

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies in the image, edges included; rounding in the ninth digit aside."""
        return -1e-9 <= x / self.width <= 1 + 1e-9 and -1e-9 <= y / self.height <= 1 + 1e-9

    def to(self, other: Frame, x: float, y: float) -> tuple[float, float]:
        """A point of this frame in another one."""
        if other == self:
            return x, y
        return x / self.width * other.width, y / self.height * other.height


UNIT = Frame("0-1", 1.0, 1.0)


def frames_of(problem: Problem) -> tuple[Frame, Frame] | None:
    """The frames of answer and gold; None where the recipe declares none: both are then compared as they are written.

    metadata:
    coordinates, gold_coordinates  one of `CONVENTIONS`
    image_size                     [width, height] of the original image in pixels; default: the size of the prompt's
                                   one image
    resized                        for `resized_pixels`: [width, height], or {factor, min_pixels, max_pixels} of
                                   Qwen's processors (sides become multiples of `factor`)

    Raises ConfigError for an unknown convention, DataError where the size is needed and unknown.
    """
    given = problem.metadata.get("coordinates"), problem.metadata.get("gold_coordinates")
    answers, golds = given[0] or given[1], given[1] or given[0]
    if answers is None:
        return None
    return _frame(str(answers), "coordinates", problem), _frame(str(golds), "gold_coordinates", problem)


def _frame(name: str, fact: str, problem: Problem) -> Frame:
    if name in _EXTENTS:
        return Frame(name, _EXTENTS[name], _EXTENTS[name])
    if name not in CONVENTIONS:
        raise ConfigError(f"metadata.{fact}", f"unknown convention {name!r}", did_you_mean(name, CONVENTIONS))
    if name == "pixels":
        return Frame(name, *image_size(problem))
    resized = problem.metadata.get("resized")
    if isinstance(resized, Mapping):
        known = {"factor", "min_pixels", "max_pixels"}
        if set(resized) != known or not all(isinstance(v, int) and v > 0 for v in resized.values()):
            raise ConfigError(
                "metadata.resized", f"got {dict(resized)!r}", "give {factor: 28, min_pixels: 3136, max_pixels: 1003520}"
            )
        return Frame(name, *resized_size(*image_size(problem), **resized))
    return Frame(name, *_pair(resized, "metadata.resized", "the size of the resized image"))


def image_size(problem: Problem) -> tuple[int, int]:
    """Width and height of the problem's image in pixels, upright.

    Raises DataError where there is no size in the metadata and not one image in the prompt, or it can't be read.
    """
    if "image_size" in problem.metadata:
        return _pair(problem.metadata["image_size"], "metadata.image_size", "the size of the image")
    images = [piece for piece in problem.prompt if isinstance(piece, Image)]
    if len(images) != 1:
        raise DataError(
            f"problem {problem.id}, metadata.image_size",
            f"is missing, and the prompt has {len(images)} images",
            "give [width, height] in pixels",
        )
    return _size(images[0])


def _size(image: Image) -> tuple[int, int]:
    known = _sizes.get(image.digest)
    if known is not None:
        return known
    from PIL import Image as Pillow  # here, because most verdicts need no image

    try:
        with Pillow.open(io.BytesIO(image.read_bytes())) as opened:
            width, height = opened.size
            turned = opened.getexif().get(0x0112) in _TURNED
    except (OSError, ValueError, Pillow.DecompressionBombError) as error:
        raise DataError(
            f"image {image.digest}", f"its size can't be read: {error}", "give metadata.image_size"
        ) from error
    if len(_sizes) >= _MAX_KNOWN:
        _sizes.clear()
    _sizes[image.digest] = (height, width) if turned else (width, height)
    return _sizes[image.digest]


def resized_size(width: int, height: int, factor: int, min_pixels: int, max_pixels: int) -> tuple[int, int]:
    """Width and height after the resizing of Qwen2-VL's and Qwen2.5-VL's processors (`smart_resize`)."""
    wide, high = (round(side / factor) * factor for side in (width, height))
    if wide * high > max_pixels:
        ratio = math.sqrt(width * height / max_pixels)
        wide, high = (max(factor, math.floor(side / ratio / factor) * factor) for side in (width, height))
    elif wide * high < min_pixels:
        ratio = math.sqrt(min_pixels / (width * height))
        wide, high = (math.ceil(side * ratio / factor) * factor for side in (width, height))
    return wide, high


def _pair(value: Any, place: str, what: str) -> tuple[int, int]:
    if (
        isinstance(value, (list, tuple))
        and len(value) == 2
        and all(isinstance(v, (int, float)) and not isinstance(v, bool) and v > 0 for v in value)
    ):
        return value[0], value[1]
    raise DataError(place, f"{value!r} is not {what}", "give [width, height] in pixels")

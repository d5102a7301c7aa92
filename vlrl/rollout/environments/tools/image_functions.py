"""What our tools do to an image: pure functions of Pillow images, in pixels. A ValueError is for the policy to read."""

from __future__ import annotations

from typing import Literal

from PIL import Image as Pillow
from PIL import ImageDraw

Coordinates = Literal["thousandths", "unit", "pixels"]
Box = tuple[int, int, int, int]
MOST_ASPECT = 100  # of a crop; DeepEyes refuses narrower ones


def in_pixels(values: list[float], size: tuple[int, int], coordinates: Coordinates) -> list[float]:
    """x, y, x, y, … in pixels of an image of this (width, height), from thousandths of it, shares, or pixels."""
    over = {"thousandths": 1000.0, "unit": 1.0, "pixels": None}[coordinates]
    return [float(v) if over is None else float(v) / over * size[i % 2] for i, v in enumerate(values)]


def box_of(values: list[float], size: tuple[int, int], coordinates: Coordinates, least: int = 1) -> Box:
    """left, top, right, bottom in whole pixels inside of the image, at least `least` pixels a side where it has them.

    Raises ValueError for a box that isn't four numbers, is inverted or lies outside.
    """
    if len(values) != 4:
        raise ValueError(f"a box has four numbers [left, top, right, bottom], not {len(values)}")
    left, top, right, bottom = in_pixels(values, size, coordinates)
    if right <= left or bottom <= top:
        raise ValueError("the box is empty: right must be beyond left, and bottom beyond top")
    if right <= 0 or bottom <= 0 or left >= size[0] or top >= size[1]:
        raise ValueError("the box lies outside of the image")
    across, down = (_grown(*pair, least) for pair in ((left, right, size[0]), (top, bottom, size[1])))
    return across[0], down[0], across[1], down[1]


def _grown(first: float, last: float, length: int, least: int) -> tuple[int, int]:
    """A range in whole pixels within 0 … length, grown around its middle to `least`."""
    begin, end = max(0, int(first)), min(length, -int(-last // 1) if last < length else length)
    end = max(end, begin + 1)
    missing = min(least, length) - (end - begin)
    if missing > 0:
        begin = max(0, min(begin - missing // 2, length - min(least, length)))
        end = begin + min(least, length)
    return begin, end


def crop(image: Pillow.Image, box: Box) -> Pillow.Image:
    """The box alone. Raises ValueError for one that is too narrow to be shown."""
    width, height = box[2] - box[0], box[3] - box[1]
    if max(width, height) > MOST_ASPECT * min(width, height):
        raise ValueError(f"the box is too narrow: {width}×{height} pixels")
    return image.crop(box)


def rotate(image: Pillow.Image, degrees: float) -> Pillow.Image:
    """Turned clockwise about its middle, whole, with white corners."""
    turns = degrees % 360
    if turns % 90 == 0:
        how = {90: Pillow.Transpose.ROTATE_270, 180: Pillow.Transpose.ROTATE_180, 270: Pillow.Transpose.ROTATE_90}
        return image.transpose(how[int(turns)]) if turns else image.copy()
    return image.rotate(-turns, Pillow.Resampling.BICUBIC, expand=True, fillcolor=(255, 255, 255))


def flip(image: Pillow.Image, horizontal: bool) -> Pillow.Image:
    """Mirrored left to right, or top to bottom."""
    how = Pillow.Transpose.FLIP_LEFT_RIGHT if horizontal else Pillow.Transpose.FLIP_TOP_BOTTOM
    return image.transpose(how)


def draw_box(image: Pillow.Image, box: Box, colour: str) -> Pillow.Image:
    """With the box drawn on it. Raises ValueError for an unknown colour."""
    drawn = image.copy()
    width = max(1, round(max(image.size) / 200))
    ImageDraw.Draw(drawn).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), outline=colour, width=width)
    return drawn


def draw_line(image: Pillow.Image, points: list[float], colour: str) -> Pillow.Image:
    """With a line through these x, y, x, y, … in pixels. Raises ValueError for an odd count or an unknown colour."""
    if len(points) < 4 or len(points) % 2:
        raise ValueError("a line has an even count of numbers, x and y of each point, at least four")
    drawn = image.copy()
    bounded = [max(-1e6, min(1e6, value)) for value in points]
    ImageDraw.Draw(drawn).line(bounded, fill=colour, width=max(1, round(max(image.size) / 200)))
    return drawn


def mean_colour(image: Pillow.Image, box: Box) -> tuple[int, int, int]:
    """Mean red, green and blue of a box, each 0 to 255."""
    red, green, blue = image.crop(box).resize((1, 1), Pillow.Resampling.BOX).convert("RGB").getpixel((0, 0))  # type: ignore[misc]
    return int(red), int(green), int(blue)

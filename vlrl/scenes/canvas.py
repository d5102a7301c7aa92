"""A canvas with smooth edges and text. Lengths are in hundredths of the image's width, so scenes fit any size.

(0, 0) is the top left corner, x runs right and y down; angles are in degrees clockwise from 12 o'clock. OpenCV draws
the shapes with anti-aliasing at a sixteenth of a pixel, Pillow the text in DejaVu Sans (the open font that matplotlib
brings along), each piece of text once per process.

Every text is kept as a `Label`. `illegible` names what a reader couldn't read: a label that leaves the image, touches
another one, lies on ink of its own shade, or was drawn over. `image` hands the complaints on under
`info["illegible"]`, and the conformance test of the domains wants none. `place` puts a label at the first of several
points where it can be read.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

Colour = tuple[int, int, int]
Point = tuple[float, float]

WHITE: Colour = (255, 255, 255)
INK: Colour = (38, 42, 51)
GREY: Colour = (150, 156, 166)
PALE: Colour = (225, 228, 233)
PAPERS: tuple[Colour, ...] = ((255, 255, 255), (250, 247, 240), (240, 246, 250), (244, 248, 241), (248, 243, 248))
NAMED: dict[str, Colour] = {
    "red": (214, 48, 49),
    "blue": (33, 90, 200),
    "green": (34, 150, 84),
    "yellow": (247, 193, 31),
    "purple": (132, 64, 176),
    "orange": (238, 121, 24),
    "pink": (240, 130, 180),
    "brown": (131, 84, 50),
}
CONTRAST = 70  # least difference in luminance (0–255) between a label and every pixel around its letters
LUMINANCE = np.array((0.299, 0.587, 0.114), np.float32)  # of red, green and blue, ITU-R BT.601
_SHIFT = 4  # coordinates are passed to OpenCV in sixteenths of a pixel


def towards(centre: Point, degrees: float, distance: float) -> Point:
    """The point `distance` from the centre in a direction (clockwise from 12 o'clock)."""
    angle = math.radians(degrees)
    return centre[0] + distance * math.sin(angle), centre[1] - distance * math.cos(angle)


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """`first` with a share in [0, 1] of `second`: lighter and darker sides of one colour."""
    a, b, c = (round(x + share * (y - x)) for x, y in zip(first, second, strict=True))
    return a, b, c


@dataclass(frozen=True)
class Label:
    """A text on a canvas: the box of its ink in pixels (right and bottom excluded), and what it was drawn with."""

    words: str
    left: int
    top: int
    right: int
    bottom: int
    colour: Colour

    def touches(self, other: Label) -> bool:
        """Whether the boxes of two labels share a pixel or lie directly side by side."""
        across = self.left <= other.right and other.left <= self.right
        return across and self.top <= other.bottom and other.top <= self.bottom


class Canvas:
    """An image of `size` px in width and `height` hundredths of that in height."""

    def __init__(self, size: int, paper: Colour = WHITE, height: float = 100) -> None:
        self.unit = size / 100  # px
        self.pixels = np.full((round(size * height / 100), size, 3), paper, np.uint8)
        self._labels: list[tuple[Label, np.ndarray, bool]] = []  # label, pixels of its box when drawn, clear ground
        self._without_room: list[str] = []

    def image(self) -> Pillow.Image:
        """The finished image; `info["illegible"]` holds the complaints about its labels, none if all can be read."""
        finished = Pillow.fromarray(self.pixels)
        finished.info["illegible"] = self.illegible()
        return finished

    @property
    def labels(self) -> tuple[Label, ...]:
        """All texts in the order in which they were drawn."""
        return tuple(label for label, _, _ in self._labels)

    def illegible(self) -> tuple[str, ...]:
        """What can't be read: labels that leave the image, touch each other, lie on their own shade or are covered."""
        high, wide = self.pixels.shape[:2]
        found = [f"{words!r} has no room" for words in self._without_room]
        for i, (label, drawn, clear) in enumerate(self._labels):
            if label.left < 0 or label.top < 0 or label.right > wide or label.bottom > high:
                found.append(f"{label.words!r} leaves the image")
                continue
            if not clear:
                found.append(f"{label.words!r} lies on ink of its own shade")
            if (self.pixels[label.top : label.bottom, label.left : label.right] != drawn).any():
                found.append(f"{label.words!r} is drawn over")
            found += [f"{label.words!r} touches {o.words!r}" for o, _, _ in self._labels[:i] if label.touches(o)]
        return tuple(found)

    def _fixed(self, points: Sequence[Point] | np.ndarray) -> np.ndarray:
        # OpenCV's (0, 0) is the centre of the first pixel, ours is its corner
        scaled = (np.asarray(points, np.float64) * self.unit - 0.5) * (1 << _SHIFT)
        return np.rint(scaled).astype(np.int32)

    def polygon(self, points: Sequence[Point], fill: Colour, outline: Colour | None = None, width: float = 0.6) -> None:
        """A filled polygon, with an outline of the given width if a colour is given."""
        corners = [self._fixed(points)]
        cv2.fillPoly(self.pixels, corners, fill, cv2.LINE_AA, _SHIFT)
        if outline is not None:
            cv2.polylines(self.pixels, corners, True, outline, self._pen(width), cv2.LINE_AA, _SHIFT)

    def _pen(self, width: float) -> int:
        return max(1, round(width * self.unit))

    def box(
        self, left: float, top: float, right: float, bottom: float, fill: Colour, outline: Colour | None = None
    ) -> None:
        """A filled rectangle."""
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], fill, outline)

    def line(self, start: Point, end: Point, colour: Colour, width: float = 0.6) -> None:
        """A straight line with round ends; the width is rounded to whole pixels, at least one."""
        (a, b), (c, d) = self._fixed([start, end]).tolist()
        cv2.line(self.pixels, (a, b), (c, d), colour, self._pen(width), cv2.LINE_AA, _SHIFT)

    def curve(
        self, points: Sequence[Point] | np.ndarray, colour: Colour, width: float = 0.6, closed: bool = False
    ) -> None:
        """A line through many points."""
        cv2.polylines(self.pixels, [self._fixed(points)], closed, colour, self._pen(width), cv2.LINE_AA, _SHIFT)

    def disc(
        self, centre: Point, radius: float, fill: Colour, outline: Colour | None = None, width: float = 0.6
    ) -> None:
        """A filled circle."""
        ((x, y),) = self._fixed([centre]).tolist()
        fixed_radius = max(1, round(radius * self.unit * (1 << _SHIFT)))
        cv2.circle(self.pixels, (x, y), fixed_radius, fill, -1, cv2.LINE_AA, _SHIFT)
        if outline is not None:
            cv2.circle(self.pixels, (x, y), fixed_radius, outline, self._pen(width), cv2.LINE_AA, _SHIFT)

    def ring(self, centre: Point, radius: float, colour: Colour, width: float = 0.6) -> None:
        """A circle that isn't filled."""
        ((x, y),) = self._fixed([centre]).tolist()
        fixed_radius = round(radius * self.unit * (1 << _SHIFT))
        cv2.circle(self.pixels, (x, y), fixed_radius, colour, self._pen(width), cv2.LINE_AA, _SHIFT)

    def sector(self, centre: Point, radius: float, start: float, end: float, fill: Colour) -> None:
        """A slice of pie from one angle clockwise to another."""
        steps = max(2, round((end - start) / 3))
        rim = [towards(centre, start + (end - start) * i / steps, radius) for i in range(steps + 1)]
        self.polygon([centre, *rim], fill)

    def arc(self, centre: Point, radius: float, start: float, end: float, colour: Colour, width: float = 0.6) -> None:
        """A part of a circle from one angle clockwise to another (anticlockwise if `end` is smaller)."""
        steps = max(2, round(abs(end - start) / 4))
        self.curve(
            [towards(centre, start + (end - start) * i / steps, radius) for i in range(steps + 1)], colour, width
        )

    def arrow_head(self, tip: Point, degrees: float, length: float, colour: Colour) -> None:
        """A filled triangle whose tip points in a direction."""
        left, right = towards(tip, degrees + 180 - 25, length), towards(tip, degrees + 180 + 25, length)
        self.polygon([tip, left, right], colour)

    def text(
        self, at: Point, words: str, height: float, colour: Colour = INK, bold: bool = False, anchor: str = "mm"
    ) -> None:
        """One line of text; `height` is the font size, `anchor` as in Pillow: l, m, r and a, m, s."""
        mask, left, top, label = self._laid_out(at, words, height, colour, bold, anchor)
        clear = self._is_clear(label)
        rows, columns = mask.shape
        high, wide = self.pixels.shape[:2]
        t, b, s, e = max(0, top), min(high, top + rows), max(0, left), min(wide, left + columns)
        if t < b and s < e:
            share = mask[t - top : b - top, s - left : e - left, None]
            under = self.pixels[t:b, s:e].astype(np.float32)
            self.pixels[t:b, s:e] = np.rint(under + share * (np.array(colour, np.float32) - under)).astype(np.uint8)
        box = self.pixels[max(0, label.top) : label.bottom, max(0, label.left) : label.right]
        self._labels.append((label, box.copy(), clear))

    def place(
        self,
        points: Iterable[Point],
        words: str,
        height: float,
        colour: Colour = INK,
        bold: bool = False,
        anchor: str = "mm",
    ) -> bool:
        """The text at the first of the points where it can be read; False, and nothing is drawn, where it can nowhere:
        then draw another scene. `illegible` names it.

        Place labels after everything else is drawn: only what is there can be kept clear of.
        """
        high, wide = self.pixels.shape[:2]
        for at in points:
            _, _, _, label = self._laid_out(at, words, height, colour, bold, anchor)
            inside = label.left >= 0 and label.top >= 0 and label.right <= wide and label.bottom <= high
            if inside and self._is_clear(label) and not any(label.touches(other) for other in self.labels):
                self.text(at, words, height, colour, bold, anchor)
                return True
        self._without_room.append(words)
        return False

    def _laid_out(
        self, at: Point, words: str, height: float, colour: Colour, bold: bool, anchor: str
    ) -> tuple[np.ndarray, int, int, Label]:
        """The ink shares of a text, where their array begins (left, top) in pixels, and the label that it makes."""
        mask, (ink_left, ink_top, ink_right, ink_bottom) = _text_mask(words, max(6, round(height * self.unit)), bold)
        rows, columns = mask.shape
        x, y = at[0] * self.unit, at[1] * self.unit
        left = round(x - {"l": 0, "m": columns / 2, "r": columns}[anchor[0]])
        top = round(y - {"a": 0, "m": rows / 2, "s": rows}[anchor[1]])
        label = Label(words, left + ink_left, top + ink_top, left + ink_right, top + ink_bottom, colour)
        return mask, left, top, label

    def _is_clear(self, label: Label) -> bool:
        """Whether every pixel of a label's box and of the rim around it stands out against the label's colour."""
        ground = self.pixels[max(0, label.top - 1) : label.bottom + 1, max(0, label.left - 1) : label.right + 1]
        return bool((np.abs(ground @ LUMINANCE - np.dot(label.colour, LUMINANCE)) >= CONTRAST).all())


@lru_cache(maxsize=64)
def _font(pixels: int, bold: bool) -> ImageFont.FreeTypeFont:
    import matplotlib  # only for the folder of its fonts

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name
    return ImageFont.truetype(str(path), pixels, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def _text_mask(words: str, pixels: int, bold: bool) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """Ink shares in [0, 1] of one line of text, (rows, columns) float32, and the box of its ink in that array.

    Rows run from above the capitals to below the descenders. The baseline lies so that capitals and digits are centred
    in the array's height.
    """
    font = _font(pixels, bold)
    width = max(1, math.ceil(font.getlength(words)))
    mask = Pillow.new("L", (width + 2, math.ceil(pixels * 1.1)), 0)
    ImageDraw.Draw(mask).text((1, pixels * 0.55 + pixels * 0.365), words, fill=255, font=font, anchor="ls")
    shares: np.ndarray = np.asarray(mask, dtype=np.float32) / 255
    shares.setflags(write=False)
    return shares, mask.getbbox() or (0, 0, 1, 1)

"""An image as it is compared: grey and coloured pixels at most 512 × 512, with and without the plain frames around it.

Cropping and adding a border change where everything stands in the frame. What lies inside a frame of one colour is
therefore a view of its own, and a frame inside a frame another. A view has a small thumbnail to be found by, and grey
levels of a pyramid to be aligned by.
"""

from __future__ import annotations

import cv2
import numpy as np

MOST_PIXELS = 512 * 512  # of area; letters of 14 px on a page of 1,100 px keep 9 px
THUMBNAIL = 16  # px a side
_COARSE = 64 * 64  # pixels of the level that thumbnails are taken from, and of the first level of alignment
_COLOURS = 160 * 160  # pixels in which colours are looked for
_MOST_VIEWS = 3
_PLAIN = 28  # of 255; JPEG and noise stay below in a frame of one colour
_BLEND = 3  # pixels over which smoothing mixes two frames' colours: no frame has its own there
_SATURATED = 24  # of 255, between the strongest and the weakest channel


def to_area(pixels: np.ndarray, area: int) -> np.ndarray:
    """(H, W[, 3]) shrunk to at most `area` pixels, aspect kept; a smaller one as it is."""
    height, width = pixels.shape[:2]
    scale = (area / (height * width)) ** 0.5
    if scale >= 1:
        return pixels
    return cv2.resize(
        pixels, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA
    )


class View:
    """A part of an image: rgb (H, W, 3) and grey (H, W), uint8."""

    def __init__(self, rgb: np.ndarray, grey: np.ndarray) -> None:
        self.rgb, self.grey = rgb, grey
        self._levels: dict[int, np.ndarray] = {}

    @property
    def aspect(self) -> float:
        """Width over height."""
        return float(self.grey.shape[1] / self.grey.shape[0])

    def level(self, area: int) -> np.ndarray:
        """The grey view at most `area` pixels large, slightly smoothed; (h, w) float32."""
        if area not in self._levels:
            small = to_area(self.grey, area).astype(np.float32)
            self._levels[area] = cv2.GaussianBlur(small, (0, 0), 1.0)
        return self._levels[area]

    def thumbnail(self) -> np.ndarray:
        """(256,) float32 of mean 0 and norm 1 (0 for a view of one colour): brightness and contrast don't count."""
        small = cv2.resize(self.level(_COARSE), (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).ravel()
        small = small - small.mean()
        norm = float(np.linalg.norm(small))
        return small / norm if norm > 1.0 else np.zeros_like(small)


class ImageViews:
    """All views of an image, the whole one first. `rgb` is (H, W, 3) uint8."""

    def __init__(self, rgb: np.ndarray) -> None:
        rgb = to_area(np.ascontiguousarray(rgb), MOST_PIXELS)
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        self.views = [View(rgb[y0:y1, x0:x1], grey[y0:y1, x0:x1]) for x0, y0, x1, y1 in _boxes(grey)]
        small = cv2.GaussianBlur(to_area(rgb, _COLOURS), (0, 0), 1.0)  # noise of a grey image is no colour
        self.coloured = bool((np.ptp(small, axis=2) > _SATURATED).mean() > 0.002)

    def thumbnails(self) -> np.ndarray:
        """(2, 256) float32: of the whole image and of the innermost view."""
        return np.stack([self.views[0].thumbnail(), self.views[-1].thumbnail()])


def _boxes(grey: np.ndarray) -> list[tuple[int, int, int, int]]:
    """The whole image and what is inside its plain frames: (x0, y0, x1, y1) in pixels."""
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.0)
    height, width = grey.shape
    boxes = [(0, 0, width, height)]
    while len(boxes) < _MOST_VIEWS:
        x0, y0, x1, y1 = boxes[-1]
        if len(boxes) > 1 and min(x1 - x0, y1 - y0) > 4 * _BLEND:  # the colour of a frame inside of a frame
            x0, y0, x1, y1 = x0 + _BLEND, y0 + _BLEND, x1 - _BLEND, y1 - _BLEND
        inner = _inside(smooth[y0:y1, x0:x1])
        if inner is None:
            break
        left, top, right, bottom = x0 + inner[0], y0 + inner[1], x0 + inner[2], y0 + inner[3]
        area = (right - left) * (bottom - top)
        if area > 0.985 * (x1 - x0) * (y1 - y0) or area < 0.05 * height * width:
            break
        if min(right - left, bottom - top) > 40:  # resampling blends the frame's last line with the first inside
            left, top, right, bottom = left + 1, top + 1, right - 1, bottom - 1
        boxes.append((left, top, right, bottom))
    return boxes


def _inside(grey: np.ndarray) -> tuple[int, int, int, int] | None:
    """What is left when lines of the frame's colour go at all four sides; None where hardly anything is."""
    frame = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    other = np.abs(grey.astype(np.int16) - int(np.median(frame))) > _PLAIN
    rows, columns = np.flatnonzero(other.sum(1) >= 2), np.flatnonzero(other.sum(0) >= 2)
    if len(rows) < 4 or len(columns) < 4:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1

"""How much of the detail of one picture is different in another that looks the same from afar.

Two pages of text have the same margins, lines and greys, so a coarse hash calls them one picture. Here both are brought
to one size, small enough to be quick and large enough that letters stay apart, one is fitted to the other's brightness,
and every small window is compared. Windows without any contrast say nothing and aren't counted.
"""

from __future__ import annotations

from collections import OrderedDict

import cv2
import numpy as np

from vlrl.data.images import open_image
from vlrl.types import Image

MOST_PIXELS = 640 * 640  # a page of 1,000 px keeps letters of 14 px at 9 px
WINDOW = 9  # px; about one letter
CONTRAST = 12.0  # of 255; below, what differs is the noise of JPEG
DIFFERENT = (
    0.5  # of a window's contrast; JPEG at quality 60, WebP at 70 and half size stay below 0.35 at letters of 14 px
)
HELD = 200  # pictures in memory, at most 82 MB


def changed_detail(one: np.ndarray, other: np.ndarray) -> float:
    """The share of the detail that differs, in [0, 1]; 0 where neither picture has any. Both (H, W) uint8 grey."""
    a, b = _alike_in_size(one, other)  # (h, w) float32
    spread = float(b.std())
    if spread > 0:  # least squares: a ≈ gain · b + offset
        gain = float(((a - a.mean()) * (b - b.mean())).mean()) / spread**2
        b = gain * (b - b.mean()) + a.mean()
    apart = np.sqrt(_mean((a - b) ** 2))
    contrast = np.maximum(_deviation(a), _deviation(b))
    detailed = np.maximum(contrast, apart) > CONTRAST
    if not detailed.any():
        return 0.0
    return float((apart > np.maximum(CONTRAST, DIFFERENT * contrast))[detailed].mean())


def _alike_in_size(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    height, width = (min(a, b) for a, b in zip(one.shape, other.shape, strict=True))
    scale = min(1.0, (MOST_PIXELS / (height * width)) ** 0.5)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    a, b = (cv2.resize(grey, size, interpolation=cv2.INTER_AREA) for grey in (one, other))
    return tuple(cv2.GaussianBlur(grey, (3, 3), 0).astype(np.float32) for grey in (a, b))  # type: ignore[return-value]


def _mean(values: np.ndarray) -> np.ndarray:
    return cv2.blur(values, (WINDOW, WINDOW))


def _deviation(grey: np.ndarray) -> np.ndarray:
    deviation: np.ndarray = np.sqrt(np.maximum(_mean(grey**2) - _mean(grey) ** 2, 0.0))
    return deviation


class Details:
    """Compares pictures by reference; the grey pictures that were used last stay in memory."""

    def __init__(self) -> None:
        self._greys: OrderedDict[str, np.ndarray] = OrderedDict()

    def changed(self, one: Image, other: Image) -> float:
        """The share of the detail that differs, in [0, 1]. Raises BadImageError where one can't be read."""
        return 0.0 if one.digest == other.digest else changed_detail(self._grey(one), self._grey(other))

    def _grey(self, image: Image) -> np.ndarray:
        grey = self._greys.get(image.digest)
        if grey is None:
            grey = cv2.cvtColor(np.asarray(open_image(image)), cv2.COLOR_RGB2GRAY)
            scale = (MOST_PIXELS / grey.size) ** 0.5
            if scale < 1:
                size = round(grey.shape[1] * scale), round(grey.shape[0] * scale)
                grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
            self._greys[image.digest] = grey
            if len(self._greys) > HELD:
                self._greys.popitem(last=False)
        self._greys.move_to_end(image.digest)
        return grey

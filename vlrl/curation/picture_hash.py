"""Pictures that look alike though their bytes differ: re-encoded, resized, slightly brighter.

Two things are compared, and both must agree: the signs of the low frequencies (a perceptual hash, 64 bits) and a small
colour thumbnail, since the signs alone know neither colour nor how strong a frequency is. Higher frequencies are left
out: in smooth pictures they are near zero, and re-encoding turns their signs.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vlrl.data.images import open_image
from vlrl.types import Image

_SIDE, _LOW, _THUMB = 32, 8, 16
MAX_BITS = 6  # of 64; JPEG at quality 60, WebP at 70, half and double size turned at most 4 in smooth pictures
MAX_COLOUR = 6.0  # mean absolute difference of the thumbnails, of 255
_BITS = np.array([bin(byte).count("1") for byte in range(256)], dtype=np.uint16)


@dataclass(frozen=True)
class PictureHash:
    """bits (8,) uint8: signs of 8×8 cosine coefficients; thumb (768,) float32: 16×16 colours; aspect: w/h."""

    bits: np.ndarray
    thumb: np.ndarray
    aspect: float


def picture_hash(image: Image) -> PictureHash:
    """The hash of a picture. Raises BadImageError where it can't be read."""
    opened = open_image(image)
    colours = np.asarray(opened)
    grey = cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:_LOW, :_LOW].flatten()
    low[0] = 0.0  # the mean is the thumbnail's business
    thumb = cv2.resize(colours, (_THUMB, _THUMB), interpolation=cv2.INTER_AREA).astype(np.float32).flatten()
    return PictureHash(np.packbits(low > np.median(low)), thumb, opened.width / opened.height)


class PictureIndex:
    """Hashes by number; finds which of them look like a picture."""

    def __init__(self, max_bits: int = MAX_BITS, max_colour: float = MAX_COLOUR) -> None:
        self.max_bits, self.max_colour = max_bits, max_colour
        self._bits = np.empty((0, _LOW * _LOW // 8), np.uint8)
        self._thumbs = np.empty((0, _THUMB * _THUMB * 3), np.float32)
        self._aspects = np.empty((0,), np.float64)
        self._count = 0

    def add(self, hashed: PictureHash) -> int:
        """Its number, from 0."""
        if self._count == len(self._bits):
            room = max(64, self._count)
            self._bits = np.concatenate([self._bits, np.empty((room, self._bits.shape[1]), np.uint8)])
            self._thumbs = np.concatenate([self._thumbs, np.empty((room, self._thumbs.shape[1]), np.float32)])
            self._aspects = np.concatenate([self._aspects, np.empty((room,), np.float64)])
        at = self._count
        self._bits[at], self._thumbs[at], self._aspects[at] = hashed.bits, hashed.thumb, hashed.aspect
        self._count += 1
        return at

    def alike(self, hashed: PictureHash) -> list[int]:
        """Numbers of the pictures that look like this one, in order."""
        bits = _BITS[self._bits[: self._count] ^ hashed.bits].sum(1)
        near = np.flatnonzero(bits <= self.max_bits)
        colours = np.abs(self._thumbs[near] - hashed.thumb).mean(1)
        shape = np.abs(np.log(self._aspects[near] / hashed.aspect))
        return [int(at) for at in near[(colours <= self.max_colour) & (shape < 0.1)]]

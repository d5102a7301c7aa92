"""Domain `scanned_digits`: the sum of real handwritten digits (scikit-learn's 1,797 scans of 8 × 8 px)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from PIL import Image as Pillow

from vlrl.errors import ConfigError
from vlrl.scenes.cells import ROOMY, blank_grid, check_grid
from vlrl.scenes.chains import running_sum
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_at_least, check_span, pick, scaled
from vlrl.types import Draft, content_digest

Split = Literal["train", "held_out"]


@domain("scanned_digits", family="digits", modality="real")
@dataclass(frozen=True)
class ScannedDigits:
    """Handwritten digits in cells of a grid; the thought adds them in reading order: `3+5=8 8+9=17`.

    size     pixels, square
    cells    cells a side
    scatter  digits stand in random cells; otherwise in the first ones, in reading order
    count    number of digits at difficulty 0 and 1
    modulus  None: the sum itself; otherwise every step is taken modulo this number
    split    about a quarter of the scans, chosen by their content, is held out
    """

    size: int = 240
    cells: int = 3
    count: tuple[int, int] = (2, 3)
    scatter: bool = True
    modulus: int | None = None
    split: Split = "train"

    verifier = "number"
    one_answer = "every scan is labelled, and a sum has one value"

    def __post_init__(self) -> None:
        check_grid("domain 'scanned_digits'", self.size, self.cells)
        check_span("domain 'scanned_digits', count", self.count, 2, self.cells**2)
        if self.modulus is not None:
            check_at_least("domain 'scanned_digits', modulus", self.modulus, 2)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One image of count[0] (difficulty 0) to count[1] (difficulty 1) scans."""
        count, cell = scaled(self.count, difficulty), self.size // self.cells
        image = blank_grid(self.size, self.cells)
        digits = rng.integers(10, size=count).tolist()
        places = np.sort(rng.permutation(self.cells**2)[:count]).tolist() if self.scatter else range(count)
        for number, digit in zip(places, digits, strict=True):
            scan = _enlarged(pick(rng, scans_of(self.split, digit)), cell if cell < ROOMY else cell * 3 // 4)
            room = cell - len(scan)
            top, left = number // self.cells * cell, number % self.cells * cell
            if room:
                top, left = top + int(rng.integers(1, room)), left + int(rng.integers(1, room))
            image[top : top + len(scan), left : left + len(scan)] = scan
        wording = pick(rng, ("Sum of the digits{}?", "Add the digits{}."))
        if self.modulus is None:
            return Draft(wording.format(""), str(sum(digits)), (Pillow.fromarray(image),), running_sum(digits))
        return Draft(
            wording.format(f" mod {self.modulus}"),
            str(sum(digits) % self.modulus),
            (Pillow.fromarray(image),),
            running_sum(digits, self.modulus),
            metadata={"modulus": self.modulus},
        )


@lru_cache(maxsize=1)
def _pool() -> dict[tuple[Split, int], tuple[bytes, ...]]:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ConfigError("domain 'scanned_digits'", "scikit-learn is missing", "pip install scikit-learn") from error
    held = load_digits()
    pool: dict[tuple[Split, int], list[bytes]] = {}
    for scan, label in zip(held.images, held.target, strict=True):
        pixels = np.rint(255 - scan * (255 / 16)).astype(np.uint8).tobytes()  # 0..16 ink on black → dark ink on paper
        pool.setdefault((_split_of(pixels), int(label)), []).append(pixels)
    return {key: tuple(scans) for key, scans in pool.items()}


def _split_of(pixels: bytes) -> Split:
    return "held_out" if int(content_digest(pixels)[:2], 16) < 64 else "train"


def scans_of(split: Split, digit: int) -> tuple[bytes, ...]:
    """All scans of a digit in a split: 64 bytes each, 8 × 8 grey values."""
    return _pool()[split, digit]


@lru_cache(maxsize=4096)
def _enlarged(pixels: bytes, cell: int) -> np.ndarray:
    scan = np.frombuffer(pixels, np.uint8).reshape(8, 8)
    large = cv2.resize(scan, (cell, cell), interpolation=cv2.INTER_LINEAR if cell < ROOMY else cv2.INTER_CUBIC)
    return large[:, :, None]

"""Domain `photo_mosaic`: crops of two real photographs (scikit-learn's `china.jpg` and `flower.jpg`) in a mosaic."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from PIL import Image as Pillow

from vlrl.errors import ConfigError
from vlrl.scenes.cells import blank_grid, check_grid
from vlrl.scenes.chains import count_rows
from vlrl.scenes.domain import domain
from vlrl.scenes.draws import check_span, pick, scaled
from vlrl.types import Draft

Split = Literal["train", "held_out"]
SIDES = (56, 72, 88)  # px of the photograph that a crop covers, square
# First column of the held-out part of each photograph. The flower's lies inside the blossom, or that part would hold
# no crop of it; no pixel belongs to both parts.
CUT = {"china": 427, "flower": 345}
PETALS = 0.85  # least share of petal pixels in a crop that shows the flower


@domain("photo_mosaic", family="photographs", modality="real")
@dataclass(frozen=True)
class PhotoMosaic:
    """How many crops show the flower? The thought counts row by row: `1+0+2=3`.

    size   pixels, square
    cells  cells a side
    crops  number of filled cells at difficulty 0 and 1
    split  train crops come from the left part of each photograph, held-out ones from the right part
    """

    size: int = 240
    cells: int = 3
    crops: tuple[int, int] = (4, 9)
    split: Split = "train"

    verifier = "number"
    one_answer = "every crop of the flower is mostly petals, and the other photograph shows none"

    def __post_init__(self) -> None:
        check_grid("domain 'photo_mosaic'", self.size, self.cells)
        check_span("domain 'photo_mosaic', crops", self.crops, 1, self.cells**2)

    def draw(self, rng: np.random.Generator, difficulty: float) -> Draft:
        """One mosaic of crops[0] (difficulty 0) to crops[1] (difficulty 1) crops: flower, pagoda, trees, lake, sky."""
        crops, cell = scaled(self.crops, difficulty), self.size // self.cells
        count = int(rng.integers(crops + 1))
        image = blank_grid(self.size, self.cells)
        flowers = [False] * self.cells**2
        chances = rng.random((crops, 4)).tolist()
        for i, (number, (scale, place, flip, light)) in enumerate(
            zip(rng.permutation(self.cells**2)[:crops].tolist(), chances, strict=True)
        ):
            flowers[number] = i < count
            side = SIDES[int(scale * len(SIDES))]
            photo, corners = _crops("flower" if i < count else "china", self.split, side, cell)
            top, left = corners[int(place * len(corners))]
            crop = photo[top : top + cell, left : left + cell]
            crop = cv2.LUT(np.ascontiguousarray(crop[:, ::-1]) if flip < 0.5 else crop, _light(int(light * 7)))
            row, column = divmod(number, self.cells)
            image[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] = crop
        question = pick(rng, ("How many crops show the flower?", "Count the flower crops."))
        return Draft(question, str(count), (Pillow.fromarray(image),), count_rows(flowers, self.cells))


@lru_cache(maxsize=7)
def _light(step: int) -> np.ndarray:
    """Table (256,) of grey values after a slight change of brightness: 0.85 … 1.15."""
    table: np.ndarray = np.clip(np.rint(np.arange(256) * (0.85 + 0.05 * step)), 0, 255).astype(np.uint8)
    return table


@lru_cache(maxsize=2)
def _photo(name: str) -> np.ndarray:
    try:
        from sklearn.datasets import load_sample_image
    except ImportError as error:
        raise ConfigError("domain 'photo_mosaic'", "scikit-learn is missing", "pip install scikit-learn") from error
    return np.asarray(load_sample_image(f"{name}.jpg"))  # (427, 640, 3) uint8


def part(name: str, split: Split) -> slice:
    """The columns of a photograph that belong to a split."""
    return slice(0, CUT[name]) if split == "train" else slice(CUT[name], 640)


@lru_cache(maxsize=64)
def _crops(name: str, split: Split, side: int, cell: int) -> tuple[np.ndarray, tuple[tuple[int, int], ...]]:
    """One part of a photograph at the scale where `side` px are `cell` px, and the corners of all good crops.

    The part is cut out before it is scaled, so that no pixel of the other split blends in.
    """
    pixels = np.ascontiguousarray(_photo(name)[:, part(name, split)])
    height, width = (round(n * cell / side) for n in pixels.shape[:2])
    shrinks = cell < side
    scaled_part = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    step = max(1, cell // 16)
    tops, lefts = np.arange(0, height - cell + 1, step), np.arange(0, width - cell + 1, step)
    grid = np.stack(np.meshgrid(tops, lefts, indexing="ij"), axis=-1).reshape(-1, 2)
    good = _interest(name, scaled_part, cell)[grid[:, 0], grid[:, 1]]
    return scaled_part, tuple((int(top), int(left)) for top, left in grid[good])


def _interest(name: str, pixels: np.ndarray, cell: int) -> np.ndarray:
    """For every corner (height - cell + 1, width - cell + 1): whether the crop there can be recognised."""
    red, _, blue = (pixels[..., i].astype(int) for i in range(3))
    if name == "flower":
        good: np.ndarray = _window_mean((red > 120) & (red - blue > 40), cell) >= PETALS
        return good
    return np.ones((pixels.shape[0] - cell + 1, pixels.shape[1] - cell + 1), bool)


def _window_mean(mask: np.ndarray, cell: int) -> np.ndarray:
    total = np.pad(mask.astype(np.int64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    inside = total[cell:, cell:] - total[:-cell, cell:] - total[cell:, :-cell] + total[:-cell, :-cell]
    share: np.ndarray = inside / cell**2
    return share

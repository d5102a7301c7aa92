"""Images for puzzles that work on any image: photographs, generated scenes, or a folder of the user's own.

`photographs` are scikit-learn's `china.jpg` and `flower.jpg`, each cut in two as `photo_mosaic` cuts them; `scenes` are
drawn by other domains here; anything else is the path of a folder, of whose files about a quarter, chosen by their
content, is held out. A crop for a puzzle has detail everywhere: a plain patch of sky fits anywhere and any way up.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from PIL import Image as Pillow

from vlrl.errors import ConfigError, DataError
from vlrl.scenes.domain import domains
from vlrl.scenes.draws import pick
from vlrl.scenes.photo_mosaic import CUT, _photo, part
from vlrl.seeding import stream
from vlrl.types import content_digest

Split = Literal["train", "held_out"]
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
SCENES = ("cube_stack", "gears", "depth_scene", "road_map")
SCENES_EACH = 12
SIDE = 640  # px of the longer side of a pooled image
TRIES = 400


def check_pool(place: str, images: str) -> None:
    """Raises ConfigError if `images` is neither a known pool nor a folder with images."""
    if images in ("photographs", "scenes"):
        return
    if not Path(images).is_dir() or not _files(images):
        raise ConfigError(f"{place}, images", f"{images!r} is no folder with images", "photographs, scenes or a folder")


def crop(rng: np.random.Generator, images: str, split: Split, side: int, wide: int = 1, pieces: int = 2) -> np.ndarray:
    """A part of a pooled image, (side, side × wide, 3) uint8, with detail in its pieces × pieces parts.

    Raises DataError if no image of the pool has such a part.
    """
    for _ in range(TRIES):
        image = pick(rng, _pool(images, split))
        height, width = image.shape[:2]
        largest = min(height, width // wide)
        extent = int(rng.integers(min(largest, max(48, largest * 2 // 5)), largest + 1))
        top = int(rng.integers(height - extent + 1))
        left = int(rng.integers(width - extent * wide + 1))
        cut = image[top : top + extent, left : left + extent * wide]
        if _has_detail(cut, pieces):
            how = cv2.INTER_AREA if extent > side else cv2.INTER_CUBIC
            return np.asarray(cv2.resize(cut, (side * wide, side), interpolation=how))
    raise DataError(f"images {images!r}", f"no crop with detail in {TRIES} tries", "use images with more to see")


def differ(first: np.ndarray, second: np.ndarray, least: float = 14.0) -> bool:
    """Whether two images of one shape differ clearly: by `least` grey levels on average, blurred a little."""
    a, b = (cv2.resize(p, (16, 16), interpolation=cv2.INTER_AREA).astype(np.int16) for p in (first, second))
    return bool(np.abs(a - b).mean() >= least)


def _has_detail(cut: np.ndarray, pieces: int) -> bool:
    small = cv2.resize(cut, (8 * pieces, 8 * pieces), interpolation=cv2.INTER_AREA).astype(np.float32).mean(axis=2)
    parts = small.reshape(pieces, 8, pieces, 8).std(axis=(1, 3))
    return bool(np.sort(parts, axis=None)[parts.size // 8] >= 12)  # of nine parts one may be plain


@lru_cache(maxsize=16)
def _pool(images: str, split: Split) -> tuple[np.ndarray, ...]:
    if images == "photographs":
        return tuple(np.ascontiguousarray(_photo(name)[:, part(name, split)]) for name in CUT)
    if images == "scenes":
        made = []
        for name in SCENES:
            for i in range(SCENES_EACH):
                draft = domains.build(name).draw(stream(0, "picture_pool", split, name, i), 1.0)
                made.append(np.asarray(draft.images[0]))
        return tuple(made)
    held_out = split == "held_out"
    chosen = [f for f in _files(images) if (int(content_digest(f.read_bytes())[:2], 16) < 64) == held_out]
    if not chosen:
        raise DataError(f"images {images!r}", f"no file falls to the {split} part", "add images to the folder")
    return tuple(_read(f) for f in chosen)


def _files(folder: str) -> list[Path]:
    return sorted(f for f in Path(folder).iterdir() if f.suffix.lower() in SUFFIXES)


def _read(file: Path) -> np.ndarray:
    try:
        with Pillow.open(file) as opened:
            image = opened.convert("RGB")
            image.thumbnail((SIDE, SIDE))
            return np.asarray(image)
    except (OSError, Pillow.DecompressionBombError) as error:
        raise DataError(str(file), f"can't be read: {error}", "remove or replace the file") from error

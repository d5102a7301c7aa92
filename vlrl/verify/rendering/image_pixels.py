"""Image files as pixels: those of a row, and the PNG that a hostile program wrote."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageOps

from vlrl.verify.rendering.image_similarity import Pixels

MAX_PIXELS = 4096 * 4096


def pixels_of_row(data: bytes) -> Pixels:
    """(H, W, 3) RGB of an image file, upright and on white. Raises ValueError for one that can't be read or is larger
    than MAX_PIXELS.
    """
    try:
        with PillowImage.open(io.BytesIO(data)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"it has {image.width} × {image.height} pixels")
            return _on_white(ImageOps.exif_transpose(image))
    except (OSError, SyntaxError, PillowImage.DecompressionBombError) as error:
        raise ValueError(str(error)) from error


def pixels_of_drawing(png: bytes, most: int) -> Pixels | None:
    """(H, W, 3) RGB of a PNG that a program wrote, on white; None for what is none or has more than `most` pixels."""
    try:
        with PillowImage.open(io.BytesIO(png), formats=("PNG",)) as image:
            return None if image.width * image.height > most else _on_white(image)
    except Exception:  # bytes that a program chose to break the decoder: whatever it raises, they are no drawing
        return None


def within_margins(pixels: Pixels, kept: int = 8) -> Pixels:
    """What a page (H, W, 3) shows, with `kept` pixels of paper around it where the page has them; an empty page whole.

    Paper has the colour of the upper left corner.
    """
    inked = (np.abs(pixels.astype(np.int16) - pixels[0, 0].astype(np.int16)) > 16).any(axis=2)
    rows, columns = (np.flatnonzero(inked.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return pixels
    return pixels[max(0, rows[0] - kept) : rows[-1] + 1 + kept, max(0, columns[0] - kept) : columns[-1] + 1 + kept]


def _on_white(image: PillowImage.Image) -> Pixels:
    if not image.has_transparency_data:
        return np.asarray(image.convert("RGB"))
    whole = image.convert("RGBA")
    white = PillowImage.new("RGBA", whole.size, "white")
    return np.asarray(PillowImage.alpha_composite(white, whole).convert("RGB"))

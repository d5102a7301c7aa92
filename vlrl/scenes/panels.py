"""Photographic panels on paper with a letter or number each: the pages of the image puzzles."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vlrl.scenes.canvas import INK, WHITE, Canvas, Colour


def paste(canvas: Canvas, pixels: np.ndarray, left: float, top: float, wide: float, high: float | None = None) -> None:
    """Pixels into a rectangle given in hundredths of the image's width."""
    high = wide if high is None else high
    x, y, w, h = (round(v * canvas.unit) for v in (left, top, wide, high))
    if pixels.shape[:2] != (h, w):
        how = cv2.INTER_AREA if pixels.shape[1] > w else cv2.INTER_CUBIC
        pixels = np.asarray(cv2.resize(pixels, (w, h), interpolation=how))
    canvas.pixels[y : y + h, x : x + w] = pixels


def panel(canvas: Canvas, pixels: np.ndarray, left: float, top: float, wide: float, name: str) -> None:
    """A square panel with a badge in its upper left corner."""
    paste(canvas, pixels, left, top, wide)
    badge(canvas, left + 4, top + 4, name)


def badge(canvas: Canvas, x: float, y: float, name: str, colour: Colour = INK) -> None:
    """A dark disc with a letter or number."""
    canvas.disc((x, y), 3.9, WHITE)
    canvas.disc((x, y), 3.4, colour)
    canvas.text((x, y), name, 5, WHITE, bold=True)


def page(size: int, panels: Sequence[np.ndarray], names: str, paper: Colour = WHITE) -> Canvas:
    """Four panels, two by two, with their names."""
    canvas = Canvas(size, paper)
    for i, pixels in enumerate(panels):
        panel(canvas, pixels, 1.5 + 49.5 * (i % 2), 1.5 + 49.5 * (i // 2), 47.5, names[i])
    return canvas

"""Many SVG files drawn by few browsers: on sheets, and those that a sheet doesn't show each by itself.

A browser takes over a second to start and milliseconds for a small drawing. One file that takes too much may leave a
sheet without an image: the sheet is then halved until that file stands alone, so that it costs no other its drawing.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from vlrl.code_execution.drawing import Drawing, DrawingSandbox
from vlrl.code_execution.drawn_pages import LOADED, MARK, SvgTile
from vlrl.code_execution.outcome import Execution
from vlrl.verify.rendering.image_pixels import MAX_PIXELS, pixels_of_drawing
from vlrl.verify.rendering.image_similarity import Pixels

SHEET_TILES = 64
SHEET_ROWS = 8192  # pixels; browsers draw no images of 16,384 and more
SHEET_PIXELS = 2048 * 2048


@dataclass(frozen=True)
class DrawnTile:
    """(H, W, 3) RGB of one SVG, None without a drawing; `execution` is that of the browser that drew it."""

    pixels: Pixels | None
    execution: Execution


def draw_tiles(sandbox: DrawingSandbox, tiles: Sequence[SvgTile]) -> list[DrawnTile]:
    """Drawings in order, the same as those of each tile alone; equal tiles are drawn once."""
    unique = list(dict.fromkeys(tiles))
    sheets = _sheets(unique, sandbox.beside)
    with ThreadPoolExecutor(max(1, min(sandbox.beside, len(sheets))), thread_name_prefix="sheets") as executor:
        drawn = [one for sheet in executor.map(lambda one: _drawn(sandbox, one), sheets) for one in sheet]
    found = dict(zip(unique, drawn, strict=True))
    return [found[tile] for tile in tiles]


def _sheets(tiles: Sequence[SvgTile], beside: int) -> list[list[SvgTile]]:
    """Tiles in order, on sheets of about the same size, as many as are drawn at a time or a multiple of it."""
    most = min(SHEET_TILES, max(8, -(-len(tiles) // beside)))
    sheets: list[list[SvgTile]] = []
    for tile in tiles:
        if sheets and len(sheets[-1]) < most and _fits([*sheets[-1], tile]):
            sheets[-1].append(tile)
        else:
            sheets.append([tile])
    return sheets


def _fits(tiles: Sequence[SvgTile]) -> bool:
    rows = sum(tile.height for tile in tiles)
    return rows <= SHEET_ROWS and rows * max(tile.width for tile in tiles) <= SHEET_PIXELS


def _drawn(sandbox: DrawingSandbox, tiles: Sequence[SvgTile]) -> list[DrawnTile]:
    if len(tiles) == 1:
        return [_alone(sandbox, tiles[0])]
    sheet = sandbox.draw_sheet(tiles)
    if sheet.execution.is_fault:
        return [DrawnTile(None, sheet.execution)] * len(tiles)
    shown = _cut(sheet, tiles)
    if shown is None:
        half = len(tiles) // 2
        return [*_drawn(sandbox, tiles[:half]), *_drawn(sandbox, tiles[half:])]
    return [
        _alone(sandbox, tile) if pixels is None else DrawnTile(pixels, sheet.execution)
        for tile, pixels in zip(tiles, shown, strict=True)
    ]


def _cut(sheet: Drawing, tiles: Sequence[SvgTile]) -> list[Pixels | None] | None:
    """Each tile's part of a sheet, None for one that wasn't loaded; None where there is no sheet."""
    width, rows = max(tile.width for tile in tiles), sum(tile.height for tile in tiles)
    pixels = None if sheet.png is None else pixels_of_drawing(sheet.png, MAX_PIXELS)
    if pixels is None or pixels.shape[0] < rows or pixels.shape[1] != width + MARK:
        return None
    found: list[Pixels | None] = []
    top = 0
    for tile in tiles:
        part = pixels[top : top + tile.height]
        loaded = bool((part[:, width:] == np.array(LOADED, np.uint8)).all())
        found.append(part[:, : tile.width].copy() if loaded else None)
        top += tile.height
    return found


def _alone(sandbox: DrawingSandbox, tile: SvgTile) -> DrawnTile:
    drawn = sandbox.draw("svg", tile.source, tile.width, tile.height)
    pixels = None if drawn.png is None else pixels_of_drawing(drawn.png, MAX_PIXELS)
    return DrawnTile(pixels if pixels is None else pixels[: tile.height], drawn.execution)

"""The frame of a chart with a value axis: grid lines, their numbers, and where a value lies."""

from __future__ import annotations

from vlrl.scenes.canvas import GREY, INK, PALE, Canvas, Colour

LEFT, RIGHT, TOP, BOTTOM = 13.0, 96.0, 7.0, 82.0


def height_of(level: float, levels: int, bottom: float = BOTTOM) -> float:
    """The y of a level between 0 (the floor) and `levels` (the top grid line)."""
    return bottom - (bottom - TOP) * level / levels


def grid_lines(canvas: Canvas, levels: int, step: int, first: int = 0, bottom: float = BOTTOM) -> None:
    """Lines at 0 … levels with the numbers first, first + step, …"""
    for level in range(levels + 1):
        y = height_of(level, levels, bottom)
        canvas.line((LEFT, y), (RIGHT, y), PALE if level else GREY, 0.3)
        canvas.text((LEFT - 1.6, y), str(first + level * step), 4.3, INK, anchor="rm")


def legend(canvas: Canvas, entries: list[tuple[str, Colour]], y: float = 95.0) -> None:
    """Names with a patch of their colour, in one row."""
    wide = (RIGHT - LEFT) / len(entries)
    for i, (name, colour) in enumerate(entries):
        x = LEFT + i * wide
        canvas.box(x, y - 1.8, x + 3.6, y + 1.8, colour)
        canvas.text((x + 5, y), name, 4.3, INK, anchor="lm")

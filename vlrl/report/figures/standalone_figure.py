"""Figures that stand alone as SVG files, for docs/ and run folders: curves with bands, points with intervals."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from numpy.typing import NDArray

Floats = NDArray[np.float64]
COLOURS = ("#2563eb", "#d9480f", "#2b8a3e", "#862e9c", "#0b7285", "#a61e4d", "#5c940d", "#495057")
STYLES = (("-", "o"), ("--", "s"), (":", "^"), ("-.", "D"))  # line and marker, for each round through the colours
INSIDE = 5  # names that a legend has room for within the axes

LABEL_RISE, LABEL_HEIGHT, LETTER_WIDTH = 5, 11, 6  # points, at font size 9


@dataclass(frozen=True)
class Mark:
    """One point with the ends of its intervals on both axes."""

    x: float
    y: float
    x_ends: tuple[float, float]
    y_ends: tuple[float, float]


def curves_figure(
    arms: Mapping[str, Sequence[Floats]], x_label: str, y_label: str, file: Path, points: int = 60
) -> Path:
    """Mean curve of each arm over its seeds, band from lowest to highest seed. Curves are (N, 2), x then y."""
    figure, axes = _axes(x_label, y_label)
    for (colour, line, _), (arm, curves) in zip(_looks(), arms.items(), strict=False):
        held = [curve for curve in curves if len(curve)]
        if not held:
            continue
        low, high = max(c[0, 0] for c in held), min(c[-1, 0] for c in held)
        at = np.linspace(low, high, points)
        rows = np.stack([np.interp(at, c[:, 0], c[:, 1]) for c in held])  # (S, points)
        axes.plot(at, rows.mean(0), line, color=colour, linewidth=1.8, label=f"{arm} (n = {len(held)})")
        axes.fill_between(at, rows.min(0), rows.max(0), color=colour, alpha=0.13, linewidth=0)
    if len(arms) <= INSIDE:
        axes.legend(frameon=False, fontsize=9)
    else:
        figure.set_size_inches(9.2, 3.8)
        figure.legend(loc="outside right upper", frameon=False, fontsize=9)
    return _write(figure, file)


def marks_figure(
    marks: Mapping[str, Mark], x_label: str, y_label: str, file: Path, slopes: Mapping[str, float] | None = None
) -> Path:
    """Named points with intervals, e.g. accuracy against tokens; through those with a slope goes a dashed line."""
    figure, axes = _axes(x_label, y_label)
    ends = [end for mark in marks.values() for end in (mark.x, *mark.x_ends)]
    reach = (max(ends) - min(ends)) / 8 if ends else 0.0
    for (colour, _, marker), (name, mark) in zip(_looks(), marks.items(), strict=False):
        axes.hlines(mark.y, *mark.x_ends, color=colour, linewidth=1.2)
        axes.vlines(mark.x, *mark.y_ends, color=colour, linewidth=1.2)
        axes.plot([mark.x], [mark.y], marker, color=colour, markersize=6)
        if slopes and name in slopes:
            rise = slopes[name] * reach
            x, y = [mark.x - reach, mark.x + reach], [mark.y - rise, mark.y + rise]
            axes.plot(x, y, color=colour, linewidth=1.0, linestyle="--")
    axes.margins(0.12)
    axes.autoscale_view()
    rises = label_rises({name: tuple(axes.transData.transform((mark.x, mark.y))) for name, mark in marks.items()})
    for (colour, _, _), (name, mark) in zip(_looks(), marks.items(), strict=False):
        offset = (6, LABEL_RISE + rises[name])
        axes.annotate(name, (mark.x, mark.y), xytext=offset, textcoords="offset points", fontsize=9, color=colour)
    return _write(figure, file)


def _looks() -> Iterator[tuple[str, str, str]]:
    """Colour, line and marker of one after another; no two of 32 are alike."""
    for line, marker in itertools.cycle(STYLES):
        for colour in COLOURS:
            yield colour, line, marker


def label_rises(places: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """How many points each name stands higher than usual, so that names of points (x, y in points) don't overlap."""
    placed: list[tuple[float, float, float]] = []  # left end, right end, height
    found: dict[str, float] = {}
    for name, (x, y) in sorted(places.items(), key=lambda item: item[1][1]):
        right, rise = x + LETTER_WIDTH * len(name), 0.0
        for left_end, right_end, height in sorted(placed, key=lambda label: label[2]):
            if left_end < right and x < right_end and abs(y + rise - height) < LABEL_HEIGHT:
                rise = height + LABEL_HEIGHT - y
        placed.append((x, right, y + rise))
        found[name] = rise
    return found


def _axes(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, 3.8), dpi=72, layout="constrained", facecolor="white")  # a pixel is a point
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(alpha=0.25)
    return figure, axes


def _write(figure: Figure, file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": file.stem, "svg.fonttype": "none"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file

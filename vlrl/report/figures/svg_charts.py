"""Charts as small inline SVG by matplotlib. Colours are CSS variables of the page: light and dark are one drawing."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vlrl.report.read_run import Floats, bin_means

# matplotlib wants real colours: each stands for the CSS variable that replaces it in the finished drawing.
COLOURS: Mapping[str, str] = {
    name: f"#01{i:02x}fe"
    for i, name in enumerate(
        (
            "ink",
            "faint",
            "grid",
            "text",
            "real",
            "synthetic",
            "rendered",
            "average",
            "one",
            "two",
            "three",
            "four",
            "five",
        )
    )
}
_without_formulas = mpl.rc_context({"text.parse_math": False})  # a run may name its domains with dollar signs
MOST_POINTS = 300  # a longer series is drawn as means of neighbours


@dataclass(frozen=True)
class Line:
    """One curve: steps and values (N,), a colour of COLOURS; `faint` draws it thin and pale."""

    label: str
    steps: Floats
    values: Floats
    colour: str = "one"
    faint: bool = False
    dashed: bool = False


@dataclass(frozen=True)
class Points:
    """Single figures: steps and values (N,), optionally the ends of their intervals (N,), NaN where there is none.

    A label that starts with `_` stays out of the legend.
    """

    label: str
    steps: Floats
    values: Floats
    low: Floats | None = None
    high: Floats | None = None
    colour: str = "one"
    marker: str = "o"


@_without_formulas
def line_chart(
    name: str,
    lines: Sequence[Line],
    points: Sequence[Points] = (),
    y_range: tuple[float, float] | None = None,
    x_label: str = "step",
    from_zero: bool = False,
) -> str:
    """Curves over steps. `name` keeps the ids inside one drawing apart from those of another."""
    figure, axes = _axes()
    for line in lines:
        steps, values = bin_means(line.steps, line.values, MOST_POINTS)
        axes.plot(
            steps,
            values,
            color=COLOURS[line.colour],
            alpha=0.28 if line.faint else 1.0,
            linewidth=1.0 if line.faint else 1.8,
            linestyle="--" if line.dashed else "-",
            label="_" if line.faint else line.label,
        )
    for group in points:
        _draw_points(axes, group)
    if y_range:
        axes.set_ylim(*y_range)
    elif from_zero:
        top = max((float(line.values.max()) for line in lines if len(line.values)), default=0.0)
        axes.set_ylim(0, 1.1 * top if top > 0 else 1)
    axes.set_xlabel(x_label)
    _legend(axes)
    return _finish(figure, name)


def _draw_points(axes: Axes, group: Points) -> None:
    colour = COLOURS[group.colour]
    if group.low is not None and group.high is not None:
        known = np.isfinite(group.low) & np.isfinite(group.high)
        axes.vlines(group.steps[known], group.low[known], group.high[known], color=colour, linewidth=1.2)
    axes.plot(
        group.steps,
        group.values,
        group.marker,
        color=colour,
        markersize=4.5,
        markerfacecolor=colour if group.marker in "os" else "none",
        label=group.label,
    )


@_without_formulas
def stacked_chart(name: str, steps: Floats, parts: Mapping[str, Floats], x_label: str = "step") -> str:
    """Parts of a whole over steps: each (N,), stacked in the order given."""
    figure, axes = _axes()
    stacked = np.stack(list(parts.values()), axis=1)  # (N, parts)
    steps, stacked = bin_means(steps, stacked, MOST_POINTS // 2)
    order = ("one", "two", "three", "four", "rendered", "real")
    colours = [COLOURS["five" if name == "rest" else order[i % len(order)]] for i, name in enumerate(parts)]
    axes.stackplot(steps, stacked.T, labels=list(parts), colors=colours, alpha=0.8, linewidth=0)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(x_label)
    _legend(axes, columns=len(parts))
    return _finish(figure, name)


@_without_formulas
def dumbbell_chart(name: str, labels: Sequence[str], before: Points, after: Points) -> str:
    """Before and after, one row a label; steps of both are the row numbers. Accuracies in [0, 1]."""
    figure, axes = _axes(height=0.5 + 0.42 * len(labels))
    rows = np.arange(len(labels))
    axes.hlines(rows, before.values, after.values, color=COLOURS["grid"], linewidth=5)
    for group, shift in ((before, -0.14), (after, 0.14)):
        colour = COLOURS[group.colour]
        if group.low is not None and group.high is not None:
            axes.hlines(rows + shift, group.low, group.high, color=colour, linewidth=1.4)
        axes.plot(group.values, rows + shift, "o", color=colour, markersize=5, label=group.label)
    axes.set_yticks(rows, list(labels))
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color=COLOURS["grid"], linewidth=0.7)
    _legend(axes, above=True)
    return _finish(figure, name)


def _shorter_numbers(tag: re.Match[str]) -> str:
    """Coordinates in hundredths of a pixel; only inside tags, so that no label changes."""
    return re.sub(r"(\d+\.\d\d)\d+", r"\1", tag[0])


def _axes(height: float = 2.35) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.1, height), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(COLOURS["grid"])
    axes.tick_params(colors=COLOURS["ink"], labelsize=8.5, length=0, pad=4)
    axes.xaxis.label.set_color(COLOURS["ink"])
    axes.xaxis.label.set_fontsize(8.5)
    axes.grid(axis="y", color=COLOURS["grid"], linewidth=0.7)
    axes.set_axisbelow(True)
    axes.margins(x=0.02)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    return figure, axes


def _legend(axes: Axes, columns: int = 4, above: bool = True) -> None:
    handles, labels = axes.get_legend_handles_labels()
    shown = [(h, text) for h, text in zip(handles, labels, strict=True) if not text.startswith("_")]
    if len(shown) < 2:
        return
    place = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0)} if above else {"loc": "best"}
    axes.legend(
        [h for h, _ in shown],
        [text for _, text in shown],
        frameon=False,
        fontsize=8,
        ncols=min(columns, 5),
        labelcolor=COLOURS["ink"],
        handlelength=1.2,
        columnspacing=1.0,
        borderaxespad=0.1,
        **place,
    )


def _finish(figure: Figure, name: str) -> str:
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawn = buffer.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>\s*", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', r'<svg class="chart" \1 aria-hidden="true">', drawn, count=1)
    drawn = drawn.replace("xlink:href", "href")
    drawn = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font: \1 var(--sans)", drawn)
    drawn = re.sub(r"<!--.*?-->\s*", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r"<[^>]+>", _shorter_numbers, drawn)
    for role, colour in COLOURS.items():
        drawn = drawn.replace(colour, f"var(--{role})")
    return drawn

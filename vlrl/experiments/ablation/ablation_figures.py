"""The figures of an ablation's page, by caption: curves over the budget, and one outcome against another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vlrl.evaluation.comparison import compare
from vlrl.experiments.ablation.ablation_curves import curve_of
from vlrl.experiments.ablation.ablation_settings import AblationSettings
from vlrl.report.figures.standalone_figure import Mark, curves_figure, marks_figure
from vlrl.seeding import stream

Floats = NDArray[np.float64]


def draw_curves(
    settings: AblationSettings, folders: Mapping[str, Sequence[Path]], out: Path, name: str
) -> dict[str, str]:
    """Accuracy on validation problems and every outcome of the curve; caption → file name."""
    figures = {}
    for metric in sorted({"accuracy/mean"} | {o.of for o in settings.outcomes.values() if "/" in o.of}):
        curves = {arm: [curve_of(run, metric) for run in runs] for arm, runs in folders.items()}
        if any(len(curve) for row in curves.values() for curve in row):
            file = out / f"{name}_{metric.replace('/', '_')}.svg"
            curves_figure(curves, "share of the budget", metric, file)
            figures[f"{metric} on validation problems, mean and range over seeds"] = file.name
    return figures


def draw_against(
    settings: AblationSettings,
    outcomes: Mapping[str, Mapping[str, Sequence[Floats]]],
    slopes: Mapping[str, Sequence[float]],
    out: Path,
    name: str,
) -> dict[str, str]:
    """A mark for every arm, at its means of the two outcomes of `against`; slopes are those of validation curves."""
    assert settings.against is not None
    across, up = settings.against
    rng = stream(0, "ablation", settings.name, "against")
    marks = {}
    for arm in settings.arms:
        x, y = (
            compare(outcomes[one][arm], [np.zeros_like(row) for row in outcomes[one][arm]], rng, 2000)
            for one in (across, up)
        )
        marks[arm] = Mark(x.mean, y.mean, x.by_problem, y.by_problem)
    mean_slopes = {arm: float(np.mean(held)) for arm, held in slopes.items() if held}
    file = marks_figure(marks, across, up, out / f"{name}_{up}_against_{across}.svg", mean_slopes)
    caption = f"{up} against {across}, 95 % intervals; dashed: how accuracy moved with length while training"
    return {caption: file.name}

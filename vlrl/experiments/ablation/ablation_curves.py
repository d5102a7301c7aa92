"""What the runs of an ablation wrote while they learned: tokens spent, validation curves, accuracy over length."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vlrl.runlog.run_folder import read_jsonl
from vlrl.training.rl.rl_budget import sampled_tokens

Floats = NDArray[np.float64]


def spent_by_step(folder: Path) -> dict[int, float]:
    """Response tokens that each step of a run's RL sampled."""
    lines = read_jsonl(folder / "metrics.jsonl")
    return {line["step"]: sampled_tokens(line) for line in lines if line["phase"] == "rl"}


def curve_of(folder: Path, metric: str, gaps: bool = False) -> Floats:
    """(N, 2): share of all the response tokens that the run sampled, a metric of phase eval after them.

    Validations without the metric are left out; with `gaps` they are NaN.
    """
    by_step = spent_by_step(folder)
    spent = dict(zip(by_step, accumulate(by_step.values()), strict=True))
    total = sum(by_step.values())
    points = [
        (spent[e["step"]] / total, np.nan if e.get(metric) is None else e[metric])
        for e in read_jsonl(folder / "metrics.jsonl")
        if e["phase"] == "eval" and (gaps or e.get(metric) is not None)
    ]
    return np.asarray(points, dtype=np.float64).reshape(-1, 2)


def slopes_of(folders: Sequence[Path]) -> list[float]:
    """By run, the least-squares slope of validation accuracy over mean response tokens.

    A run whose lengths never changed has none and is left out.
    """
    slopes = []
    for folder in folders:
        length, accuracy = (curve_of(folder, metric)[:, 1] for metric in ("length/mean", "accuracy/mean"))
        if len(length) and np.ptp(length) > 0:
            off = length - length.mean()
            slopes.append(float(off @ accuracy / (off @ off)))
    return slopes

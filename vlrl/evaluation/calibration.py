"""Whether stated probabilities are true: reliability by bins, expected calibration error, Brier score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

BINS = 10


@dataclass(frozen=True)
class ReliabilityBin:
    """Answers whose probability lies in [low, high), of the last bin [low, high]: their number, their mean probability
    and the share of them that is right.
    """

    low: float
    high: float
    count: int
    stated: float
    observed: float


@dataclass(frozen=True)
class Calibration:
    """Of N probabilities with labels.

    expected_error  mean over all answers of |stated − observed| of their bin (Naeini et al. 2015), in [0, 1]
    brier           mean of (p − label)², in [0, 1]; 0.25 is that of p = 1/2 everywhere
    """

    expected_error: float
    brier: float
    bins: tuple[ReliabilityBin, ...]

    def record(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)


def calibration(probabilities: Sequence[float], labels: Sequence[bool], bins: int = BINS) -> Calibration:
    """(N,) probabilities that labels are true, and (N,) labels. Empty bins are left out. Raises ValueError for none."""
    stated, true = np.asarray(probabilities, float), np.asarray(labels, float)
    if not len(stated) or stated.shape != true.shape or not ((stated >= 0) & (stated <= 1)).all():
        raise ValueError(f"calibration: {stated.shape} probabilities in [0, 1] and {true.shape} labels")
    place = np.minimum((stated * bins).astype(int), bins - 1)
    found = []
    for number in range(bins):
        inside = place == number
        if inside.any():
            mean, right = float(stated[inside].mean()), float(true[inside].mean())
            found.append(ReliabilityBin(number / bins, (number + 1) / bins, int(inside.sum()), mean, right))
    error = sum(one.count * abs(one.stated - one.observed) for one in found) / len(stated)
    return Calibration(error, float(((stated - true) ** 2).mean()), tuple(found))

"""Arms of an experiment against each other: paired over seeds and problems, and a verdict that an interval allows.

Dimensions: S seeds, P problems of one seed. Every arm answered the same problems of a seed, so differences are paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vlrl.evaluation.scores import ALPHA, LEVEL, Interval, paired_t_interval, t_test

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """Mean of `after − before` over seeds, with a t interval over seeds and a bootstrap over seeds and problems.

    `by_seed` is None with one seed: a single run says nothing about other seeds. `p` is that of the paired t test over
    seeds, 1 with one seed; a page with several comparisons adjusts it (`vlrl.evaluation.scores.holm`).
    """

    mean: float
    seeds: int
    by_seed: Interval | None
    by_problem: Interval
    p: float = 1.0

    @property
    def shown(self) -> bool:
        """Whether both intervals lie on one side of zero."""
        ends = [self.by_problem, *([] if self.by_seed is None else [self.by_seed])]
        return self.by_seed is not None and (all(e.low > 0 for e in ends) or all(e.high < 0 for e in ends))

    def is_shown(self, adjusted: float) -> bool:
        """Whether there is a difference, also beside others."""
        return self.shown and adjusted < ALPHA

    def verdict(self, adjusted: float) -> str:
        """`higher`, `lower` or `no difference shown`; one seed never shows a difference.

        adjusted  p, adjusted for the other comparisons beside this one
        """
        if not self.is_shown(adjusted):
            return "no difference shown" if self.seeds > 1 else "one seed: nothing shown"
        return "higher" if self.mean > 0 else "lower"


def compare(
    after: Sequence[Floats], before: Sequence[Floats], rng: np.random.Generator, resamples: int = 4000
) -> Difference:
    """Difference of two arms: S arrays (P_s,) each, one value a problem (a verdict, a length), problems in one order.

    The bootstrap draws seeds with replacement, and of every drawn seed its problems with replacement.
    """
    if not after or len(after) != len(before):
        raise ValueError(f"compare: {len(after)} seeds against {len(before)}")
    gaps = [_gap(a, b) for a, b in zip(after, before, strict=True)]
    means = np.array([gap.mean() for gap in gaps])
    drawn = rng.integers(0, len(gaps), (resamples, len(gaps)))
    of_seeds = np.empty(drawn.shape)
    for seed, gap in enumerate(gaps):
        places = drawn == seed
        of_seeds[places] = gap[rng.integers(0, gap.size, (np.count_nonzero(places), gap.size))].mean(1)
    found = of_seeds.mean(1)
    low, high = np.quantile(found, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    by_seed = paired_t_interval(means, np.zeros_like(means)) if len(means) > 1 else None
    p = t_test(means) if len(means) > 1 else 1.0
    return Difference(float(means.mean()), len(means), by_seed, Interval(float(low), float(high)), p)


def _gap(after: Floats, before: Floats) -> Floats:
    if after.shape != before.shape or after.ndim != 1 or after.size == 0:
        raise ValueError(f"compare: shapes {after.shape} and {before.shape} are not two equal rows")
    return np.asarray(after - before, dtype=np.float64)


def win_matrix(
    arms: Mapping[str, Sequence[Floats]], rng: np.random.Generator, resamples: int = 4000
) -> dict[tuple[str, str], Difference]:
    """Every ordered pair of arms: (row, column) holds row − column."""
    names = list(arms)
    found: dict[tuple[str, str], Difference] = {}
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            gap = compare(arms[one], arms[other], rng, resamples)
            found[one, other], found[other, one] = gap, _turned(gap)
    return found


def _turned(gap: Difference) -> Difference:
    def turn(ends: Interval) -> Interval:
        return Interval(-ends.high, -ends.low)

    return Difference(-gap.mean, gap.seeds, gap.by_seed and turn(gap.by_seed), turn(gap.by_problem), gap.p)


def pareto_front(accuracy: Mapping[str, float], tokens: Mapping[str, float]) -> list[str]:
    """Names that no other beats in accuracy without more tokens, nor in tokens without less accuracy; fewest first.

    k1.5 §2.4's choice of a checkpoint to start long2short RL from is made among these.
    """
    names = sorted(accuracy, key=lambda name: (tokens[name], -accuracy[name]))
    front: list[str] = []
    for name in names:
        if not front or accuracy[name] > accuracy[front[-1]]:
            front.append(name)
    return front


def best_balance(accuracy: Mapping[str, float], tokens: Mapping[str, float], tolerance: float = 0.01) -> str:
    """The shortest checkpoint of the front that is within `tolerance` of the best accuracy (k1.5 §2.4, "best balance").

    The paper doesn't say how it weighs accuracy against tokens; the rule is ours.
    """
    best = max(accuracy.values())
    return next(name for name in pareto_front(accuracy, tokens) if accuracy[name] >= best - tolerance)

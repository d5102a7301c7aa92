"""HEAL's reward part: responses whose entropy runs as that of general problems does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from vlrl.credit.credit_context import CreditContext
from vlrl.credit.rewards.shapes import StepShape, shapes
from vlrl.provenance import Mark
from vlrl.types import ScoredGroup


@shapes.register("heal")
class EntropyAlignment(StepShape):
    """1 for a response that is more like one to a general problem of the step than like any to another problem that is
    not general, by how its tokens' entropy runs (HEAL's entropy dynamics alignment); 0 for all others, for responses to
    general problems, and where the step lacks one kind to compare with.

    How the entropies of a response run is a curve: those of the tokens that the policy wrote, in nats, in order,
    interpolated to `points` places. The nearest curve is the most similar one, by the root of the mean square
    difference (ours: it counts the magnitude and the variation, as the paper wants). General sources are `rl.general`.
    """

    paper: ClassVar[str] = "HEAL, 2604.17928"
    mark: ClassVar[Mark] = "R"
    needs: ClassVar[frozenset[str]] = frozenset({"entropy", "general"})

    weight: float = Field(default=1.0, ge=0.0)
    points: int = Field(default=64, ge=2)

    def over(self, groups: Sequence[ScoredGroup], context: CreditContext) -> list[tuple[float, ...]]:
        """(n,) 0 or 1 of every group."""
        curves = [
            _curves(group, self.points) for group in groups
        ]  # per group (n, points); NaN where nothing was written
        general = [group.problem.source in context.general for group in groups]
        pool = [of_group for of_group, there in zip(curves, general, strict=True) if there]
        values = []
        for i, group in enumerate(groups):
            others = [
                curves[j] for j, other in enumerate(groups) if not general[j] and other.problem.id != group.problem.id
            ]
            if general[i]:
                values.append((0.0,) * len(group.rollouts))
            else:
                apart = _nearest(curves[i], others)
                nearer = (_nearest(curves[i], pool) < apart) & np.isfinite(apart)
                values.append(tuple(float(one) for one in nearer))
        return values


def _curves(group: ScoredGroup, points: int) -> np.ndarray:
    """(n, points) entropies of each response, interpolated; NaN where the policy wrote nothing."""
    rows = [
        entropy_curve(rollout.written(values), points)
        for rollout, values in zip(group.rollouts, group.statistics["entropy"], strict=True)
    ]
    return np.array(rows).reshape(len(rows), points)


def entropy_curve(values: Sequence[float], points: int) -> np.ndarray:
    """(T,) values in order → (points,) on lines between them, first and last ones kept; NaN where there is none."""
    if not values:
        return np.full(points, np.nan)
    places = np.linspace(0.0, len(values) - 1.0, points)
    return np.asarray(np.interp(places, np.arange(len(values)), np.asarray(values)))


def _nearest(curves: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """(n,) distance of each of n curves, (n, points), to the nearest of the others; ∞ where there is none."""
    pool = np.concatenate([np.empty((0, curves.shape[1])), *others])
    pool = pool[np.isfinite(pool).all(axis=1)]
    if not len(pool):
        return np.full(len(curves), np.inf)
    squares = np.array([np.square(pool - curve).mean(axis=1).min() for curve in curves])
    return np.sqrt(np.where(np.isfinite(squares), squares, np.inf))

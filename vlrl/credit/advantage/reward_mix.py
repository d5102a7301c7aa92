"""Advantages from several reward parts, each part on a scale of its own (RDPO, LEAD)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from vlrl.credit.advantage.advantages import Advantage, State, advantages, settle
from vlrl.credit.advantage.batch_advantages import spread_of, whitened
from vlrl.credit.credit_context import CreditContext
from vlrl.provenance import Mark
from vlrl.types import ScoredGroup


@advantages.register("decorrelate")
class Decorrelated(Advantage):
    """Z R^{−½} w: parts standardised within the group, whitened by their correlation R over all groups, then added up.

    z is (r − r̄)/σ of one part in its group; a part that is constant in a group has no say there. R is that of the
    step's responses, inverted on the directions that it has (a part that is there twice is one direction). w are the
    parts' weights, the score's is 1. One part alone is GRPO with the population's σ. In the style of RDPO: its
    quantile normalisation is replaced by z.
    """

    paper: ClassVar[str] = "RDPO"
    mark: ClassVar[Mark] = "D"

    def over(self, groups: Sequence[ScoredGroup], context: CreditContext, state: State) -> list[tuple[float, ...]]:
        """Per group (n,)."""
        if not groups:
            return []
        names = list(groups[0].reward_parts)
        weights = np.array([groups[0].reward_weights[name] for name in names])
        scaled = [np.stack([standardised(group.reward_parts[name]) for name in names], 1) for group in groups]  # (n, K)
        products = sum(z.T @ z for z in scaled)
        scale = np.sqrt(np.outer(np.diag(products), np.diag(products)))
        correlation = np.divide(products, scale, out=np.eye(len(names)), where=scale > 0)
        advantages_of = []
        for z in scaled:
            active = np.flatnonzero(z.any(0))
            mixed = z[:, active] @ inverse_root(correlation[np.ix_(active, active)]) @ weights[active]
            advantages_of.append(tuple(float(value) for value in mixed))
        return advantages_of


def standardised(values: Sequence[float]) -> np.ndarray:
    """(n,) values of one group → (v − mean)/σ, zeros where they are equal."""
    spread = spread_of(values)
    mean = sum(values) / len(values)
    return np.array([settle(v - mean) / spread if spread else 0.0 for v in values])


def inverse_root(matrix: np.ndarray) -> np.ndarray:
    """(K, K) symmetric, no negative eigenvalues → its power −½; directions without extent stay without."""
    values, vectors = np.linalg.eigh(matrix)
    powers = np.array([v**-0.5 if v > 1e-9 else 0.0 for v in values])
    result: np.ndarray = (vectors * powers) @ vectors.T
    return result


@advantages.register("lead")
class Lead(Advantage):
    """Correctness and length on scales of their own, weighed by how much there is to gain from each (LEAD).

    Both are standardised within the group. D_k = V_k·(1 − m_k)^alpha, with m the mean over the step of the part brought
    to [0, 1], V its coefficient of variation σ/m as a share of both; w ∝ D, a moving average, the score's weight not
    below `floor`. The sum is whitened over the step's responses. So length counts once accuracy is high.

    decay    of the moving average of the weights
    whiten   over all responses of a step; off and without the part `lead_length` it is GRPO with the population's σ
    """

    paper: ClassVar[str] = "LEAD"
    mark: ClassVar[Mark] = "C"

    alpha: float = Field(default=1.0, ge=0.0)
    decay: float = Field(default=0.95, ge=0.0, lt=1.0)
    floor: float = Field(default=0.3, ge=0.0, le=1.0)
    whiten: bool = True

    def over(self, groups: Sequence[ScoredGroup], context: CreditContext, state: State) -> list[tuple[float, ...]]:
        """Per group (n,). Remembers the score's weight as `score`."""
        if not groups:
            return []
        if "lead_length" not in groups[0].reward_parts:  # before its first step
            mixed = [tuple(standardised(group.reward_parts["score"]).tolist()) for group in groups]
        else:
            share = self._share(groups)
            share = self.decay * state["score"] + (1 - self.decay) * share if "score" in state else share
            state["score"] = share
            share = max(self.floor, share)
            mixed = []
            for group in groups:
                right, short = (standardised(group.reward_parts[name]) for name in ("score", "lead_length"))
                mixed.append(tuple((share * right + (1 - share) * short).tolist()))
        return whitened(mixed, 1e-8) if self.whiten else mixed

    def _share(self, groups: Sequence[ScoredGroup]) -> float:
        right = [v for group in groups for v in group.reward_parts["score"]]
        short = [(1 + v) / 2 for group in groups for v in group.reward_parts["lead_length"]]
        means = [sum(values) / len(values) for values in (right, short)]
        varies = [spread_of(v) / m if m else 0.0 for v, m in zip((right, short), means, strict=True)]
        gains = [v * (1 - m) ** self.alpha for v, m in zip(varies, means, strict=True)]
        return gains[0] / sum(gains) if sum(gains) else 1.0

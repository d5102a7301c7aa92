"""Weights of a group's responses for learning by likelihood: no response is pushed down, better ones are fitted more.

For `loss: likelihood`. BOLT weighs every response by exp(r/β); as β falls to 0 only the best are left: ReST. As β grows
all count the same: supervised learning on the policy's own rollouts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from vlrl.credit.advantage.advantages import GroupAdvantage, advantages
from vlrl.provenance import Mark


@advantages.register("bolt")
class BoltWeights(GroupAdvantage):
    """A_j = k·exp(r_j/β) / Σ_i exp(r_i/β): fits π_ref·exp(r/β)/Z, the optimum of KL-regularised RL with τ = β.

    The weights of a group add up to k, so that the mean over responses is the mean over problems of a weighted mean.
    """

    paper: ClassVar[str] = "BOLT"
    mark: ClassVar[Mark] = "A"

    beta: float = Field(default=0.1, gt=0.0)

    def __call__(self, rewards: Sequence[float]) -> tuple[float, ...]:
        """(k,) rewards → (k,) weights above 0."""
        top = max(rewards)
        raw = [math.exp((r - top) / self.beta) for r in rewards]
        scale = len(rewards) / sum(raw)
        return tuple(scale * value for value in raw)


@advantages.register("rest")
class BestOnly(GroupAdvantage):
    """The best responses share the weight k, all others have none (ReST; the comparison in k1.5 §3.5).

    above  a group whose best reward is not above this has nothing to fit, and no weight (ours)
    """

    paper: ClassVar[str] = "ReST, 2308.08998; as in Kimi k1.5, 2501.12599 §3.5"
    mark: ClassVar[Mark] = "P"

    above: float = 0.0

    def __call__(self, rewards: Sequence[float]) -> tuple[float, ...]:
        """(k,) rewards → (k,) weights of 0 or above."""
        best = max(rewards)
        if best <= self.above:
            return (0.0,) * len(rewards)
        chosen = [r == best for r in rewards]
        return tuple(len(rewards) / sum(chosen) if is_best else 0.0 for is_best in chosen)

"""Advantages moved within a group: UCPO's even hand for unlikely right answers, and no push downwards at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from vlrl.credit.advantage.advantages import State
from vlrl.credit.credit_context import CreditContext
from vlrl.credit.tokens.token_parts import Adjust, adjusts
from vlrl.provenance import Mark
from vlrl.types import ScoredGroup


@adjusts.register("ucpo")
class Ucpo(Adjust):
    """A_i ← A_i·n·[(1 − τ)/n + τ·(1/q_i)/Σ 1/q] over the n right responses with A > 0, q = softmax(log π(y)/len).

    Unlikely right answers get more of the same total, so that the policy keeps several ways (UCPO). With τ = 0 nothing
    changes. Where reward parts make the A_i differ, the total is kept by one factor for all (ours).
    """

    paper: ClassVar[str] = "UCPO"
    mark: ClassVar[Mark] = "C"

    tau: float = Field(default=0.2, ge=0.0, le=1.0)

    def over(self, groups: Sequence[ScoredGroup], context: CreditContext, state: State) -> list[tuple[float, ...]]:
        """Per group (n,)."""
        return [self._of_group(group) for group in groups]

    def _of_group(self, group: ScoredGroup) -> tuple[float, ...]:
        known = enumerate(zip(group.advantages, group.correct, group.lengths, strict=True))
        raised = [i for i, (value, right, length) in known if right and value > 0 and length]
        if not raised or not self.tau:
            return group.advantages
        means = [sum(group.rollouts[i].sampler_logprobs) / group.rollouts[i].num_policy_tokens for i in raised]
        inverse = [math.exp(min(means) - mean) for mean in means]  # ∝ 1/q
        count, total = len(raised), sum(inverse)
        factors = [count * ((1 - self.tau) / count + self.tau * value / total) for value in inverse]
        before = [group.advantages[i] for i in raised]
        after = [a * f for a, f in zip(before, factors, strict=True)]
        keep = sum(before) / sum(after)
        moved = dict(zip(raised, (keep * a for a in after), strict=True))
        return tuple(moved.get(i, value) for i, value in enumerate(group.advantages))


@adjusts.register("positive_only")
class PositiveOnly(Adjust):
    """A ← max(A, 0): what is left of a method without its negative gradients, for comparison (k1.5 §3.5).

    keep  share of a negative advantage that stays; 1 changes nothing
    """

    paper: ClassVar[str] = "Kimi k1.5, 2501.12599 §3.5"
    mark: ClassVar[Mark] = "D"

    keep: float = Field(default=0.0, ge=0.0, le=1.0)

    def over(self, groups: Sequence[ScoredGroup], context: CreditContext, state: State) -> list[tuple[float, ...]]:
        """Per group (n,)."""
        return [tuple(a if a > 0 else self.keep * a for a in group.advantages) for group in groups]

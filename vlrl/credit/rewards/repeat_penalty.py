"""A penalty for responses that were ended because they looped (k1.5 §2.6.2)."""

from __future__ import annotations

from typing import ClassVar

from vlrl.credit.credit_context import CreditContext
from vlrl.credit.rewards.shapes import Shape, shapes
from vlrl.provenance import Mark
from vlrl.types import ScoredGroup


@shapes.register("repeat")
class RepeatPenalty(Shape):
    """−1 for a response that ended with `repeat`, else 0. Needs `sampling.repetition`. The paper gives no weight."""

    paper: ClassVar[str] = "Kimi k1.5, 2501.12599 §2.6.2"
    mark: ClassVar[Mark] = "P"

    def of(self, group: ScoredGroup, context: CreditContext) -> tuple[float, ...]:
        """(n,) in {−1, 0}."""
        return tuple(-float(rollout.finish_reason == "repeat") for rollout in group.rollouts)

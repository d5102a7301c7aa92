"""A reward for calls of tools: nothing by default, since rewarded calls become calls without use."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from vlrl.credit.credit_context import CreditContext
from vlrl.credit.rewards.shapes import Shape, shapes
from vlrl.provenance import Mark
from vlrl.types import Rollout, ScoredGroup


@shapes.register("calls")
class CallReward(Shape):
    """min(cap, bonus · good calls) if right, less `invalid` a call that couldn't be made and `duplicate` a repetition.

    Good calls were done and repeat no earlier one. Responses without an environment have 0.

    bonus, cap, invalid, duplicate  NeMo-Gym's image tools take .02, .20, .05 and .02, right or wrong; here a bonus is
                                    for right responses alone. DeepEyesV2 and Mini-o3 have none
    """

    paper: ClassVar[str] = "NeMo-Gym, image_tools"
    mark: ClassVar[Mark] = "C"

    weight: float = Field(default=1.0, ge=0.0)
    bonus: float = Field(default=0.0, ge=0.0)
    cap: float = Field(default=0.2, ge=0.0)
    invalid: float = Field(default=0.0, ge=0.0)
    duplicate: float = Field(default=0.0, ge=0.0)

    def of(self, group: ScoredGroup, context: CreditContext) -> tuple[float, ...]:
        """(n,)"""
        pairs = zip(group.rollouts, group.correct, strict=True)
        return tuple(self._of_one(rollout, right) for rollout, right in pairs)

    def _of_one(self, rollout: Rollout, right: bool) -> float:
        calls = rollout.episode.calls if rollout.episode is not None else ()
        good = sum(call.outcome == "done" and not call.duplicate for call in calls)
        repeated = sum(call.duplicate for call in calls)
        wrong = sum(call.outcome == "invalid" for call in calls)
        return min(self.cap, self.bonus * good) * right - self.invalid * wrong - self.duplicate * repeated

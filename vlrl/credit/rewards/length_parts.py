"""Reward parts about length besides k1.5's: DAPO's soft limit, LEAD's mean, Video-R1's band, Step-GRPO's turns."""

from __future__ import annotations

import math
import re
from typing import ClassVar

from pydantic import Field, model_validator

from vlrl.credit.credit_context import CreditContext
from vlrl.credit.rewards.shapes import Shape, shapes
from vlrl.provenance import Mark
from vlrl.types import ScoredGroup


@shapes.register("overlong")
class Overlong(Shape):
    """0 up to (1 − margin_rate) of the token budget, then falling in a line to −1 at the budget (DAPO, eq. 13).

    The budget is the run's own `sampling.max_tokens`. A response that was cut there has −1.

    weight       the paper adds it to the reward as it is
    margin_rate  share of the budget over which it falls; DAPO has the last 4,096 of 20,480 tokens
    """

    paper: ClassVar[str] = "DAPO, 2503.14476 §3.4"
    mark: ClassVar[Mark] = "P"

    weight: float = Field(default=1.0, ge=0.0)
    margin_rate: float = Field(default=0.2, gt=0.0, le=1.0)

    def of(self, group: ScoredGroup, context: CreditContext) -> tuple[float, ...]:
        """(n,) in [−1, 0]."""
        margin = self.margin_rate * context.max_tokens
        free = context.max_tokens - margin
        return tuple(
            -1.0
            if rollout.finish_reason == "length"
            else max(-1.0, min(0.0, (free - rollout.num_policy_tokens) / margin))
            for rollout in group.rollouts
        )


@shapes.register("lead_length")
class LeadLength(Shape):
    """max(−1, 1 − |l − L*|/L*), L* the mean length of the problem's right responses: typical is best, not short (LEAD).

    Cut responses have 0 and no part in L*; so have all where none is right.

    weight           in the total reward; the advantage `lead` finds another one by itself, and takes none but 1 here
    shorter_is_free  responses below L* get 1 as well (the released code's default; the paper is symmetric)
    """

    paper: ClassVar[str] = "LEAD"
    mark: ClassVar[Mark] = "C"

    weight: float = Field(default=1.0, ge=0.0)
    shorter_is_free: bool = False
    least: int = Field(default=1, ge=1, description="L* is at least this many tokens")

    def of(self, group: ScoredGroup, context: CreditContext) -> tuple[float, ...]:
        """(n,) in [−1, 1]."""
        known = zip(group.lengths, group.correct, group.finished, strict=True)
        right = [length for length, correct, finished in known if correct and finished]
        if not right:
            return (0.0,) * len(group.rollouts)
        target = max(self.least, sum(right) / len(right))
        values = []
        for length, finished in zip(group.lengths, group.finished, strict=True):
            away = max(0.0, length - target) if self.shorter_is_free else abs(length - target)
            values.append(max(-1.0, 1.0 - away / target) if finished else 0.0)
        return tuple(values)


@shapes.register("length_band")
class LengthBand(Shape):
    """1 for right responses of `lowest` to `highest` tokens, where more than one response of the problem is right.

    Video-R1 has it beside its contrast group, so that chains neither shrink nor run away. Cut responses have 0.
    """

    paper: ClassVar[str] = "Video-R1, 2503.21776"
    mark: ClassVar[Mark] = "C"

    weight: float = Field(default=0.2, ge=0.0)
    lowest: int = Field(default=320, ge=1)
    highest: int = Field(default=512, ge=1)

    @model_validator(mode="after")
    def _a_band(self) -> LengthBand:
        if self.lowest > self.highest:
            raise ValueError(f"lowest is {self.lowest}, above highest, {self.highest}; no response would be in between")
        return self

    def of(self, group: ScoredGroup, context: CreditContext) -> tuple[float, ...]:
        """(n,) 0 or 1."""
        known = zip(group.lengths, group.correct, group.finished, strict=True)
        within = [right and done and self.lowest <= length <= self.highest for length, right, done in known]
        return tuple(float(inside and sum(group.correct) > 1) for inside in within)


@shapes.register("step_grpo")
class StepGrpo(Shape):
    """Makes the reward R = α·score·(1 − β·tanh((t − μ)/μ)) + (1 − α)·format out of the score (Step-GRPO).

    t is 1 + the number of trigger words, μ its mean over the problem's right responses, format 1 where an answer was
    declared. The part is R − score, so weight 1 is the paper's reward; α = 1 with β = 0 leaves the score. Sources
    disagree on α (0.1 and 0.9). Answers induced in cut responses are no part of it.
    """

    paper: ClassVar[str] = "Step-GRPO"
    mark: ClassVar[Mark] = "R"

    weight: float = Field(default=1.0, ge=0.0)
    alpha: float = Field(default=0.9, ge=0.0, le=1.0)
    beta: float = Field(default=0.5, ge=0.0)
    triggers: tuple[str, ...] = ("wait", "however", "alternatively", "hmm", "let me check")

    def of(self, group: ScoredGroup, context: CreditContext) -> tuple[float, ...]:
        """(n,) R − score."""
        turns = [self.turns(rollout.text) for rollout in group.rollouts]
        right = [t for t, correct in zip(turns, group.correct, strict=True) if correct]
        mean = sum(right) / len(right) if right else 1.0
        values = []
        for t, verdict in zip(turns, group.verdicts, strict=True):
            brevity = 1 - self.beta * math.tanh((t - mean) / mean)
            form = float(verdict.answer is not None)
            values.append(self.alpha * verdict.score * brevity + (1 - self.alpha) * form - verdict.score)
        return tuple(values)

    def turns(self, text: str) -> int:
        """1 + how often a trigger stands in a text, as whole words in either case."""
        return 1 + sum(len(re.findall(rf"\b{re.escape(word)}\b", text, flags=re.IGNORECASE)) for word in self.triggers)

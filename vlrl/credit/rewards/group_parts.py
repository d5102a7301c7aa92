"""Reward parts that compare the policy: with itself on a perturbed image, and with the model of an earlier task."""

from __future__ import annotations

import math
from typing import ClassVar

from pydantic import Field

from vlrl.credit.credit_context import CreditContext
from vlrl.credit.rewards.shapes import Shape, shapes
from vlrl.provenance import Mark
from vlrl.types import ScoredGroup


@shapes.register("contrast")
class Contrast(Shape):
    """1 for right responses where p > ratio·q: p the pass rate, q that with the perturbed image (after T-GRPO).

    The perturbation is `rl.contrast`; problems without an image have no part in it. A policy that is as right without
    the image gets no bonus. The released code has `p ≥ 0.8·q`, which pays such a policy: `ratio: 0.8` comes as close.
    """

    paper: ClassVar[str] = "after Video-R1, 2503.21776"
    mark: ClassVar[Mark] = "D"
    needs: ClassVar[frozenset[str]] = frozenset({"contrast"})

    weight: float = Field(default=0.3, ge=0.0)
    ratio: float = Field(default=1.0, ge=0.0)

    def of(self, group: ScoredGroup, context: CreditContext) -> tuple[float, ...]:
        """(n,) 0 or 1."""
        asked = group.contrast_rate
        given = asked is not None and group.pass_rate > self.ratio * asked
        return tuple(float(given and right) for right in group.correct)


@shapes.register("retention")
class Retention(Shape):
    """exp(−α·d), d = max(0, mean over the response of log π − log π_previous): stay likely for the earlier model.
    The mean is over the tokens that the policy wrote.

    π is the policy at the start of the step, read by the trainer: what the engine noted is that of older policies in
    continued responses.
    """

    paper: ClassVar[str] = "RaPO"
    mark: ClassVar[Mark] = "R"
    needs: ClassVar[frozenset[str]] = frozenset({"previous", "logprobs"})

    alpha: float = Field(default=1.0, ge=0.0)

    def of(self, group: ScoredGroup, context: CreditContext) -> tuple[float, ...]:
        """(n,) in (0, 1]."""
        values = []
        pairs = zip(group.statistics["logprobs"], group.statistics["previous"], group.lengths, strict=True)
        for own, previous, length in pairs:
            drift = (sum(own) - sum(previous)) / max(1, length)
            values.append(math.exp(-self.alpha * max(0.0, drift)))
        return tuple(values)

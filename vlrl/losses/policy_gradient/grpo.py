"""GRPO's clipped surrogate (arXiv 2402.03300), with settings for PPO's, DAPO's (2503.14476), Dr.GRPO's (2503.20783)."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field

from vlrl.losses.aggregate import TokenLoss
from vlrl.losses.loss_inputs import LossInputs
from vlrl.losses.loss_registry import losses
from vlrl.provenance import Mark


@losses.register("grpo")
class GrpoLoss(TokenLoss):
    """−min(ρ_t A, clip(ρ_t, 1 − low, 1 + high) A), ρ_t the token's probability ratio to the iteration's start; + β·KL.

    clip_low, clip_high  how far a ratio may move before its token stops pulling; DAPO has the upper one at 0.28
    beta                 weight of the k3 estimate of KL(π‖π_ref) per token; π_ref is the frozen `rl.reference`, or the
                         policy at the iteration's start where none is given
    """

    paper: ClassVar[str] = "GRPO, 2402.03300; DAPO, 2503.14476; Dr.GRPO, 2503.20783"
    mark: ClassVar[Mark] = "P"

    clip_low: float = Field(default=0.2, gt=0.0)
    clip_high: float = Field(default=0.2, gt=0.0)
    beta: float = Field(default=0.0, ge=0.0)

    @property
    def reads_reference(self) -> bool:
        """With a KL term."""
        return self.beta > 0

    @property
    def reads_pull_scales(self) -> bool:
        """They multiply β."""
        return self.beta > 0

    @property
    def pulls_without_advantage(self) -> bool:
        """The KL term holds every token."""
        return self.beta > 0

    def __call__(self, inputs: LossInputs) -> torch.Tensor:
        """A scalar to add up over micro-batches."""
        log_ratio = inputs.logprobs - inputs.old_logprobs
        ratio = log_ratio.exp()
        advantage = inputs.credit
        clipped = ratio.clamp(1 - self.clip_low, 1 + self.clip_high)
        each = -torch.minimum(ratio * advantage, clipped * advantage)
        if self.beta:
            drift = log_ratio if inputs.ref_logprobs is None else inputs.logprobs - inputs.ref_logprobs
            pull = self.beta * (torch.exp(-drift) - 1 + drift)
            each = each + (pull if inputs.pull_scales is None else inputs.pull_scales[inputs.response] * pull)
        return self.average(each, inputs)

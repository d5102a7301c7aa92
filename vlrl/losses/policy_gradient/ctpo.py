"""CTPO: a token's ratio counts everything written up to it, for rollouts that are partial or stale."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field

from vlrl.losses.aggregate import Aggregate, TokenLoss
from vlrl.losses.loss_inputs import LossInputs
from vlrl.losses.loss_registry import losses
from vlrl.provenance import Mark


@losses.register("ctpo")
class CtpoLoss(TokenLoss):
    """PPO's surrogate with ρ_t = exp(Σ_{s≤t} Δ_s), Δ = log π − log π_old; gradient through token t alone.

    The corridor of log ρ_t is [−low·√t, high·√t], since a sum of t terms wanders as √t; for a negative advantage ρ_t
    counts no more than exp(dual·√t). t and the sum pass over tokens of weight 0. On-policy it is PPO.

    clip_low, clip_high, dual  in nats at the first token
    """

    paper: ClassVar[str] = "CTPO"
    mark: ClassVar[Mark] = "C"

    aggregate: Aggregate = "token"
    clip_low: float = Field(default=0.025, gt=0.0)
    clip_high: float = Field(default=0.05, gt=0.0)
    dual: float = Field(default=0.05, gt=0.0)

    def __call__(self, inputs: LossInputs) -> torch.Tensor:
        """A scalar to add up over micro-batches."""
        step = inputs.logprobs - inputs.old_logprobs
        trained = (inputs.weights > 0).to(step.dtype)
        counted = step.detach() * trained
        log_ratio = inputs.up_to(counted) - counted + step
        root = inputs.up_to(trained).sqrt()  # (M,) √t, t from 1 at the first trained token
        advantage = inputs.credit
        ratio = log_ratio.exp()
        clipped = torch.clamp(log_ratio, -self.clip_low * root, self.clip_high * root).exp()
        surrogate = torch.minimum(ratio * advantage, clipped * advantage)
        bounded = torch.maximum(surrogate, (self.dual * root).exp() * advantage)
        return self.average(-torch.where(advantage < 0, bounded, surrogate), inputs)

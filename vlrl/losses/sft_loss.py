"""Supervised fine-tuning: the likelihood of given responses, response tokens only."""

from __future__ import annotations

from typing import ClassVar

import torch

from vlrl.losses.loss_inputs import LossInputs
from vlrl.losses.loss_registry import Loss, losses
from vlrl.provenance import Mark


@losses.register("sft")
class SftLoss(Loss):
    """Mean negative log-likelihood over all response tokens of the update (exact over micro-batches)."""

    paper: ClassVar[str] = "Kimi k1.5, 2501.12599 §2.5.2"
    mark: ClassVar[Mark] = "P"
    needs: ClassVar[frozenset[str]] = frozenset({"demonstrations"})

    def __call__(self, inputs: LossInputs) -> torch.Tensor:
        """A scalar to add up over micro-batches."""
        return -(inputs.weights * inputs.logprobs).sum() / inputs.update_tokens

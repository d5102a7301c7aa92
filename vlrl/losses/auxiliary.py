"""Terms that are added to a loss: `rl: {loss: grpo, auxiliary: [{name: tgpo, beta: 0.1}]}`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from vlrl.losses.loss_inputs import LossInputs
from vlrl.losses.loss_registry import Loss, UpdateLoss
from vlrl.provenance import needs_of
from vlrl.registry import Registry

additions: Registry[Any] = Registry("added loss", base=Loss)


@dataclass(frozen=True)
class WithAdded:
    """A loss and what is added to it, as one loss."""

    loss: UpdateLoss
    auxiliary: Sequence[UpdateLoss]

    @property
    def needs(self) -> frozenset[str]:
        """What all of them need."""
        return needs_of([self.loss, *self.auxiliary])

    def __call__(self, inputs: LossInputs) -> torch.Tensor:
        """A scalar to add up over micro-batches."""
        total = self.loss(inputs)
        for one in self.auxiliary:
            total = total + one(inputs)
        return total

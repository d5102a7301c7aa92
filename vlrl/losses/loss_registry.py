"""Losses by name: `loss: {name: kimi, tau: 0.1}` in a config is the callable object."""

from __future__ import annotations

from typing import Any, Protocol

import torch

from vlrl.losses.loss_inputs import LossInputs, LossNormalizers
from vlrl.registry import Registry


class Loss(Protocol):
    """A pure function of a micro-batch; returns its share of the update's loss."""

    def __call__(self, terms: LossInputs, over: LossNormalizers) -> torch.Tensor: ...


losses: Registry[Any] = Registry("loss")

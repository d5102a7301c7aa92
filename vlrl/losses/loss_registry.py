"""Losses by name: `loss: {name: kimi, tau: 0.1}` in a config is the callable object."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Protocol

import torch

from vlrl.losses.loss_inputs import LossInputs
from vlrl.provenance import Method
from vlrl.registry import Registry


class UpdateLoss(Protocol):
    """What an update minimises: a loss, or a loss with others added to it."""

    @property
    def needs(self) -> frozenset[str]:
        """What must be there besides rollouts and advantages."""

    def __call__(self, inputs: LossInputs) -> torch.Tensor: ...


class Loss(Method):
    """A pure function of a micro-batch; returns its share of the update's loss. The base of every loss.

    What the trainer asks of a loss is declared here:

    reads_token_credit    whether `LossInputs.token_advantages` have an effect
    resets_optimizer      whether the optimiser starts again at each iteration where a config doesn't say it
    means_over_response   whether a token's share falls with the number of trained tokens of its response
    reads_reference       whether `LossInputs.ref_logprobs`, those of a frozen model, have an effect
    reads_pull_scales     whether `LossInputs.pull_scales` have an effect: there is a pull to an earlier policy
    pulls_without_advantage  whether a later update of a step has a gradient where the advantage is 0
    objective_tau         τ of the objective of k1.5 eq. 2, the pull to the iteration's start; None: it isn't that
    needs                 `pairs`: responses come in pairs, chosen and rejected; `demonstrations`: no rollouts
    """

    reads_token_credit: ClassVar[bool] = True
    resets_optimizer: ClassVar[bool] = False

    @property
    def means_over_response(self) -> bool:
        """Whether a token's share falls with the number of trained tokens of its response."""
        return False

    @property
    def objective_tau(self) -> float | None:
        """τ of the objective of k1.5 eq. 2, the pull to the iteration's start, where this is its loss."""
        return None

    @property
    def reads_reference(self) -> bool:
        """Whether it pulls to a frozen reference, where one is given."""
        return False

    @property
    def reads_pull_scales(self) -> bool:
        """Whether it has a pull to an earlier policy, response by response."""
        return False

    @property
    def pulls_without_advantage(self) -> bool:
        """Whether tokens without an advantage have a gradient once the policy has left the iteration's start."""
        return False

    @abstractmethod
    def __call__(self, inputs: LossInputs) -> torch.Tensor:
        """A scalar to add up over micro-batches."""


losses: Registry[Any] = Registry("loss", base=Loss)

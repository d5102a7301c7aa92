"""The classic reward model while it learns: a model with a value head, one optimiser over both."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from vlrl.errors import NonFiniteError
from vlrl.model.batch.example import Example
from vlrl.model.finite import LOGITS_REMEDY
from vlrl.model.load import LoadedModel
from vlrl.model.optimization.lora import choose_trained
from vlrl.model.optimization.optimizer import Optimizer
from vlrl.model.prompts.encode import Encoded
from vlrl.model.training.torch_policy import PolicySettings, open_forward
from vlrl.reward_models.value_head import head_of, logits_of, value_example, value_loss


class ClassicLearner:
    """Updates by binary cross-entropy; the state is that of a checkpoint."""

    def __init__(self, loaded: LoadedModel, settings: PolicySettings) -> None:
        self.loaded, self.head = loaded, head_of(loaded)
        vision_trains = choose_trained(loaded.model, settings.freeze, settings.lora)
        self._forward = open_forward(loaded, settings, vision_trains)
        self.whole = torch.nn.ModuleDict({"model": loaded.model, "value_head": self.head})
        self.optimizer = Optimizer(self.whole.named_parameters(), settings.optimizer)

    def update(self, prompts: Sequence[Encoded], labels: Sequence[bool], lr_scale: float) -> dict[str, float]:
        """One optimiser step on prompts with their labels; returns metrics of the state before it.

        Raises NonFiniteError for a loss or a gradient that isn't finite, before any weight is touched.
        """
        rows: list[Example] = [value_example(self.loaded, one) for one in prompts]
        wanted = torch.tensor([float(label) for label in labels], device=self.loaded.device)
        total, right = 0.0, 0

        def loss(hidden: torch.Tensor, chosen: Sequence[int]) -> torch.Tensor:
            nonlocal total, right
            logits, target = self.head(hidden), wanted[list(chosen)]
            value = value_loss(logits, target, len(rows))
            total += float(value.detach())
            right += int(((logits.detach() >= 0) == (target > 0)).sum())
            return value

        self.optimizer.zero_grad()
        with self.optimizer.adding_up():
            self._forward.learn_from_hidden(rows, loss)
        if not math.isfinite(total):
            self.optimizer.zero_grad()
            raise NonFiniteError("update", f"the loss of a reward model is {total}", LOGITS_REMEDY)
        norm = self.optimizer.step(lr_scale)
        return {"loss/total": total, "accuracy/train": right / len(rows), "gradient/norm": norm}

    def logits(self, prompts: Sequence[Encoded]) -> torch.Tensor:
        """(N,) logits of prompts under the present weights."""
        return logits_of(self.loaded, self._forward, self.head, prompts)

    def weights(self) -> Iterator[tuple[str, torch.Tensor]]:
        """All weights by name."""
        yield from self.whole.named_parameters()

    def state_dict(self) -> dict[str, Any]:
        """Weights and optimiser, for a checkpoint."""
        return {"model": self.whole.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.whole.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])

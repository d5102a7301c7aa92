"""What every policy has in common: rows shared out over the ranks, read without gradients, and one update's course."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType

import torch

from vlrl import dist
from vlrl.losses.loss_registry import UpdateLoss
from vlrl.model.batch.example import Example
from vlrl.model.batch.rank_sharding import Shares, sum_over_ranks
from vlrl.model.load import LoadedModel, save_model
from vlrl.model.optimization.lora import plain_weights
from vlrl.model.training.forward import MicroBatch, PackedForward
from vlrl.model.training.token_statistics import Tokens, hidden_states, token_statistics
from vlrl.model.training.update_metrics import UpdateMetrics


class SharedPolicy(ABC):
    """Policy over all ranks; what a backend adds is how weights are held and how they make a step.

    reading   forward passes without gradients, through the whole weights of `loaded`
    learning  forward passes of updates
    """

    def __init__(
        self, loaded: LoadedModel, vision_trains: bool, reading: PackedForward, learning: PackedForward
    ) -> None:
        self.loaded = loaded
        self.tower = reading.tower
        self.shares = Shares(loaded)
        self._vision_trains, self._reading, self._learning = vision_trains, reading, learning

    @abstractmethod
    def _updating(self, examples: Sequence[Example], lr_scale: float) -> AbstractContextManager[None]:
        """What an update of all ranks' `examples` runs in, from before its first micro-batch to after its step."""

    @abstractmethod
    def _backward(self, micro_batch: MicroBatch, last: bool) -> None:
        """One micro-batch of this rank forward and backward."""

    @abstractmethod
    def _step(self, lr_scale: float) -> float:
        """Step with the gradients of all ranks together; returns their norm before clipping."""

    @abstractmethod
    def _bring_up_to_date(self) -> None:
        """The model's weights become those that were learned, where they aren't the same. All ranks come together."""

    def logprobs(self, examples: Sequence[Example], temperature: float) -> list[tuple[tuple[float, ...], ...]]:
        """Per example, per response: the current policy's log-probability of every token."""
        self._bring_up_to_date()
        return self.shares.read(examples, lambda some: self._reading.logprobs(some, temperature))

    def statistics(
        self,
        examples: Sequence[Example],
        temperature: float,
        names: Collection[str],
        teacher: PackedForward | None = None,
        frozen: Mapping[str, PackedForward] = MappingProxyType({}),
    ) -> list[dict[str, Tokens]]:
        """Per example, by name, per response: a number for every token, under the current policy."""
        self._bring_up_to_date()
        return self.shares.read(
            examples, lambda some: token_statistics(self._reading, some, temperature, names, teacher, frozen)
        )

    def hidden_states(self, examples: Sequence[Example], count: int) -> list[torch.Tensor]:
        """Per example (n, d): the states that predict `count` tokens of each response, as `places_of` spreads them."""
        self._bring_up_to_date()
        return self.shares.read(examples, lambda some: hidden_states(self._reading, some, count))

    def update(
        self,
        examples: Sequence[Example],
        loss: UpdateLoss,
        temperature: float,
        lr_scale: float,
        skipped: Sequence[Example] = (),
    ) -> UpdateMetrics:
        """One optimiser step at share `lr_scale` of the peak learning rate.

        skipped  examples that have no gradient and needn't run; they stay in the loss's averages

        Raises NonFiniteError for a loss or a gradient that is not finite, before any weight is touched.
        """
        mine, whole, sums = self.shares.mine(examples), (*examples, *skipped), UpdateMetrics()
        with self._updating(examples, lr_scale):
            for micro_batch, last in self._learning.micro_batches(mine, loss, temperature, whole, sums):
                self._backward(micro_batch, last)
            sums = sum_over_ranks(sums)
            if sums.cause is not None:
                raise sums.cause
            norm = self._step(lr_scale)
        return sums.stepped(norm)

    def weights(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Parameters by Hugging Face name, adapters added in."""
        self._bring_up_to_date()
        model = self.loaded.model
        return plain_weights(model, model.named_parameters())

    def save(self, folder: Path) -> None:
        """The model and its processor in Hugging Face format, by the first rank."""
        self._bring_up_to_date()
        if dist.is_first():
            save_model(self.loaded, folder)
        else:
            self.loaded.help_saving()
        self.loaded.model.name_or_path = str(folder)  # the base of what a later stage adapts
        dist.barrier()

"""Which rank works on what: rows are shared out by what they cost, and sums of all ranks are put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import torch

from vlrl import dist
from vlrl.model.batch.example import Example
from vlrl.model.cost import CostModel, balance, cost_of, load_of
from vlrl.model.load import LoadedModel
from vlrl.model.optimization.parameter_groups import trained_parts
from vlrl.model.training.update_metrics import UpdateMetrics

U = TypeVar("U")
BUCKET = 2**26  # values that go over the network at once


class Shares:
    """Shares of rows over all ranks by the cost of training on them; the same on every rank."""

    def __init__(self, loaded: LoadedModel) -> None:
        self._loaded, self._trained = loaded, trained_parts(loaded.model)
        self._cost: CostModel | None = None

    def of(self, rows: Sequence[Example]) -> list[list[int]]:
        """By rank, indices in `rows`. A rank may get none."""
        if dist.world() == 1:
            return [list(range(len(rows)))]
        if self._cost is None:
            model = self._loaded.model
            checkpointed = bool(model.is_gradient_checkpointing)
            self._cost = cost_of(self._loaded.config, model, self._trained, checkpointed)
        return balance([self._cost.training(load_of(row)) for row in rows], dist.world())

    def mine(self, examples: Sequence[Example]) -> list[Example]:
        """This rank's share."""
        return [examples[i] for i in self.of(examples)[dist.rank()]]

    def read(self, rows: Sequence[Example], work: Callable[[Sequence[Example]], Sequence[U]]) -> list[U]:
        """`work` on every row by the rank that it falls to; all results in order, on every rank."""
        return dist.spread(rows, self.of(rows), work, self._loaded.reading)


def sum_over_ranks(mine: UpdateMetrics) -> UpdateMetrics:
    """The sums of all ranks together."""
    first, *others = dist.gather(mine)
    for other in others:
        first.add(other)
    return first


def add_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Every rank's gradients become the sum over all ranks; a gradient that no rank has stays absent."""
    if dist.world() == 1:
        return
    trained = list(parameters)
    present = [any(held) for held in zip(*dist.gather([p.grad is not None for p in trained]), strict=True)]
    bucket: list[torch.Tensor] = []
    for parameter, some in zip(trained, present, strict=True):
        if not some:
            continue
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        if bucket and (
            bucket[0].dtype != parameter.grad.dtype or sum(g.numel() for g in bucket) + parameter.numel() > BUCKET
        ):
            _add(bucket)
            bucket = []
        bucket.append(parameter.grad)
    if bucket:
        _add(bucket)


def _add(gradients: Sequence[torch.Tensor]) -> None:
    flat = torch.cat([g.flatten() for g in gradients])
    torch.distributed.all_reduce(flat)
    start = 0
    for gradient in gradients:
        gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
        start += gradient.numel()

"""The policy being trained, whatever the backend: what a stage may ask of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import torch

from vlrl.losses.loss_registry import UpdateLoss
from vlrl.model.batch.example import Example

if TYPE_CHECKING:
    from vlrl.model.training.forward import PackedForward
    from vlrl.model.training.update_metrics import UpdateMetrics


class Policy(Protocol):
    """`update` makes exactly one optimiser step from its examples, however they are split into micro-batches, and says
    what it added up.

    `skipped` are examples that have no gradient and needn't run: they stay in the loss's averages.
    `statistics` and `hidden_states` are those of vlrl.model.training.token_statistics, under the present weights.
    With several ranks all call the same methods with the same arguments and get the same answers. `close` gives back
    what a backend holds beside the model; after it the model is the user's again.
    """

    def end_iteration(self) -> None: ...

    def logprobs(self, examples: Sequence[Example], temperature: float) -> list[tuple[tuple[float, ...], ...]]: ...

    def statistics(
        self,
        examples: Sequence[Example],
        temperature: float,
        names: Collection[str],
        teacher: PackedForward | None = None,
        frozen: Mapping[str, PackedForward] = MappingProxyType({}),
    ) -> list[dict[str, tuple[tuple[float, ...], ...]]]: ...

    def hidden_states(self, examples: Sequence[Example], count: int) -> list[torch.Tensor]: ...

    def update(
        self,
        examples: Sequence[Example],
        loss: UpdateLoss,
        temperature: float,
        lr_scale: float,
        skipped: Sequence[Example] = (),
    ) -> UpdateMetrics: ...

    def weights(self) -> Iterator[tuple[str, torch.Tensor]]: ...

    def save(self, folder: Path) -> None: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...

    def close(self) -> None: ...

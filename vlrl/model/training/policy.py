"""The policy being trained, whatever the backend: what a stage may ask of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import torch

from vlrl.losses.loss_inputs import NOTHING, LossNormalizers
from vlrl.losses.loss_registry import UpdateLoss
from vlrl.model.batch.packing import PackedGroup

if TYPE_CHECKING:
    from vlrl.model.training.forward import PackedForward
    from vlrl.model.training.update_metrics import UpdateMetrics


@dataclass(frozen=True)
class Example:
    """What one update learns from one problem.

    row                 prompt and k responses
    advantages          (k,)
    old_logprobs        per response (T_j,), or None: the current policy *is* the reference (a first update, k1.5
                        §2.3.2)
    sampler_logprobs    per response (T_j,) by the engine, only compared; None where nothing was sampled (SFT)
    token_weights       per response (T_j,) ≥ 0, or None: every token counts once. 0 keeps a token out of the loss
    token_advantages    per response (T_j,), or None: what a token's advantage is besides that of its response
    teacher_token_ids   per response (T_j,), or None: ids of tokens whose log-probabilities the loss wants besides
    ref_logprobs        per response (T_j,) of a frozen reference model, or None: the loss has none
    origins             per response runs of (where its tokens come from, how many), for the gap between engine and
                        trainer; tokens of `stale` are an earlier policy's. None: all come from one place
    """

    row: PackedGroup
    advantages: tuple[float, ...]
    old_logprobs: tuple[tuple[float, ...], ...] | None = None
    sampler_logprobs: tuple[tuple[float, ...], ...] | None = None
    token_weights: tuple[tuple[float, ...], ...] | None = None
    token_advantages: tuple[tuple[float, ...], ...] | None = None
    origins: tuple[tuple[tuple[str, int], ...], ...] | None = None
    teacher_token_ids: tuple[tuple[int, ...], ...] | None = None
    ref_logprobs: tuple[tuple[float, ...], ...] | None = None

    def take(self, chosen: Sequence[int]) -> Example:
        """The same problem with these of its responses only."""
        if len(chosen) == len(self.row.responses):
            return self
        by_response: dict[str, Any] = {
            field.name: None if held is None else tuple(held[j] for j in chosen)
            for field in fields(self)
            if field.name != "row"
            for held in [getattr(self, field.name)]
        }
        return replace(self, row=self.row.take(chosen), **by_response)


class Policy(Protocol):
    """`update` makes exactly one optimiser step from its examples, however they are split into micro-batches, and says
    what it added up.

    `left_out` counts responses and tokens that have no gradient and were skipped: they stay in the averages.
    `statistics` are those of vlrl.model.training.token_statistics, under the present weights.
    With several ranks all call the same methods with the same arguments and get the same answers. `close` gives back
    what a backend holds beside the model; after it the model is the user's again.
    """

    def end_iteration(self) -> None: ...

    def logprobs(self, rows: Sequence[PackedGroup], temperature: float) -> list[tuple[tuple[float, ...], ...]]: ...

    def statistics(
        self,
        rows: Sequence[PackedGroup],
        temperature: float,
        names: Collection[str],
        teacher: PackedForward | None = None,
        frozen: Mapping[str, PackedForward] = MappingProxyType({}),
    ) -> list[dict[str, tuple[tuple[float, ...], ...]]]: ...

    def update(
        self,
        examples: Sequence[Example],
        loss: UpdateLoss,
        temperature: float,
        lr_scale: float,
        left_out: LossNormalizers = NOTHING,
    ) -> UpdateMetrics: ...

    def weights(self) -> Iterator[tuple[str, torch.Tensor]]: ...

    def save(self, folder: Path) -> None: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...

    def close(self) -> None: ...

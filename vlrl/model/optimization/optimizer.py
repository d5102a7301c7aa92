"""Optimisers and the learning-rate schedule: AdamW, or Muon on matrices with AdamW on the rest."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any, Literal, Protocol

import torch
from pydantic import Field

from vlrl.config import Settings
from vlrl.errors import NonFiniteError
from vlrl.model.finite import GRADIENT_REMEDY
from vlrl.model.optimization.muon import AcrossRanks as MuonAcrossRanks
from vlrl.model.optimization.muon import Muon
from vlrl.model.optimization.parameter_groups import Part, part_of

CLIP_EPSILON = 1e-6  # torch's own in clip_grad_norm_


class AcrossRanks(MuonAcrossRanks, Protocol):
    """Parameters that lie in shards over ranks."""

    def gradient_norm(self, parameters: Sequence[torch.Tensor]) -> float:
        """Of all ranks' gradients together."""


class OptimizerSettings(Settings):
    """Optimiser and schedule of one stage.

    name          `adamw`; `muon` orthogonalises the updates of 2-D weights (embeddings, head and 1-D weights get AdamW)
    lr            peak learning rate (of Muon's matrices where Muon is used)
    adamw_lr      with Muon: rate of what AdamW takes beside it; default: the same as lr. `adamw` alone goes by lr
    lr_by_part    peak rate of a part (vision, projector, language) instead of lr; adamw_lr stands to it as to lr
    schedule      after `warmup_steps` of linear rise: constant, or linear/cosine fall to `final_share` of the peak
    max_norm      gradients are scaled down to this global norm; 0 turns clipping off
    """

    name: Literal["adamw", "muon"] = "adamw"
    lr: float = Field(default=1e-5, gt=0.0)
    adamw_lr: float | None = Field(default=None, gt=0.0)
    lr_by_part: dict[Part, Annotated[float, Field(gt=0.0)]] = Field(default_factory=dict)
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = Field(default=0.0, ge=0.0)
    momentum: float = Field(default=0.95, ge=0.0, lt=1.0)
    warmup_steps: int = Field(default=0, ge=0)
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    final_share: float = Field(default=0.1, ge=0.0, le=1.0)
    max_norm: float = Field(default=1.0, ge=0.0)

    def lr_scale_at(self, step: int, total: int) -> float:
        """Share of the peak rate at 0-based `step` of `total` steps."""
        if step < self.warmup_steps:
            return (step + 1) / (self.warmup_steps + 1)
        if self.schedule == "constant":
            return 1.0
        done = min(1.0, (step - self.warmup_steps) / max(1, total - self.warmup_steps))
        fall = done if self.schedule == "linear" else (1 - math.cos(math.pi * done)) / 2
        return 1.0 - (1.0 - self.final_share) * fall

    def rate_of(self, name: str, by_muon: bool) -> float:
        """Peak rate of a weight by its Hugging Face name."""
        rate = self.lr_by_part.get(part_of(name), self.lr)
        beside_muon = self.name == "muon" and not by_muon
        return rate * self.adamw_lr / self.lr if beside_muon and self.adamw_lr is not None else rate


class Optimizer:
    """Torch optimisers, one a kind and rate, behind four verbs.

    `reset` forgets moments (k1.5 §2.3.2), not the schedule.

    Weights below float32 have a float32 copy that is stepped and rounded back: a small step on a bfloat16 weight would
    be lost in rounding (at a rate of 1e-6 nearly every one). Their gradients add up in the copy, too (`adding_up`): a
    sum of many micro-batches in bfloat16 would lose each that is small beside it.
    """

    def __init__(
        self,
        parameters: Iterable[tuple[str, torch.nn.Parameter]],
        settings: OptimizerSettings,
        across: AcrossRanks | None = None,
    ) -> None:
        """across  where the parameters are this rank's rows of others: how norms and Muon see the whole ones"""
        self.settings, self._across = settings, across
        named = [(name, p) for name, p in parameters if p.requires_grad]
        self._rounded = [p for _, p in named if p.dtype.itemsize < 4]
        self._copies = [torch.nn.Parameter(p.detach().float()) for p in self._rounded]
        copy_of = {id(p): copy for p, copy in zip(self._rounded, self._copies, strict=True)}
        trained = [(name, copy_of.get(id(p), p)) for name, p in named]
        self.parameters = [p for _, p in trained]
        groups: dict[tuple[bool, float], list[torch.nn.Parameter]] = {}
        for by_muon in (True, False):
            for name, p in trained:
                if by_muon == (settings.name == "muon" and takes_muon(name, p)):
                    groups.setdefault((by_muon, settings.rate_of(name, by_muon)), []).append(p)
        self._parts = [
            (_muon(some, rate, settings, across) if by_muon else _adamw(some, rate, settings), rate)
            for (by_muon, rate), some in groups.items()
        ]

    @contextmanager
    def adding_up(self) -> Iterator[None]:
        """Backward passes within the block add their gradients up in float32, and leave none on rounded weights."""
        hooks = [
            weight.register_post_accumulate_grad_hook(partial(_move_gradient, copy))
            for weight, copy in zip(self._rounded, self._copies, strict=True)
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def step(self, share: float) -> float:
        """Clip, step at `share` of the peak rate, clear gradients. Returns the gradient norm before clipping.

        Raises NonFiniteError for a gradient that is not finite, before any weight is touched.
        """
        for weight, copy in zip(self._rounded, self._copies, strict=True):
            _move_gradient(copy, weight)
        norm = self._clip(self.settings.max_norm or math.inf)
        if not math.isfinite(norm):
            raise NonFiniteError("update", f"the gradient norm is {norm}, the loss is finite", GRADIENT_REMEDY)
        for part, rate in self._parts:
            for group in part.param_groups:
                group["lr"] = rate * share
            part.step()
        with torch.no_grad():
            for weight, copy in zip(self._rounded, self._copies, strict=True):
                weight.copy_(copy)
        self.zero_grad()
        return norm

    def _clip(self, limit: float) -> float:
        """Scale the gradients down to this norm; returns theirs before."""
        if self._across is None:
            return float(torch.nn.utils.clip_grad_norm_(self.parameters, limit, foreach=True))
        norm = self._across.gradient_norm(self.parameters)
        if math.isfinite(norm) and norm > limit:
            gradients = [p.grad for p in self.parameters if p.grad is not None and p.numel()]
            torch._foreach_mul_(gradients, limit / (norm + CLIP_EPSILON))
        return norm

    def state_of(self, parameter: torch.Tensor) -> dict[str, torch.Tensor]:
        """What the optimiser remembers of a parameter; to be changed in place, or filled where it is empty."""
        for part, _ in self._parts:
            if any(parameter is one for group in part.param_groups for one in group["params"]):
                return part.state[parameter]  # type: ignore[no-any-return]
        raise KeyError("no parameter of this optimiser")

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for parameter in (*self.parameters, *self._rounded):
            parameter.grad = None

    def reset(self) -> None:
        """Forget moments and step counts."""
        for part, _ in self._parts:
            part.state.clear()

    def state_dict(self) -> dict[str, Any]:
        """State of every part, in order."""
        return {"parts": [part.state_dict() for part, _ in self._parts], "copies": [c.detach() for c in self._copies]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        for (part, _), held in zip(self._parts, state["parts"], strict=True):
            part.load_state_dict(held)
        with torch.no_grad():
            for copy, value in zip(self._copies, state["copies"], strict=True):
                copy.copy_(value)


def _move_gradient(copy: torch.nn.Parameter, weight: torch.Tensor) -> None:
    """The weight's gradient is added to its float32 copy's."""
    if weight.grad is None:
        return
    if copy.grad is None:
        copy.grad = weight.grad.float()
    else:
        copy.grad.add_(weight.grad)
    weight.grad = None


def _muon(
    parameters: list[torch.nn.Parameter], rate: float, settings: OptimizerSettings, across: AcrossRanks | None
) -> torch.optim.Optimizer:
    return Muon(parameters, lr=rate, momentum=settings.momentum, weight_decay=settings.weight_decay, across=across)


def _adamw(parameters: list[torch.nn.Parameter], rate: float, settings: OptimizerSettings) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=rate, betas=settings.betas, weight_decay=settings.weight_decay, fused=True)


def takes_muon(name: str, parameter: torch.Tensor) -> bool:
    """Whether Muon updates this weight: matrices, but no embedding tables and no head."""
    return parameter.ndim == 2 and "embed" not in name and "lm_head" not in name

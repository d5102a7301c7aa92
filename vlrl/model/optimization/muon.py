"""Muon: matrices step along their orthogonalised momentum, equal shapes together (Jordan 2024; Liu et al. 2025).

`torch.optim.Muon` multiplies in bfloat16 on every device, one matrix after another. A CPU without bfloat16 instructions
emulates them: a step of a small model then takes ten times as long. Here a CPU works in float32, so that neither its
pace nor its rounding hangs on such instructions; other devices keep bfloat16.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, overload

import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # Jordan's quintic: steep at zero, ends within about 0.7 … 1.2
ITERATIONS = 5
STACKED_ELEMENTS = 2**24  # matrices larger than this together are orthogonalised in several stacks


class Muon(torch.optim.Optimizer):
    """Muon for matrices, with Nesterov momentum, decoupled weight decay and the scale of AdamW's steps.

    params        matrices (rows, columns); anything else raises ValueError
    lr            the rate that AdamW would have: a step's root mean square is 0.2 · lr (Liu et al. 2025, §2.2)
    momentum      β in [0, 1): buffer ← β · buffer + (1 − β) · gradient; the step goes along
                  gradient + β · (buffer − gradient), before it is orthogonalised
    weight_decay  weights shrink by lr · weight_decay before each step
    across        where matrices lie in shards over ranks: how they are orthogonalised whole; None: they are whole
    """

    def __init__(
        self,
        params: Iterable[torch.Tensor],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        across: AcrossRanks | None = None,
    ) -> None:
        matrices = list(params)
        for matrix in matrices:
            if matrix.ndim != 2:
                raise ValueError(f"Muon steps matrices, not shape {tuple(matrix.shape)}")
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self._across = across

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Step every matrix that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._step_group(group)
        return loss

    def _step_group(self, group: dict[str, Any]) -> None:
        matrices = [p for p in group["params"] if p.grad is not None]
        if not matrices:
            return
        gradients = [p.grad for p in matrices]
        for matrix, gradient in zip(matrices, gradients, strict=True):
            if "momentum_buffer" not in self.state[matrix]:
                self.state[matrix]["momentum_buffer"] = torch.zeros_like(gradient)
        buffers = [self.state[p]["momentum_buffer"] for p in matrices]
        torch._foreach_lerp_(buffers, gradients, 1 - group["momentum"])
        directions = torch._foreach_lerp(gradients, buffers, group["momentum"])
        torch._foreach_mul_(matrices, 1 - group["lr"] * group["weight_decay"])
        across = self._across
        steps = steps_along(directions) if across is None else across.steps_along(matrices, directions)
        for i, step in steps:
            longest = max(matrices[i].shape if across is None else across.shape_of(matrices[i]))
            matrices[i].add_(step, alpha=-group["lr"] * 0.2 * math.sqrt(longest))


class AcrossRanks(Protocol):
    """Matrices that lie in shards over ranks."""

    def shape_of(self, matrix: torch.Tensor) -> Sequence[int]:
        """Of the whole matrix that this rank's rows belong to."""

    def steps_along(
        self, matrices: Sequence[torch.Tensor], directions: Sequence[torch.Tensor]
    ) -> Iterator[tuple[int, torch.Tensor]]:
        """As `steps_along`, of whole matrices; each step is this rank's rows of it."""


def steps_along(directions: Sequence[torch.Tensor]) -> Iterator[tuple[int, torch.Tensor]]:
    """(index, step) of every direction (rows, columns), orthogonalised; not in order."""
    for indices in _stacks(directions):
        steps = orthogonalized(torch.stack([_wide(directions[i]) for i in indices]))  # (N, short, long)
        for i, step in zip(indices, steps.unbind(), strict=True):
            yield i, step.mT if directions[i].shape[0] > directions[i].shape[1] else step


def orthogonalized(matrices: torch.Tensor) -> torch.Tensor:
    """Each matrix U·S·Vᵀ of a stack (N, short, long) as about U·Vᵀ, by five Newton–Schulz iterations.

    Singular values end between about 0.7 and 1.2. float32 on a CPU, bfloat16 elsewhere.
    """
    a, b, c = COEFFICIENTS
    x = matrices.float() if matrices.device.type == "cpu" else matrices.bfloat16()
    x = x / x.flatten(1).norm(dim=1).clamp(min=1e-7)[:, None, None]
    for _ in range(ITERATIONS):
        gram = torch.bmm(x, x.mT)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.to(matrices.dtype)


def _wide(matrix: torch.Tensor) -> torch.Tensor:
    """The matrix, transposed where it has more rows than columns, so that Gram matrices are of the short side."""
    return matrix.mT if matrix.shape[0] > matrix.shape[1] else matrix


def _stacks(matrices: Sequence[torch.Tensor]) -> Iterator[list[int]]:
    """Places of matrices that are orthogonalised together: of one shape (or its transpose), device and bounded size."""
    alike: dict[tuple[int, int, torch.device], list[int]] = {}
    for i, matrix in enumerate(matrices):
        short, long = sorted(matrix.shape)
        alike.setdefault((short, long, matrix.device), []).append(i)
    for (short, long, _), indices in alike.items():
        at_once = max(1, STACKED_ELEMENTS // (short * long))
        for start in range(0, len(indices), at_once):
            yield indices[start : start + at_once]

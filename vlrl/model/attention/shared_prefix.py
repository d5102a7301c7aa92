"""Decoding attention: responses read one copy of their prompt's keys and values, and each its own tokens.

Each layer reads the shared prompt first: on the CPU by PyTorch's flash kernel, elsewhere by two products. In the
softmax over a response's own tokens the prompt is then one more column, its score the log-sum-exp of the prompt's:
exactly the softmax over both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default


class OwnTokens(Protocol):
    """Keys and values of what each row has written itself."""

    def append(self, states: torch.Tensor, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Add one token a row, (N, 2·G, D): keys, then values. Returns both of all own tokens (N, G, S, D)."""


@dataclass
class SharedPrefix:
    """Prompts that live rows share while decoding.

    keys, values  per layer (P, G, L, D): prompts padded to one length; G key-value heads of size D
    mask          (P, 1, 1, L) additive: 0 where a prompt has a token, −inf in the padding; None where none is padded
    runs          neighbouring prompts that are read in one call: the first, the one after the last, their longest
    taken, given  which query stands where, and where its answer is: see `seats`
    own_mask      (N · G, 1, S) additive: −inf in columns before a row's first own token; None where all begin at once
    """

    keys: list[torch.Tensor]
    values: list[torch.Tensor]
    mask: torch.Tensor | None
    runs: Sequence[tuple[int, int, int]]
    taken: torch.Tensor
    given: torch.Tensor
    own_mask: torch.Tensor | None = None


def seats(prompt_of: torch.Tensor, prompts: int, groups: int, per_group: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Where the queries of N rows stand while they read their prompts, with `per_group` = Q queries a key-value head.

    prompt_of  (N,) prompt of each row
    taken      (P · G · widest · Q,) which of the N · G · Q queries stands there; any one in an empty seat
    given      (N · G · Q,) where in (P, widest, Q, G) each of them is answered: heads behind tokens, as the CPU's
               kernel writes
    """
    device = prompt_of.device
    counts = torch.bincount(prompt_of, minlength=prompts)
    widest = int(counts.max())
    order = torch.argsort(prompt_of, stable=True)
    number = torch.arange(len(order), device=device)
    within = torch.empty_like(order)
    within[order] = number - (torch.cumsum(counts, 0) - counts)[prompt_of[order]]
    seat = prompt_of * widest + within
    row = seat.new_zeros(prompts * widest)
    row[seat] = number
    group, query = torch.arange(groups, device=device)[:, None], torch.arange(per_group, device=device)
    taken = (row.view(prompts, 1, widest, 1) * groups + group[..., None]) * per_group + query
    given = (seat[:, None, None] * per_group + query) * groups + group
    return taken.flatten(), given.flatten()


def attend_shared(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, prefix: SharedPrefix, layer: int, scaling: float
) -> torch.Tensor:
    """query (N, H, 1, D), own key/value (N, G, S, D) → (N, 1, H, D): what each row reads in its prompt and itself."""
    rows, heads, _, size = query.shape
    groups = key.shape[1]
    keys, values = prefix.keys[layer], prefix.values[layer]
    queries = query.reshape(-1, size)
    # those that read one head of keys are rows of one product: those of a group, of all rows of a prompt
    table = queries.index_select(0, prefix.taken).view(len(keys), groups, -1, size)
    parts = [
        _attend(
            table[first:stop],
            keys[first:stop, :, :width],
            values[first:stop, :, :width],
            None if prefix.mask is None else prefix.mask[first:stop, ..., :width],
            scaling,
        )
        for first, stop, width in prefix.runs
    ]
    read, top = (torch.cat(some) if len(some) > 1 else some[0] for some in zip(*parts, strict=True))
    read = read.reshape(-1, size).index_select(0, prefix.given).view(rows * groups, -1, size)
    top = top.reshape(-1).index_select(0, prefix.given).view(rows * groups, -1, 1)
    mask = prefix.own_mask
    return _join_own(queries.view(read.shape), key, value, read, top, mask, scaling).view(rows, 1, heads, size)


def _attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scaling: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """query (n, G, T, D), key/value (n, G, L, D) → what is read (n, T, G, D), log Σ e^score (n, T, G) in float32."""
    by = by_products if query.device.type != "cpu" else _by_kernel
    read, total = by(query, key, value, mask, scaling)
    return read.transpose(1, 2), total.transpose(1, 2)


def _by_kernel(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scaling: float
) -> tuple[torch.Tensor, torch.Tensor]:
    found: tuple[torch.Tensor, torch.Tensor] = _flash(query, key, value, 0.0, False, attn_mask=mask, scale=scaling)
    return found


def _join_own(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    read: torch.Tensor,
    top: torch.Tensor,
    mask: torch.Tensor | None,
    scaling: float,
) -> torch.Tensor:
    """The softmax over own tokens and one column more, the prompt: `top` is its score, `read` its value.

    query (N·G, Q, D), key/value (N, G, S, D), read (N·G, Q, D), top (N·G, Q, 1) → (N·G, Q, D).
    """
    tokens, key = key.shape[2], key.flatten(0, 1).transpose(1, 2)
    if mask is None:
        scores = torch.baddbmm(query.new_empty(1, 1, 1), query, key, beta=0, alpha=scaling)
    else:
        scores = torch.baddbmm(mask, query, key, alpha=scaling)
    share = torch.cat([scores.float(), top], -1).softmax(-1).to(value.dtype)
    return torch.baddbmm(read * share[..., tokens:], share[..., :tokens], value.flatten(0, 1))


def by_products(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scaling: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """As the CPU's kernel, on any device: (n, G, T, D) and (n, G, T)."""
    scores = torch.matmul(query * scaling, key.transpose(2, 3)).float()
    if mask is not None:
        scores = scores + mask
    total = scores.logsumexp(-1)
    return torch.matmul((scores - total[..., None]).exp().to(value.dtype), value), total

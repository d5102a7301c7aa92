"""Decoding attention: responses read one copy of their prompt's keys and values, and each its own tokens.

Each layer attends in two parts, to the shared prompt and to the response's own tokens, and joins them by their
log-sum-exp: exactly the softmax over both. On the CPU a part is PyTorch's flash kernel, elsewhere two products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu


@dataclass
class SharedPrefix:
    """Prompts that live rows share while decoding.

    keys, values  per layer (P, G, L, D): prompts padded to one length; G key-value heads of size D
    mask          (P, 1, 1, L) additive: 0 where a prompt has a token, −inf in the padding; None where none is padded
    runs          neighbouring prompts that are read in one call: the first, the one after the last, their longest
    slot          (N,) row r is slot `slot[r]` of a (P × widest) table: its prompt, its place among the prompt's rows
    row           (P · widest,) the row in each slot; any row in an empty one
    own_mask      (N, 1, 1, S) additive: −inf in columns before a row's first own token; None where all begin at once
    """

    keys: list[torch.Tensor]
    values: list[torch.Tensor]
    mask: torch.Tensor | None
    runs: Sequence[tuple[int, int, int]]
    slot: torch.Tensor
    row: torch.Tensor
    own_mask: torch.Tensor | None = None


def attend_shared(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, prefix: SharedPrefix, layer: int, scaling: float
) -> torch.Tensor:
    """query (N, H, 1, D), own key/value (N, G, S, D) → (N, 1, H, D): what each row reads in its prompt and itself."""
    rows, heads, _, size = query.shape
    groups = key.shape[1]
    keys, values = prefix.keys[layer], prefix.values[layer]
    # the queries that read one head of keys are rows of one product: those of a group, of all rows of a prompt
    folded = query.view(rows, groups, -1, size)
    table = folded.index_select(0, prefix.row).view(keys.shape[0], -1, groups, heads // groups, size)
    table = table.transpose(1, 2).flatten(2, 3)  # (P, G, widest·Q, D)
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
    # the CPU's kernel writes heads behind tokens: in that order a row's part of the table lies together
    read = read.transpose(1, 2).reshape(-1, heads // groups, groups, size).index_select(0, prefix.slot)
    top = top.transpose(1, 2).reshape(-1, heads // groups, groups).index_select(0, prefix.slot)
    own, own_top = _attend(folded, key, value, prefix.own_mask, scaling)
    share = torch.sigmoid(top - own_top.transpose(1, 2)).to(own.dtype)
    joined = torch.lerp(own.transpose(1, 2), read, share[..., None])  # (N, Q, G, D)
    return joined.transpose(1, 2).reshape(rows, 1, heads, size)


def _attend(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scaling: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """query (n, G, T, D), key/value (n, G, L, D) → what is read (n, G, T, D), log Σ e^score (n, G, T) in float32."""
    if query.device.type != "cpu":
        return by_products(query, key, value, mask, scaling)
    read, total = _flash(query, key, value, 0.0, False, attn_mask=mask, scale=scaling)
    return read, total


def by_products(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scaling: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """As the CPU's kernel, on any device."""
    scores = torch.matmul(query * scaling, key.transpose(2, 3)).float()
    if mask is not None:
        scores = scores + mask
    total = scores.logsumexp(-1)
    return torch.matmul((scores - total[..., None]).exp().to(value.dtype), value), total

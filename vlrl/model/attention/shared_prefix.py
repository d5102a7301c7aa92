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
from torch.nn.functional import scaled_dot_product_attention

from vlrl.model.attention.pattern_masks import is_near
from vlrl.model.families.attention_patterns import CAUSAL, LayerPattern

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
    patterns      what each layer's queries may see; empty where all are plain causal
    sources       the layer whose keys and values each layer reads, where some have none of their own; empty: its own
    lengths       (P,) tokens of each prompt
    prompt_of     (N,) prompt of each row
    start         (N,) column of a row's first own token
    reach         tokens that the longest row has, prompt and own ones, the one being read included
    """

    keys: list[torch.Tensor]
    values: list[torch.Tensor]
    mask: torch.Tensor | None
    runs: Sequence[tuple[int, int, int]]
    taken: torch.Tensor
    given: torch.Tensor
    own_mask: torch.Tensor | None = None
    patterns: Sequence[LayerPattern] = ()
    sources: Sequence[int] = ()
    lengths: torch.Tensor | None = None
    prompt_of: torch.Tensor | None = None
    start: torch.Tensor | None = None
    reach: int = 0

    def of(self, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values (P, G, L, D) that a layer reads."""
        at = self.sources[layer] if self.sources else layer
        return self.keys[at], self.values[at]

    def needs_all(self, layer: int) -> bool:
        """Whether a layer's window or chunk leaves out something of a row by now, or it has other heads than the first.

        `seats` are those of the first layer's heads.
        """
        if self.of(layer)[0].shape[1] != self.keys[0].shape[1]:
            return True
        pattern = self.patterns[layer] if self.patterns else None
        return pattern is not None and self.reach > min(pattern.window or self.reach, pattern.chunk or self.reach)


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
    keys, values = prefix.of(layer)
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


def attend_near(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    prefix: SharedPrefix,
    layer: int,
    scaling: float,
    softcap: float | None = None,
) -> torch.Tensor:
    """As attend_shared for layers that don't see all of a row, and with a soft cap: the prompt is copied for every row.

    query (N, H, 1, D), own key/value (N, G, S, D) → (N, 1, H, D).
    """
    assert prefix.lengths is not None
    assert prefix.prompt_of is not None
    assert prefix.start is not None
    of_prompts, values_of_prompts = prefix.of(layer)
    prompts, own = of_prompts.shape[2], key.shape[2]
    lengths = prefix.lengths[prefix.prompt_of][:, None]  # (N, 1)
    column = torch.arange(prompts, device=query.device)[None]
    written = torch.arange(own, device=query.device)[None] - prefix.start[:, None]  # (N, S)
    number = torch.cat([column.expand(len(lengths), -1), lengths + written], 1)
    real = torch.cat([column < lengths, written >= 0], 1)
    pattern = prefix.patterns[layer] if prefix.patterns else CAUSAL
    mask = (real & is_near(pattern, number[:, -1:], number))[:, None, None]
    keys = torch.cat([of_prompts[prefix.prompt_of], key], 2)
    values = torch.cat([values_of_prompts[prefix.prompt_of], value], 2)
    return attend_all(query, keys, values, mask, scaling, softcap).transpose(1, 2)


def attend_all(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    scaling: float,
    softcap: float | None,
) -> torch.Tensor:
    """query (N, H, T, D), key/value (N, G, S, D), mask bool or additive, of (N, 1, T, S) or what broadcasts to it →
    (N, H, T, D). Without a mask, causal. `softcap` c makes a score s into c·tanh(s / c).
    """
    each = query.shape[1] // key.shape[1]
    key, value = (one.repeat_interleave(each, 1) if each > 1 else one for one in (key, value))
    if mask is None:
        mask = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=query.device).tril(
            key.shape[2] - query.shape[2]
        )
    if softcap is None:
        return scaled_dot_product_attention(query, key, value, mask, scale=scaling)
    scores = torch.matmul(query * scaling, key.transpose(2, 3))
    scores = (scores / softcap).tanh() * softcap
    scores = scores.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else scores + mask
    return torch.matmul(scores.softmax(-1, dtype=torch.float32).to(value.dtype), value)


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

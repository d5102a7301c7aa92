"""Attention within a vision tower's segments (windows, images): one call for all of one length, not one for each.

Qwen's towers have all patches of a pass in one row. transformers cuts it and attends segment by segment unless the
attention has "flash" in its name: Qwen2.5-VL's windows of 64 patches make hundreds of calls a layer, and a GPU waits
for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

SEGMENT_ATTENTION = "vlrl_segments_like_flash"  # the name by which Qwen's towers give all segments at once


def segment_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    cu_seq_lens_q: torch.Tensor | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """query, key, value (1, H, T, D), segments from `cu_seq_lens_q` (n + 1,) → (1, T, H, D)."""
    assert cu_seq_lens_q is not None
    lengths = cu_seq_lens_q.diff()
    by_length = lengths.unique().tolist()
    if len(by_length) == 1:
        return _attend((query, key, value), by_length[0], dropout, scaling)[None], None
    each = lengths.repeat_interleave(lengths)  # (T,) length of the segment that a patch is of
    out = torch.empty_like(query[0].transpose(0, 1))
    for length in by_length:
        chosen = (each == length).nonzero()[:, 0]
        states = [one.index_select(2, chosen) for one in (query, key, value)]
        out = out.index_copy(0, chosen, _attend(states, length, dropout, scaling))
    return out[None], None


def _attend(states: Sequence[torch.Tensor], length: int, dropout: float, scaling: float | None) -> torch.Tensor:
    """Queries, keys and values (1, H, T, D) of T / `length` segments → (T, H, D)."""
    query, key, value = (one[0].unflatten(1, (-1, length)).transpose(0, 1) for one in states)  # (n, H, length, D)
    read = scaled_dot_product_attention(query, key, value, dropout_p=dropout, scale=scaling)
    return read.transpose(1, 2).flatten(0, 1)

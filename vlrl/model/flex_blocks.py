"""Block masks of packed rows for FlexAttention: 128 × 128 pairs at a time are computed or left out; no mask is made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention


@dataclass(frozen=True)
class FlexBlocks:
    """What the T tokens of B packed rows may see, as FlexAttention takes it."""

    mask: BlockMask


def flex_blocks(part: torch.Tensor, owner: torch.Tensor) -> FlexBlocks:
    """(B, T) parts (0 prompt, j response j, −1 padding) and rows → causal; a key is of the query's own row,
    and there of the prompt or of the same response."""
    rows, width = part.shape

    def sees(b: torch.Tensor, h: torch.Tensor, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        of_key = part[b, key]
        near = (query >= key) & (owner[b, key] == owner[b, query])
        return (query == key) | (near & ((of_key == 0) | ((of_key > 0) & (of_key == part[b, query]))))

    return FlexBlocks(create_block_mask(sees, rows, None, width, width, device=str(part.device)))


@cache
def _compiled() -> Any:
    return torch.compile(flex_attention, dynamic=True)


def attend_flex(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, blocks: FlexBlocks, scaling: float | None
) -> torch.Tensor:
    """query (B, H, T, D), key/value (B, G, T, D) → (B, T, H, D). Off CUDA it runs uncompiled, without backward."""
    attend = _compiled() if query.is_cuda else flex_attention
    out: torch.Tensor = attend(
        query, key, value, block_mask=blocks.mask, scale=scaling, enable_gqa=query.shape[1] != key.shape[1]
    )
    return out.transpose(1, 2)

"""Attention of packed rows by blocks: the prompt among itself, and every response to its prompt and itself.

A dense mask computes all pairs of a packed row and throws those between responses away. Beyond a few hundred tokens
that is most of the attention; the blocks hold only the pairs that count, with the same result.

On the CPU no mask is made for rows of ROWS_FROM tokens or more: every response token attends to its row's prompt in one
product and to its own response in causal order, and the two are joined by their log-sum-exp (joined_attention.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from vlrl.model.joined_attention import attend_behind

BLOCKS_FROM = 384  # tokens of a packed row; measured: at 160 a dense mask is as fast, at 576 the blocks take a third


ROWS_FROM = 768  # tokens from which the CPU goes row by row; measured: at 576 masks are as fast, at 1117 slower


@dataclass(frozen=True)
class ResponseBlocks:
    """Where the N responses of B packed rows of T tokens stand, and what each may see.

    prompt_width  P: tokens of the longest prompt
    row           (N,) the row of each response
    take          (N, L) index into (B·T) of its tokens; padded with its first token
    prompts       tokens of each row's prompt
    counts        responses of each row
    lengths       (N,) tokens of each response
    give          (M,) index into (N·L) of the tokens that are not padding
    put           (M,) their index into (B·T)
    """

    prompt_width: int
    row: torch.Tensor
    take: torch.Tensor
    prompts: tuple[int, ...]
    counts: tuple[int, ...]
    lengths: torch.Tensor
    give: torch.Tensor
    put: torch.Tensor

    @cached_property
    def mask(self) -> torch.Tensor:
        """(N, 1, L, P + L) bool: prompt and own tokens that a query may see."""
        longest, device = self.take.shape[1], self.take.device
        own = torch.ones(longest, longest, dtype=torch.bool, device=device).tril().expand(len(self.row), -1, -1)
        of_row = torch.tensor(self.prompts, device=device)[self.row]
        prompt = torch.arange(self.prompt_width, device=device)[None] < of_row[:, None]  # (N, P)
        return torch.cat([prompt[:, None].expand(-1, longest, -1), own], 2)[:, None]


def response_blocks(
    spans: list[tuple[int, int, int]], prompt_lengths: list[int], width: int, device: torch.device
) -> ResponseBlocks:
    """Blocks of the responses at `spans`: (row, first token, token after the last) in a batch of `width` tokens."""
    row = torch.tensor([b for b, _, _ in spans])
    first = torch.tensor([b * width + start for b, start, _ in spans])
    length = torch.tensor([stop - start for _, start, stop in spans])
    longest = int(length.max())
    within = torch.arange(longest)
    real = within[None] < length[:, None]  # (N, L)
    take = first[:, None] + torch.where(real, within[None], 0)
    return ResponseBlocks(
        prompt_width=max(prompt_lengths),
        row=row.to(device),
        take=take.to(device),
        prompts=tuple(prompt_lengths),
        counts=tuple(int(n) for n in torch.bincount(row, minlength=len(prompt_lengths))),
        lengths=length.to(device),
        give=real.flatten().nonzero()[:, 0].to(device),
        put=take[real].to(device),
    )


def attend_in_blocks(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    blocks: ResponseBlocks,
    dropout: float,
    scaling: float | None,
) -> torch.Tensor:
    """query (B, H, T, D), key/value (B, G, T, D) → (B, T, H, D). What stands in the padding is of no use to anyone."""
    if query.device.type == "cpu" and dropout == 0.0 and query.shape[2] >= ROWS_FROM:
        return _row_by_row(query, key, value, blocks, scaling if scaling is not None else query.shape[-1] ** -0.5)
    return attend_with_masks(module, query, key, value, blocks, dropout, scaling)


def attend_with_masks(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    blocks: ResponseBlocks,
    dropout: float,
    scaling: float | None,
) -> torch.Tensor:
    """The same on any device, with a mask a response and the prompt copied for each."""
    rows, heads, width, size = query.shape
    stop = blocks.prompt_width
    prompt_key, prompt_value = key[:, :, :stop], value[:, :, :stop]
    prompt, _ = sdpa_attention_forward(
        module, query[:, :, :stop], prompt_key, prompt_value, None, dropout=dropout, scaling=scaling, is_causal=True
    )  # (B, P, H, D)
    responses, _ = sdpa_attention_forward(
        module,
        _taken(query, blocks),
        torch.cat([prompt_key[blocks.row], _taken(key, blocks)], 2),
        torch.cat([prompt_value[blocks.row], _taken(value, blocks)], 2),
        blocks.mask,
        dropout=dropout,
        scaling=scaling,
    )  # (N, L, H, D)
    whole = torch.cat([prompt, prompt.new_zeros(rows, width - stop, heads, size)], 1).view(rows * width, heads, size)
    whole = whole.index_copy(0, blocks.put, responses.reshape(-1, heads, size)[blocks.give])
    return whole.view(rows, width, heads, size)


def _row_by_row(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, blocks: ResponseBlocks, scaling: float
) -> torch.Tensor:
    """The same without masks and without copies of the prompt."""
    rows, _, width, _ = query.shape
    done, first = [], 0
    for b, (prompt, count) in enumerate(zip(blocks.prompts, blocks.counts, strict=True)):
        lengths = blocks.lengths[first : first + count].tolist()
        first += count
        stop = prompt + sum(lengths)
        q, k, v = query[b, None, :, :stop], key[b, None, :, :stop], value[b, None, :, :stop]
        grouped = q.shape[1] != k.shape[1]
        read = torch.nn.functional.scaled_dot_product_attention(
            q[:, :, :prompt],
            k[:, :, :prompt],
            v[:, :, :prompt],
            is_causal=True,
            scale=scaling,
            enable_gqa=grouped,
        )
        parts = [read, attend_behind(q, k, v, prompt, lengths, scaling)]
        if stop < width:
            parts.append(q.new_zeros(1, q.shape[1], width - stop, q.shape[3]))
        done.append(torch.cat(parts, 2))
    return torch.cat(done).transpose(1, 2) if rows > 1 else done[0].transpose(1, 2)


def _taken(states: torch.Tensor, blocks: ResponseBlocks) -> torch.Tensor:
    """(B, H, T, D) → (N, H, L, D) of the responses."""
    rows, heads, width, size = states.shape
    flat = states.transpose(1, 2).reshape(rows * width, heads, size)
    return flat[blocks.take].transpose(1, 2)

"""Attention of packed rows by blocks: the prompt among itself, and every response to its prompt and itself.

A dense mask computes all pairs of a packed row and throws those between responses away. Beyond a few hundred tokens
that is most of the attention; the blocks hold only the pairs that count, with the same result.

On the CPU no mask is made for rows of ROWS_FROM tokens or more: every response token attends to its row's prompt in one
product and to its own response in causal order, and the two are joined by their log-sum-exp (lse_merge_attention.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from vlrl.errors import RunError
from vlrl.model.attention.lse_merge_attention import attend_behind

BLOCKS_FROM = 384  # tokens of a line; measured: at 160 a dense mask is as fast, at 576 the blocks take a third


ROWS_FROM = (
    768  # tokens of a row from which the CPU goes row by row; measured: at 576 masks are as fast, at 1117 slower
)
MASK_TOKENS = 16_384  # of the longest row that masks are made for; a mask is below 2^28 bool then


@dataclass(frozen=True)
class PackedRow:
    """Where a packed row stands: its first token among the (B·T), and the lengths of its parts in tokens."""

    first: int
    prompt: int
    responses: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """Length of the row."""
        return self.prompt + sum(self.responses)


@dataclass(frozen=True)
class Spans:
    """N runs of tokens, brought under each other and padded to the longest, L.

    take     (N, L) index into (B·T) of their tokens; padded with each run's first token
    lengths  (N,)
    give     (M,) index into (N·L) of the tokens that are not padding
    put      (M,) their index into (B·T)
    """

    take: torch.Tensor
    lengths: torch.Tensor
    give: torch.Tensor
    put: torch.Tensor


@dataclass(frozen=True)
class ResponseBlocks:
    """Where the parts of packed rows stand, and what each may see.

    rows       where each stands
    responses  the N responses that look back at a prompt
    row        (N,) the row of each
    prompts    (R,) tokens of each row's prompt
    reading    what is read in plain causal order, where all rows stand in one line: prompts, and whole rows of one
               response; None where each row has a line of its own, that begins with its prompt
    """

    rows: tuple[PackedRow, ...]
    responses: Spans | None
    row: torch.Tensor
    prompts: torch.Tensor
    reading: Spans | None

    @property
    def prompt_width(self) -> int:
        """P: tokens of the longest thing that is read in plain causal order."""
        return max(row.prompt for row in self.rows) if self.reading is None else self.reading.take.shape[1]

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return max(row.tokens for row in self.rows)

    @cached_property
    def mask(self) -> torch.Tensor:
        """(N, 1, L, P + L) bool: prompt and own tokens that a query may see. Raises RunError above MASK_TOKENS²."""
        assert self.responses is not None, "there is nothing that looks back at a prompt"
        rows, width = self.responses.take.shape
        if rows * width * (self.prompt_width + width) > MASK_TOKENS**2:
            raise RunError(
                "model.attention",
                f"{rows} responses of up to {width:,} tokens behind up to {self.prompt_width:,} would take a mask of "
                f"{rows * width * (self.prompt_width + width) / 2**30:.1f} GiB",
                "attention: auto, which makes none on CUDA, or a smaller micro_batch_tokens",
            )
        longest, device = self.responses.take.shape[1], self.row.device
        own = torch.ones(longest, longest, dtype=torch.bool, device=device).tril().expand(len(self.row), -1, -1)
        prompt = torch.arange(self.prompt_width, device=device)[None] < self.prompts[self.row][:, None]  # (N, P)
        return torch.cat([prompt[:, None].expand(-1, longest, -1), own], 2)[:, None]


def response_blocks(rows: Sequence[PackedRow], device: torch.device, packed: bool = False) -> ResponseBlocks:
    """Blocks of these rows, each in a line of its own or all in one."""
    looking: list[tuple[int, int]] = []  # first token and length
    reading: list[tuple[int, int]] = []
    row_of: list[int] = []
    for number, row in enumerate(rows):
        alone = packed and len(row.responses) == 1
        reading.append((row.first, row.tokens if alone else row.prompt))
        start = row.first + row.prompt
        for length in () if alone else row.responses:
            looking.append((start, length))
            row_of.append(number)
            start += length
    return ResponseBlocks(
        rows=tuple(rows),
        responses=_spans(looking, device) if looking else None,
        row=torch.tensor(row_of, dtype=torch.long, device=device),
        prompts=torch.tensor([row.prompt for row in rows], device=device),
        reading=_spans(reading, device) if packed else None,
    )


def _spans(runs: Sequence[tuple[int, int]], device: torch.device) -> Spans:
    first, length = (torch.tensor(column) for column in zip(*runs, strict=True))
    within = torch.arange(int(length.max()))
    real = within[None] < length[:, None]  # (N, L)
    take = first[:, None] + torch.where(real, within[None], 0)
    return Spans(take.to(device), length.to(device), real.flatten().nonzero()[:, 0].to(device), take[real].to(device))


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
    if query.device.type == "cpu" and dropout == 0.0 and blocks.longest >= ROWS_FROM:
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
    from transformers.integrations.sdpa_attention import sdpa_attention_forward  # which takes seconds to load

    rows, heads, width, size = query.shape
    reading = blocks.reading
    if reading is None:
        stop = blocks.prompt_width
        prompt_query, prompt_key, prompt_value = (states[:, :, :stop] for states in (query, key, value))
    else:
        prompt_query, prompt_key, prompt_value = (_taken(states, reading) for states in (query, key, value))
    prompt, _ = sdpa_attention_forward(
        module, prompt_query, prompt_key, prompt_value, None, dropout=dropout, scaling=scaling, is_causal=True
    )  # (R, P, H, D)
    if reading is None:
        whole = torch.cat([prompt, prompt.new_zeros(rows, width - stop, heads, size)], 1)
        whole = whole.view(rows * width, heads, size)
    else:
        whole = _put(prompt.new_zeros(rows * width, heads, size), prompt, reading)
    if blocks.responses is not None:
        responses, _ = sdpa_attention_forward(
            module,
            _taken(query, blocks.responses),
            torch.cat([prompt_key[blocks.row], _taken(key, blocks.responses)], 2),
            torch.cat([prompt_value[blocks.row], _taken(value, blocks.responses)], 2),
            blocks.mask,
            dropout=dropout,
            scaling=scaling,
        )  # (N, L, H, D)
        whole = _put(whole, responses, blocks.responses)
    return whole.view(rows, width, heads, size)


def _row_by_row(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, blocks: ResponseBlocks, scaling: float
) -> torch.Tensor:
    """The same without masks and without copies of the prompt."""
    rows, heads, width, size = query.shape
    lines: list[list[torch.Tensor]] = [[] for _ in range(rows)]
    filled = [0] * rows
    for row in blocks.rows:
        b, first = divmod(row.first, width)
        q, k, v = (states[b, None, :, first : first + row.tokens] for states in (query, key, value))
        read = row.tokens if blocks.reading is not None and len(row.responses) == 1 else row.prompt
        lines[b].append(
            torch.nn.functional.scaled_dot_product_attention(
                q[:, :, :read],
                k[:, :, :read],
                v[:, :, :read],
                is_causal=True,
                scale=scaling,
                enable_gqa=q.shape[1] != k.shape[1],
            )
        )
        if read < row.tokens:
            lines[b].append(attend_behind(q, k, v, read, row.responses, scaling))
        filled[b] += row.tokens
    for parts, tokens in zip(lines, filled, strict=True):
        if tokens < width:
            parts.append(query.new_zeros(1, heads, width - tokens, size))
    done = [torch.cat(parts, 2) for parts in lines]
    return torch.cat(done).transpose(1, 2) if rows > 1 else done[0].transpose(1, 2)


def _taken(states: torch.Tensor, spans: Spans) -> torch.Tensor:
    """(B, H, T, D) → (N, H, L, D) of the spans."""
    rows, heads, width, size = states.shape
    flat = states.transpose(1, 2).reshape(rows * width, heads, size)
    return flat[spans.take].transpose(1, 2)


def _put(whole: torch.Tensor, found: torch.Tensor, spans: Spans) -> torch.Tensor:
    """(B·T, H, D) with (N, L, H, D) of the spans in their places."""
    heads, size = whole.shape[1:]
    return whole.index_copy(0, spans.put, found.reshape(-1, heads, size)[spans.give])

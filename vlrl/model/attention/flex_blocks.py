"""Block masks of packed rows for FlexAttention: 128 × 128 pairs at a time are computed or left out.

Which blocks is worked out from where the parts begin and end. No (T, T) mask is made: at 131,072 tokens it would take
17 GB, the tables of blocks take some MB.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch.nn.attention.flex_attention import BlockMask, flex_attention

BLOCK = 128  # tokens of a block's side, FlexAttention's own choice


@dataclass(frozen=True)
class FlexBlocks:
    """What the T tokens of B packed rows may see, as FlexAttention takes it."""

    mask: BlockMask


@dataclass(frozen=True)
class _Run:
    """Neighbouring tokens [start, stop) of one part of one row, and where that row's prompt stands."""

    start: int
    stop: int
    part: int
    owner: int
    prompt: tuple[int, int]


def flex_blocks(part: torch.Tensor, owner: torch.Tensor, device: torch.device) -> FlexBlocks:
    """(B, T) parts (0 prompt, j response j, −1 padding) and rows, on the CPU → causal; a key is of the query's own row,
    and there of the prompt or of the same response. Padding sees itself only."""
    rows, width = part.shape
    tables = [visible_blocks(part[b], owner[b]) for b in range(rows)]
    some, full = (torch.stack(kind)[:, None].to(device) for kind in zip(*tables, strict=True))  # (B, 1, n, n)
    parts, owners = part.to(device), owner.to(device)

    def sees(b: torch.Tensor, h: torch.Tensor, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        of_key, of_query = parts[b, key], parts[b, query]
        near = (query >= key) & (owners[b, key] == owners[b, query]) & (of_query >= 0)
        return (query == key) | (near & ((of_key == 0) | (of_key == of_query)))

    mask = BlockMask.from_kv_blocks(*_listed(some), *_listed(full), BLOCK, sees, (width, width))
    return FlexBlocks(mask)


def visible_blocks(part: torch.Tensor, owner: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(T,) parts and rows → (n, n) bool, n blocks of queries by n of keys: where some pairs count, and where all do."""
    width = len(part)
    blocks = -(-width // BLOCK)
    some = torch.zeros(blocks, blocks, dtype=torch.bool)
    full = torch.zeros(blocks, blocks, dtype=torch.bool)
    touching: list[list[_Run]] = [[] for _ in range(blocks)]
    for run in _runs(part, owner):
        first = run.start // BLOCK
        for b in range(first, _last(run.stop) + 1):
            touching[b].append(run)
            if run.part < 0:
                some[b, b] = True  # padding sees itself
                continue
            some[b, first : b + 1] = True
            if run.part > 0:
                some[b, run.prompt[0] // BLOCK : _last(run.prompt[1]) + 1] = True
    for b, runs in enumerate(touching):
        if (b + 1) * BLOCK <= width:
            for start, stop in _seen_by_all(runs, b * BLOCK):
                full[b, -(-start // BLOCK) : stop // BLOCK] = True
    return some & ~full, full


def _last(stop: int) -> int:
    return (stop - 1) // BLOCK


def _runs(part: torch.Tensor, owner: torch.Tensor) -> list[_Run]:
    _, lengths = torch.unique_consecutive(torch.stack([owner, part]), dim=1, return_counts=True)
    found, start, prompt = [], 0, (0, 0)
    for length in lengths.tolist():
        stop, kind = start + length, int(part[start])
        if kind == 0:
            prompt = (start, stop)
        found.append(_Run(start, stop, kind, int(owner[start]), prompt))
        start = stop
    return found


def _seen_by_all(runs: list[_Run], before: int) -> list[tuple[int, int]]:
    """Spans of keys before a block that every query of the block may see; `runs` are those that it has tokens of."""
    if any(run.part < 0 or run.owner != runs[0].owner for run in runs):
        return []
    begin, end = runs[0].prompt
    if len(runs) > 1:
        return [(begin, min(end, before))]
    (run,) = runs
    if run.part == 0 or run.start == end:  # the prompt itself, or the response that follows it
        return [(begin, before)]
    return [(begin, end), (run.start, before)]


def _listed(table: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, 1, n, n) bool → how many blocks of keys a block of queries has (B, 1, n), and which, those first."""
    which = torch.argsort(table.to(torch.int32), dim=-1, descending=True, stable=True)
    return table.sum(-1, dtype=torch.int32), which.to(torch.int32).contiguous()


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

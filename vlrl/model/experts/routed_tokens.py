"""The tokens that the passes of training read, in the order in which routers see them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from vlrl.model.batch.example import Example
from vlrl.model.batch.packing import Batch
from vlrl.model.decoding.state_rows import width_behind


def real_tokens(examples: Sequence[Example], batch: Batch) -> list[torch.Tensor]:
    """For each pass over a batch, (N,) bool: which of the tokens that it reads are no padding."""
    if batch.apart is None:
        real = torch.zeros(batch.token_ids.shape, dtype=torch.bool)
        for line, begin, example in _places(examples, batch):
            real[line, begin : begin + example.num_tokens] = True
        return [real.reshape(-1)]
    found = []
    for example in examples:
        found.append(torch.ones(example.encoded.num_tokens, dtype=torch.bool))
        if width := width_behind(example):
            rows = [torch.arange(width) < len(tokens) - 1 for tokens in example.responses]
            found.append(torch.stack(rows).reshape(-1))
    return found


def _places(examples: Sequence[Example], batch: Batch) -> Iterator[tuple[int, int, Example]]:
    """(line, first token, example), as `pack` lays examples out."""
    begin, one_line = 0, len(batch.token_ids) < len(examples)
    for number, example in enumerate(examples):
        yield (0, begin, example) if one_line else (number, 0, example)
        begin += example.num_tokens

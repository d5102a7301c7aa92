"""The tokens that training's passes read, in the order in which routers see them, and the experts of their rollout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from vlrl.model.batch.example import Example
from vlrl.model.batch.packing import Batch
from vlrl.model.decoding.state_rows import readings


def real_tokens(examples: Sequence[Example], batch: Batch) -> list[torch.Tensor]:
    """For each pass over a batch, (N,) bool: which of the tokens that it reads are no padding."""
    if batch.apart is None:
        real = torch.zeros(batch.token_ids.shape, dtype=torch.bool)
        for line, begin, example in _places(examples, batch):
            real[line, begin : begin + example.num_tokens] = True
        return [real.reshape(-1)]
    found = []
    for numbers, width in readings(examples):
        together = [examples[number] for number in numbers]
        found.append(torch.ones(sum(example.encoded.num_tokens for example in together), dtype=torch.bool))
        if width:
            responses = [tokens for example in together for tokens in example.responses]
            found.append(torch.stack([torch.arange(width) < len(tokens) - 1 for tokens in responses]).reshape(-1))
    return found


def given_experts(examples: Sequence[Example], batch: Batch) -> list[torch.Tensor | None]:
    """For each pass over a batch, (N, L, k) experts that its tokens are sent to, −1 where nobody noted them; None for
    a pass whose tokens have none.
    """
    shape = next(one.prompt.shape[1:] for example in examples for one in example.routing or ())
    if batch.apart is None:
        lines = np.full((*batch.token_ids.shape, *shape), -1, np.int16)
        for line, begin, example in _places(examples, batch):
            for number, one in enumerate(example.routing or ()):
                if not number:
                    lines[line, begin : begin + len(one.prompt)] = one.prompt
                    begin += len(one.prompt)
                length = len(example.responses[number])
                noted = one.response[:length]  # observations that end an episode are behind it
                lines[line, begin : begin + len(noted)] = noted
                begin += length
        return [_flat(lines, batch)]
    found: list[torch.Tensor | None] = []
    for numbers, width in readings(examples):
        together = [examples[number] for number in numbers]
        if all(example.routing is None for example in together):
            found += [None] * (1 + (width > 0))
            continue
        prompts = np.full((len(together), together[0].encoded.num_tokens, *shape), -1, np.int16)
        rows = np.full((sum(len(example.responses) for example in together), width, *shape), -1, np.int16)
        begin = 0
        for prompt, example in zip(prompts, together, strict=True):
            for i, one in enumerate(example.routing or ()):
                prompt[:] = one.prompt
                noted = one.response[: len(example.responses[i]) - 1]
                rows[begin + i, : len(noted)] = noted
            begin += len(example.responses)
        found += [_flat(one, batch) for one in ([prompts, rows] if width else [prompts])]
    return found


def _flat(experts: np.ndarray, batch: Batch) -> torch.Tensor:
    """(B, T, L, k) → (B·T, L, k) on the batch's device."""
    return torch.from_numpy(experts).flatten(0, 1).to(batch.token_ids.device, torch.long)


def _places(examples: Sequence[Example], batch: Batch) -> Iterator[tuple[int, int, Example]]:
    """(line, first token, example), as `pack` lays examples out."""
    begin, one_line = 0, len(batch.token_ids) < len(examples)
    for number, example in enumerate(examples):
        yield (0, begin, example) if one_line else (number, 0, example)
        begin += example.num_tokens

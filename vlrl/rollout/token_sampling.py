"""Drawing tokens: temperature, top-p, and a seed for every row that no neighbour in the batch can disturb."""

from __future__ import annotations

import torch

_MIX = (0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64)  # splitmix64's multipliers as signed 64-bit numbers
_STEP = 0x9E3779B97F4A7C15 - 2**64


def row_uniforms(seeds: torch.Tensor, step: int | torch.Tensor) -> torch.Tensor:
    """(N,) int64 seeds and a step or (N,) steps → (N,) float64 in (0, 1): splitmix64 of both, whatever the batch."""
    x = seeds + (torch.as_tensor(step, device=seeds.device) + 1) * _STEP  # wraps around, as splitmix64 does
    for shift, multiplier in zip((30, 27), _MIX, strict=True):
        x = (x ^ ((x >> shift) & (2 ** (64 - shift) - 1))) * multiplier
    x = x ^ ((x >> 31) & (2**33 - 1))
    return (((x >> 12) & (2**52 - 1)).double() + 0.5) / 2**52  # 52 bits: one more would round up to 1


def draw_tokens(
    logprobs: torch.Tensor, uniforms: torch.Tensor, top_p: torch.Tensor | None, greedy: torch.Tensor | None
) -> torch.Tensor:
    """One token a row by inversion of the cumulative distribution.

    logprobs (N, V) of the sampling distribution; uniforms (N,) in (0, 1); top_p (N,), None: 1 for all; greedy (N,)
    bool, None: no row is. Top-p keeps the smallest set of most likely tokens whose probability reaches `top_p`.
    """
    probabilities = logprobs.to(torch.float64, copy=True).exp_()
    if top_p is not None:
        ordered, order = probabilities.sort(-1, descending=True)
        before = ordered.cumsum(-1) - ordered
        dropped = torch.zeros_like(probabilities, dtype=torch.bool).scatter_(-1, order, before >= top_p[:, None])
        probabilities = probabilities.masked_fill(dropped & (top_p < 1.0)[:, None], 0.0)
    summed = probabilities.cumsum(-1)
    whole = summed[:, -1]
    # below the sum, so that a uniform next to 1 can't land past the last token with a probability
    target = torch.minimum(uniforms * whole, torch.nextafter(whole, torch.zeros_like(whole)))
    drawn = torch.searchsorted(summed, target[:, None], right=True)[:, 0]
    return drawn if greedy is None else torch.where(greedy, logprobs.argmax(-1), drawn)

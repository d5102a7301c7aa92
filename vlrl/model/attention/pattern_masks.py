"""Masks of packed rows for decoders whose layers see otherwise than in causal order, from their patterns.

The description is families/attention_patterns.py. Masks are dense, one for each different pattern; which one a layer
takes is looked up where it attends. While decoding, a row that has grown beyond a window sees only what is near.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from vlrl.errors import RunError
from vlrl.model.attention.response_blocks import MASK_TOKENS
from vlrl.model.families.attention_patterns import LayerPattern


@dataclass(frozen=True)
class PatternMasks:
    """A mask for every layer, (B, 1, T, T) bool, True where a query (third) sees a key (fourth); alike ones are one."""

    by_layer: tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class Places:
    """Of every token of B lines of T tokens, each (B, T).

    part    0 prompt, j response j, −1 padding
    owner   which row of the line
    number  of the token within what one query can read: the prompt's from 0, each response's behind its prompt
    image   which image of the line, −1 for none
    """

    part: torch.Tensor
    owner: torch.Tensor
    number: torch.Tensor
    image: torch.Tensor

    def to(self, device: torch.device) -> Places:
        """The same on a device."""
        return Places(*(one.to(device) for one in (self.part, self.owner, self.number, self.image)))


def pattern_masks(patterns: Sequence[LayerPattern], places: Places) -> PatternMasks:
    """Masks for layers of these patterns. Raises RunError for lines above MASK_TOKENS tokens.

    Padding sees itself only, so that no softmax is empty.
    """
    lines, width = places.part.shape
    if lines * width**2 > MASK_TOKENS**2:
        raise RunError(
            "model",
            f"{lines} lines of {width:,} tokens would take a mask of {lines * width**2 / 2**30:.1f} GiB for each "
            "pattern of its layers (windows, images that attend in both directions)",
            "a smaller micro_batch_tokens, or max_num_batched_tokens of the engine",
        )
    found = {pattern: _mask(pattern, places) for pattern in dict.fromkeys(patterns)}
    return PatternMasks(tuple(found[pattern] for pattern in patterns))


def _mask(pattern: LayerPattern, places: Places) -> torch.Tensor:
    part, owner, number, image = (
        (one[:, :, None], one[:, None, :]) for one in (places.part, places.owner, places.number, places.image)
    )
    together = (owner[0] == owner[1]) & (part[0] >= 0) & ((part[1] == 0) | (part[1] == part[0]))
    seen = number[1] <= number[0]
    near = is_near(pattern, *number)
    if pattern.two_way == "image":
        more = (image[0] == image[1]) & (image[0] >= 0)
    elif pattern.two_way == "prompt":
        more = (part[0] == 0) & (part[1] == 0)
    else:
        more = torch.zeros_like(seen)
    seen = (seen | more) & near if pattern.cut else (seen & near) | more
    itself = torch.eye(seen.shape[1], dtype=torch.bool, device=seen.device)
    return (together & seen | itself)[:, None]


def is_near(pattern: LayerPattern, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """Whether a key's number is within the window or chunk of a query's; shapes that broadcast."""
    near = torch.ones_like(query == key)
    if pattern.window is not None:
        near &= query - key < pattern.window
    if pattern.chunk is not None:
        near &= query // pattern.chunk == key // pattern.chunk
    return near


def image_numbers(token_types: Sequence[int], first: int) -> tuple[list[int], int]:
    """Of a prompt's tokens, the image that each is of, counted from `first`, −1 for text; and the next number.

    Neighbouring tokens of images are one, as transformers' mask functions count.
    """
    found, number, before = [], first - 1, 0
    for kind in token_types:
        if kind and not before:
            number += 1
        found.append(number if kind else -1)
        before = kind
    return found, number + 1

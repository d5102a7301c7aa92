"""Read the prompt once: one row `[prompt | response 1 | … | response k]` whose mask and positions keep responses apart.

Each response sees the prompt and itself only, and continues the prompt's positions, so its log-probabilities and
gradients are those of k separate rows at a fraction of the work. In the same way whole rows may stand one behind
another in one line instead of padded below each other: none sees another, and positions begin again with each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from vlrl.model.attention.flex_blocks import FlexBlocks, flex_blocks
from vlrl.model.attention.pattern_masks import PatternMasks, Places, image_numbers, pattern_masks
from vlrl.model.attention.response_blocks import BLOCKS_FROM, PackedRow, ResponseBlocks, response_blocks
from vlrl.model.batch.example import Example
from vlrl.model.prompts.encode import EncodedImage
from vlrl.model.prompts.positions import PositionRule


@dataclass(frozen=True)
class Apart:
    """Examples whose prompts are read in passes of their own: a decoder with recurrent layers has them."""

    examples: tuple[Example, ...]
    rule: PositionRule


@dataclass(frozen=True)
class Batch:
    """The tensors of one forward pass over B lines of T tokens: a packed row each, or all rows in one line.

    token_ids   (B, T) right-padded
    positions   (R, B, T) or (B, T) where R = 1
    mask        (B, 1, T, T) bool, True where a query (third) may see a key (fourth); short rows only
    blocks      the same of long rows, for an attention that computes no other pairs; None with `mask`
                where both are None, plain causal order does
    patterns    masks by layer instead, of a decoder whose layers aren't all plain causal; None for others
    apart       what is read instead of these lines, of a decoder with recurrent layers; None for others
    images      images in order of appearance over the rows
    at          (M,) index into (B·T) of the position that predicts each response token
    targets     (M,) the response tokens, row by row, response by response
    response    (M,) number of the response that each token belongs to, counted over the whole batch
    written     (W,) index into (M,) of the tokens that the policy wrote; None where it wrote all
    """

    token_ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor | None
    blocks: ResponseBlocks | FlexBlocks | None
    images: tuple[EncodedImage, ...]
    at: torch.Tensor
    targets: torch.Tensor
    response: torch.Tensor
    written: torch.Tensor | None = None
    patterns: PatternMasks | None = None
    apart: Apart | None = None


def pack(
    examples: Sequence[Example],
    rule: PositionRule,
    pad_id: int,
    device: torch.device,
    flex: bool = False,
    packed: bool = False,
) -> Batch:
    """One batch: a packed row of each example.

    rule    positions as the model counts them, and what its layers see
    flex    long rows get the blocks of FlexAttention
    packed  the rows stand one behind another in a single line, without padding

    A row with one response needs no mask: causal order alone keeps it right. From BLOCKS_FROM tokens on there is no
    dense mask, but blocks.
    """
    lengths = [example.num_tokens for example in examples]
    lines, width = (1, sum(lengths)) if packed else (len(examples), max(lengths))
    ids = torch.full((lines, width), pad_id, dtype=torch.long)
    # padding counts on: where positions begin again transformers sees another sequence, and makes a mask of all pairs
    positions = torch.arange(width).repeat(rule.rows, lines, 1)
    part = torch.full((lines, width), -1, dtype=torch.int32)  # 0 prompt, j response j, −1 padding
    owner = torch.zeros(lines, width, dtype=torch.int32)  # which row of the line
    numbers = torch.zeros(lines, width, dtype=torch.long)
    image = torch.full((lines, width), -1, dtype=torch.long)
    images = 0
    at, targets, response = [], [], []
    placed = []
    begin = responses = 0
    for number, example in enumerate(examples):
        line = 0 if packed else number
        prompt_positions = rule.prompt(example.encoded)
        following = rule.after(prompt_positions)
        written = [token for tokens in example.responses for token in tokens]
        ids[line, begin : begin + example.num_tokens] = torch.tensor([*example.encoded.token_ids, *written])
        owner[line, begin : begin + example.num_tokens] = number
        start = begin + example.encoded.num_tokens
        positions[:, line, begin:start] = prompt_positions
        part[line, begin:start] = 0
        numbers[line, begin:start] = torch.arange(start - begin)
        of_images, images = image_numbers(example.encoded.token_types, images)
        image[line, begin:start] = torch.tensor(of_images)
        base = line * width  # of the line in (B·T)
        last_of_prompt = base + start - 1  # predicts the first token of every response
        for j, tokens in enumerate(example.responses, 1):
            stop = start + len(tokens)
            seen = None if example.observations is None else example.observations[j - 1]
            if seen is None or not seen.images:
                positions[:, line, start:stop] = torch.arange(following, following + len(tokens))
            else:
                behind = rule.behind(example.encoded, tokens, seen.token_types, seen.images)
                positions[:, line, start:stop] = behind
            part[line, start:stop] = j
            numbers[line, start:stop] = example.encoded.num_tokens + torch.arange(len(tokens))
            if seen is not None and seen.images:
                of_images, images = image_numbers(seen.token_types, images)
                image[line, start:stop] = torch.tensor(of_images)
            at.append(torch.tensor([last_of_prompt]))
            at.append(torch.arange(base + start, base + stop - 1))
            response.append(torch.full((len(tokens),), responses, dtype=torch.long))
            responses += 1
            start = stop
        targets.append(torch.tensor(written, dtype=torch.long))
        placed.append(PackedRow(base + begin, example.encoded.num_tokens, tuple(map(len, example.responses))))
        begin = start if packed else 0
    mask, blocks, patterns = None, None, None
    apart = Apart(tuple(examples), rule) if rule.recurrent else None
    if apart is not None:
        pass  # transformers' own masks are right for a prompt, and for what comes behind it
    elif rule.patterns:
        patterns = pattern_masks(rule.patterns, Places(part, owner, numbers, image).to(device))
    elif any(len(example.responses) > 1 for example in examples) or (packed and len(examples) > 1):
        mask, blocks = _visibility(part, owner, placed, device, flex, packed)
    return Batch(
        token_ids=ids.to(device),
        positions=(positions if rule.rows > 1 else positions[0]).to(device),
        mask=mask,
        blocks=blocks,
        images=tuple(image for example in examples for image in example.images),
        at=_joined(at).to(device),
        targets=_joined(targets).to(device),
        response=_joined(response).to(device),
        written=_written(examples, device),
        patterns=patterns,
        apart=apart,
    )


def _written(examples: Sequence[Example], device: torch.device) -> torch.Tensor | None:
    """(W,) index into the response tokens of those that the policy wrote; None where it wrote all."""
    if all(example.written is None for example in examples):
        return None
    by_response = [
        chosen
        for example in examples
        for chosen in example.written or tuple((True,) * len(response) for response in example.responses)
    ]
    flat = torch.tensor([wrote for chosen in by_response for wrote in chosen])
    return flat.nonzero()[:, 0].to(device)


def _joined(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """One behind another; none where prompts alone are read."""
    return torch.cat(list(parts)) if parts else torch.empty(0, dtype=torch.long)


def _visibility(
    part: torch.Tensor, owner: torch.Tensor, placed: Sequence[PackedRow], device: torch.device, flex: bool, packed: bool
) -> tuple[torch.Tensor | None, ResponseBlocks | FlexBlocks | None]:
    """Which keys each query may see: a dense mask for short lines, blocks for long ones; (B, T) parts and rows."""
    if part.shape[1] < BLOCKS_FROM:
        return block_mask(part.to(device), owner.to(device)), None
    return None, flex_blocks(part, owner, device) if flex else response_blocks(placed, device, packed)


def block_mask(part: torch.Tensor, owner: torch.Tensor) -> torch.Tensor:
    """(B, T) parts and rows → (B, 1, T, T) bool, True where a query sees a key: an earlier token of its own row, which
    belongs to the prompt or to the query's own response.

    Padding sees itself only, so that no softmax is empty.
    """
    width = part.shape[1]
    query, key = part[:, :, None], part[:, None, :]
    causal = torch.ones(width, width, dtype=torch.bool, device=part.device).tril()
    allowed = causal & (query >= 0) & ((key == 0) | (key == query)) & (owner[:, None, :] == owner[:, :, None])
    allowed |= torch.eye(width, dtype=torch.bool, device=part.device)
    return allowed[:, None]

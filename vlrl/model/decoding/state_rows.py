"""Responses of a decoder with recurrent layers, behind their prompts that are read once (decoding/prompt_state.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch

from vlrl.model.batch.example import Example
from vlrl.model.decoding.prompt_state import read_behind, read_prompts
from vlrl.model.families.image_types import ImageFeatures
from vlrl.model.prompts.positions import PositionRule
from vlrl.model.vision.image_encoding import VisionTower

PADDING = 512  # tokens that take about as long as the two passes that are saved


class Reading(NamedTuple):
    """Examples that are read together: one pass over their prompts, and one over all of their responses.

    examples  numbers of examples whose prompts have equally many tokens
    width     tokens of each line of the second pass; 0: there is none
    """

    examples: tuple[int, ...]
    width: int


def readings(examples: Sequence[Example]) -> list[Reading]:
    """How examples are read: those with equally long prompts together, where that takes little padding."""
    by_length: dict[int, list[int]] = {}
    for number, example in enumerate(examples):
        by_length.setdefault(example.encoded.num_tokens, []).append(number)
    found = []
    for alike in by_length.values():
        alike.sort(key=lambda number: _width(examples[number]))
        some, alone = [alike[0]], _cells(examples, alike[:1])
        for number in alike[1:]:
            alone += _cells(examples, [number])
            if _cells(examples, [*some, number]) - alone > PADDING:
                found.append(_reading(examples, some))
                some, alone = [], _cells(examples, [number])
            some.append(number)
        found.append(_reading(examples, some))
    return found


def _reading(examples: Sequence[Example], numbers: Sequence[int]) -> Reading:
    return Reading(tuple(numbers), max(_width(examples[number]) for number in numbers))


def _cells(examples: Sequence[Example], numbers: Sequence[int]) -> int:
    """Tokens, padding included, of one pass over the responses of these."""
    rows = sum(len(examples[number].responses) for number in numbers)
    return rows * max(_width(examples[number]) for number in numbers)


def _width(example: Example) -> int:
    """Tokens of each line of the pass behind a prompt; 0: there is no such pass.

    The last token of a response predicts nothing. A pass of one token would go another way, which writes into states.
    """
    longest = max(map(len, example.responses))
    return 0 if longest == 1 else max(2, longest - 1)


def state_hidden(
    model: Any,
    tower: VisionTower,
    examples: Sequence[Example],
    rule: PositionRule,
    features: Mapping[str, ImageFeatures],
) -> torch.Tensor:
    """(M, d) last hidden states that predict the response tokens, example by example, response by response."""
    found: dict[int, torch.Tensor] = {}
    for reading in readings(examples):
        together = [examples[number] for number in reading.examples]
        hidden = _read(model, tower, together, reading.width, rule, features)
        found |= dict(zip(reading.examples, hidden, strict=True))
    return torch.cat([found[number] for number in range(len(examples))])


def _read(
    model: Any,
    tower: VisionTower,
    examples: Sequence[Example],
    width: int,
    rule: PositionRule,
    features: Mapping[str, ImageFeatures],
) -> list[torch.Tensor]:
    """Of each example, (tokens of its responses, d)."""
    images = [features[image.digest] for example in examples for image in example.encoded.images]
    with tower.given(images) as image_inputs:
        state, of_prompts = read_prompts(model, [example.encoded for example in examples], rule, image_inputs)
    prompt_of = [n for n, example in enumerate(examples) for _ in example.responses]
    responses = [tokens for example in examples for tokens in example.responses]
    behind: Sequence[torch.Tensor] = [of_prompts[0, :0]] * len(responses)
    if width:
        ids = torch.zeros(len(responses), width, dtype=torch.long)
        positions = torch.zeros(rule.rows, *ids.shape, dtype=torch.long)
        places = [behind_prompt(rule, example, i) for example in examples for i in range(len(example.responses))]
        for number, (tokens, place) in enumerate(zip(responses, places, strict=True)):
            ids[number, : len(tokens) - 1] = torch.tensor(tokens[:-1], dtype=torch.long)
            positions[:, number, : len(tokens) - 1] = place[:, :-1]
        rows = torch.tensor(prompt_of, device=model.device)
        seen = [one for example in examples for one in example.observations or () if one is not None]
        with tower.given([features[image.digest] for one in seen for image in one.images]) as image_inputs:
            at = positions.to(model.device)
            behind = list(read_behind(model, ids.to(model.device), at, rule, state.take(rows), image_inputs))
    found: list[list[torch.Tensor]] = [[] for _ in examples]
    for n, tokens, hidden in zip(prompt_of, responses, behind, strict=True):
        found[n] += [of_prompts[n, -1:], hidden[: len(tokens) - 1]]
    return [torch.cat(parts) for parts in found]


def behind_prompt(rule: PositionRule, example: Example, number: int) -> torch.Tensor:
    """(R, T) positions of response `number`, images in it included. On the CPU."""
    seen = None if example.observations is None else example.observations[number]
    types, images = ((), ()) if seen is None else (seen.token_types, seen.images)
    return rule.behind(example.encoded, example.responses[number], types, images)

"""Responses of a decoder with recurrent layers, behind their prompt that is read once (decoding/prompt_state.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from vlrl.model.batch.example import Example
from vlrl.model.decoding.prompt_state import read_behind, read_prompt
from vlrl.model.families.image_types import ImageFeatures
from vlrl.model.prompts.positions import PositionRule
from vlrl.model.vision.image_encoding import VisionTower


def state_hidden(
    model: Any,
    tower: VisionTower,
    examples: Sequence[Example],
    rule: PositionRule,
    features: Mapping[str, ImageFeatures],
) -> torch.Tensor:
    """(M, d) last hidden states that predict the response tokens, example by example, response by response.

    Two passes an example: its prompt, and all of its responses below each other.
    """
    found = []
    for example in examples:
        with tower.given([features[image.digest] for image in example.encoded.images]) as image_inputs:
            state, of_prompt = read_prompt(model, example.encoded, rule, image_inputs)
        last = of_prompt[0, -1:]
        count, width = len(example.responses), width_behind(example)
        if not width:
            found += [last] * count
            continue
        ids = torch.zeros(count, width, dtype=torch.long)
        positions = torch.zeros(rule.rows, *ids.shape, dtype=torch.long)
        for number, tokens in enumerate(example.responses):
            ids[number, : len(tokens) - 1] = torch.tensor(tokens[:-1], dtype=torch.long)
            positions[:, number, : len(tokens) - 1] = behind_prompt(rule, example, number)[:, :-1]
        rows = torch.zeros(count, dtype=torch.long, device=model.device)
        images = [image for one in example.observations or () if one is not None for image in one.images]
        with tower.given([features[image.digest] for image in images]) as image_inputs:
            places = positions.to(model.device)
            hidden = read_behind(model, ids.to(model.device), places, rule, state.take(rows), image_inputs)
        for number, tokens in enumerate(example.responses):
            found += [last, hidden[number, : len(tokens) - 1]]
    return torch.cat(found)


def width_behind(example: Example) -> int:
    """Tokens of each line of the pass behind a prompt; 0: there is no such pass.

    The last token of a response predicts nothing. A pass of one token would go another way, which writes into states.
    """
    longest = max(map(len, example.responses))
    return 0 if longest == 1 else max(2, longest - 1)


def behind_prompt(rule: PositionRule, example: Example, number: int) -> torch.Tensor:
    """(R, T) positions of response `number`, images in it included. On the CPU."""
    seen = None if example.observations is None else example.observations[number]
    types, images = ((), ()) if seen is None else (seen.token_types, seen.images)
    return rule.behind(example.encoded, example.responses[number], types, images)

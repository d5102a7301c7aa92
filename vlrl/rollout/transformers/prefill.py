"""Reading: prompts, and what was written after them, become keys and values. Every prompt and image is read once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from transformers import DynamicCache

from vlrl.model.attention.prompt_attention import attention_inputs, takes_flex
from vlrl.model.batch.example import Example, read_rollouts
from vlrl.model.batch.packing import pack
from vlrl.model.decoding.prefill_last_token import cache_argument, last_token_only
from vlrl.model.decoding.state_rows import behind_prompt
from vlrl.model.families.image_types import ImageFeatures
from vlrl.model.load import LoadedModel
from vlrl.model.prompts.encode import Encoded
from vlrl.model.prompts.positions import PositionRule
from vlrl.model.vision.image_encoding import VisionTower
from vlrl.types import Rollout


@dataclass(frozen=True)
class ReadResponse:
    """A resumed response of T tokens that was read behind its prompt.

    keys, values  per layer (G, T, D)
    hidden        (d,) the decoder's output at its last token
    following     the position after it
    """

    keys: list[torch.Tensor]
    values: list[torch.Tensor]
    hidden: torch.Tensor
    following: int


@dataclass
class ReadPrompts:
    """P prompts that were read, padded to L tokens, with their resumed responses.

    keys, values            per layer (P, G, L, D)
    lengths, following      (P,) tokens of each prompt, and the position after it
    hidden                  (P, d) the decoder's output at each prompt's last token
    responses               those that were read behind their prompt, by prompt
    """

    keys: list[torch.Tensor]
    values: list[torch.Tensor]
    lengths: torch.Tensor
    following: torch.Tensor
    hidden: torch.Tensor
    responses: list[list[ReadResponse]]


class Prefill:
    """Forward passes of one model over the prompts of a call; `tower` counts the images that it encoded.

    known  whether the decoder is one of supported_decoders.py: bare prompts then pass through its last layer in part
    """

    def __init__(self, loaded: LoadedModel, tower: VisionTower, rule: PositionRule, known: bool) -> None:
        self._known = known
        self._seen: dict[str, ImageFeatures] = {}  # an image of several prompts is encoded once
        self._model = loaded.model
        self._device = loaded.device
        self._tower = tower
        self._rule = rule
        self._pad = loaded.tokenizer.pad_token_id or 0

    def read(self, prompts: Sequence[Encoded], written: Sequence[Sequence[Rollout]]) -> ReadPrompts:
        """Read prompts in one forward pass, either all of them bare or each with one or more resumed responses.

        written  these responses as far as they go, by prompt
        """
        rows = [read_rollouts(prompt, responses) for prompt, responses in zip(prompts, written, strict=True)]
        images = [image for row in rows for image in row.images]
        self._seen.update(self._tower.encode_images(image for image in images if image.digest not in self._seen))
        features = [self._seen[image.digest] for image in images]
        lengths = [prompt.num_tokens for prompt in prompts]
        more: dict[str, Any] = {}
        if any(written) or self._rule.patterns:
            batch = pack(rows, self._rule, self._pad, self._device, takes_flex(self._model))
            ids, positions = batch.token_ids, batch.positions
            more = attention_inputs(self._model, batch)
        else:
            ids, positions = self._bare(prompts)
        cache: Any = DynamicCache()
        at = torch.tensor(lengths, device=self._device)
        # features are added to the outputs of this many first layers
        levels = max((len(of_image.levels) for of_image in features), default=0)
        brief = self._known and not any(written) and levels < len(self._model.get_decoder().layers)
        last = last_token_only(self._model, at) if brief else nullcontext()
        with self._tower.given(features) as image_inputs, last:
            more[cache_argument(self._model.model)] = cache
            hidden = self._model.model(
                input_ids=ids, position_ids=positions, use_cache=True, **image_inputs, **more
            ).last_hidden_state
        width = max(lengths)
        read = ReadPrompts(
            keys=[layer.keys[:, :, :width].contiguous() for layer in cache.layers],
            values=[layer.values[:, :, :width].contiguous() for layer in cache.layers],
            lengths=at,
            following=torch.tensor([self._rule.after(self._rule.prompt(p)) for p in prompts], device=self._device),
            hidden=hidden[:, 0] if brief else hidden[torch.arange(len(prompts), device=self._device), at - 1],
            responses=[],
        )
        for p, row in enumerate(rows):
            stops = [lengths[p]]
            for tokens in row.responses:
                stops.append(stops[-1] + len(tokens))
            read.responses.append(
                [
                    ReadResponse(  # copies: a view would keep the whole pass for as long as the response waits
                        [layer.keys[p, :, a:b].clone() for layer in cache.layers],
                        [layer.values[p, :, a:b].clone() for layer in cache.layers],
                        hidden[p, b - 1].clone(),
                        self._following(row, j),
                    )
                    for j, (a, b) in enumerate(pairwise(stops))
                ]
            )
        return read

    def _following(self, row: Example, j: int) -> int:
        """The position after response `j`."""
        return self._rule.after(behind_prompt(self._rule, row, j))

    def _bare(self, prompts: Sequence[Encoded]) -> tuple[torch.Tensor, torch.Tensor]:
        """(P, L) token ids, right-padded, and positions (R, P, L) or (P, L)."""
        width = max(prompt.num_tokens for prompt in prompts)
        ids = torch.full((len(prompts), width), self._pad, dtype=torch.long)
        positions = torch.zeros(self._rule.rows, len(prompts), width, dtype=torch.long)
        for p, prompt in enumerate(prompts):
            ids[p, : prompt.num_tokens] = torch.tensor(prompt.token_ids)
            positions[:, p, : prompt.num_tokens] = self._rule.prompt(prompt)
        return ids.to(self._device), (positions if self._rule.rows > 1 else positions[0]).to(self._device)

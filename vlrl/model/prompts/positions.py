"""Position ids of a prompt by its family's rule: one row for plain rotary positions, three for mrope."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from vlrl.model.families.attention_patterns import key_sources, patterns_of
from vlrl.model.families.decoder_reading import has_state
from vlrl.model.families.family import family_of
from vlrl.model.prompts.encode import Encoded, EncodedImage


class PositionRule:
    """Positions of prompts and of what follows them. Equal layouts (text lengths, grids) are computed once.

    patterns   what each layer's queries may see; empty where all are plain causal
    sources    the layer whose keys and values each layer reads; empty where each has its own
    recurrent  whether some layers hand a state from token to token, so that no responses share a row with their prompt
    """

    def __init__(self, model: Any) -> None:
        self._core, self._family = model.model, family_of(model.config)
        self.rows = self._family.rows_of_positions(model.model)
        self.patterns = patterns_of(model.config)
        self.sources = key_sources(model.config)
        self.recurrent = has_state(model.config)
        self._known: dict[tuple[Any, ...], torch.Tensor] = {}

    def prompt(self, encoded: Encoded) -> torch.Tensor:
        """(R, T) positions of the prompt's tokens; R is 3 for mrope, else 1. On the CPU."""
        layout = (encoded.token_types, tuple(image.grid for image in encoded.images))
        held = self._known.get(layout)
        if held is None:
            if len(self._known) > 4096:
                self._known.clear()
            held = self._known[layout] = self._family.positions(self._core, encoded)
        return held

    def behind(
        self, encoded: Encoded, token_ids: Sequence[int], token_types: Sequence[int], images: Sequence[EncodedImage]
    ) -> torch.Tensor:
        """(R, T) positions of T tokens behind a prompt, by the family's rule over the whole where images are among
        them: an image takes other positions than as many words. On the CPU.
        """
        prompt = self.prompt(encoded)
        if images:
            return self.prompt(encoded.followed_by(token_ids, token_types, images))[:, prompt.shape[1] :]
        following = self.after(prompt)
        return torch.arange(following, following + len(token_ids)).expand(self.rows, -1)

    def after(self, prompt: torch.Tensor) -> int:
        """The position of the first response token: one after the largest of the prompt, in every row."""
        return int(prompt.max()) + 1

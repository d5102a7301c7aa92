"""Position ids of a prompt by its family's rule: one row for plain rotary positions, three for mrope."""

from __future__ import annotations

from typing import Any

import torch

from vlrl.model.families.family import family_of
from vlrl.model.prompts.encode import Encoded


class PositionRule:
    """Positions of prompts and of what follows them. Equal layouts (text lengths, grids) are computed once."""

    def __init__(self, model: Any) -> None:
        self._core, self._family = model.model, family_of(model.config)
        self.rows = self._family.position_rows
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

    def after(self, prompt: torch.Tensor) -> int:
        """The position of the first response token: one after the largest of the prompt, in every row."""
        return int(prompt.max()) + 1

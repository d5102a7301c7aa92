"""Position ids of a prompt by the model's own rule: one row for plain rotary positions, three for mrope."""

from __future__ import annotations

from typing import Any

import torch

from vlrl.model.prompts.encode import Encoded


class PositionRule:
    """Positions of prompts and of what follows them. Equal layouts (text lengths, grids) are computed once."""

    def __init__(self, model: Any) -> None:
        self._core = model.model
        self.rows = 3 if hasattr(self._core, "get_rope_index") else 1
        self._known: dict[tuple[Any, ...], torch.Tensor] = {}

    def prompt(self, encoded: Encoded) -> torch.Tensor:
        """(R, T) positions of the prompt's tokens; R is 3 for mrope, else 1. On the CPU."""
        if self.rows == 1:
            return torch.arange(encoded.num_tokens)[None]
        layout = (encoded.token_types, tuple(image.grid for image in encoded.images))
        held = self._known.get(layout)
        if held is None:
            if len(self._known) > 4096:
                self._known.clear()
            grids = torch.tensor([image.grid for image in encoded.images]) if encoded.images else None
            positions, _ = self._core.get_rope_index(
                torch.tensor([encoded.token_ids]),
                mm_token_type_ids=torch.tensor([encoded.token_types], dtype=torch.int),
                image_grid_thw=grids,
            )
            held = self._known[layout] = positions[:, 0]
        return held

    def after(self, prompt: torch.Tensor) -> int:
        """The position of the first response token: one after the largest of the prompt, in every row."""
        return int(prompt.max()) + 1

"""Images as families read them: pixels for the tower, and what the tower says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch


@dataclass(frozen=True)
class Pixels:
    """One image as the vision tower reads it.

    values  float32: patches (n, d), or tiles (m, 3, height, width) in pixels
    grid    (time or tiles, height, width) in patches; its product is the number of patches
    mask    (m, height, width) bool, True where a tile has pixels; None where it has them everywhere
    inputs  what the tower takes besides, by name (generic family); what of them concerns this image alone
    """

    values: torch.Tensor
    grid: tuple[int, int, int]
    mask: torch.Tensor | None = None
    inputs: Mapping[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageFeatures:
    """What the tower says of one image: `merged` (n, d) or (tiles, n, d); for deepstack models one (n, d) a level.

    listed  whether the model's own `get_image_features` gives a list by image, not one tensor of all
    """

    merged: torch.Tensor
    levels: tuple[torch.Tensor, ...] = ()
    listed: bool = False

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """Everything that carries gradients."""
        return self.merged, *self.levels

    def of(self, tensors: Sequence[torch.Tensor]) -> ImageFeatures:
        """The same features made of other `tensors` (as `tensors` lists them)."""
        return replace(self, merged=tensors[0], levels=tuple(tensors[1:]))

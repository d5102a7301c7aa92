"""Images as families read them: pixels for the tower, and what the tower says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Pixels:
    """One image as the vision tower reads it.

    values  float32: patches (n, d), or tiles (m, 3, height, width) in pixels
    grid    (time or tiles, height, width) in patches; its product is the number of patches
    mask    (m, height, width) bool, True where a tile has pixels; None where it has them everywhere
    """

    values: torch.Tensor
    grid: tuple[int, int, int]
    mask: torch.Tensor | None = None


@dataclass(frozen=True)
class ImageFeatures:
    """What the tower says of one image: `merged` (n, d) or (tiles, n, d); for deepstack models one (n, d) a level."""

    merged: torch.Tensor
    levels: tuple[torch.Tensor, ...] = ()

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """Everything that carries gradients."""
        return self.merged, *self.levels

    def of(self, tensors: Sequence[torch.Tensor]) -> ImageFeatures:
        """The same features made of other `tensors` (as `tensors` lists them)."""
        return ImageFeatures(tensors[0], tuple(tensors[1:]))

"""The first layer of Qwen's vision towers as the matrix product that it is.

transformers writes it as a Conv3d over inputs of exactly one kernel each. PyTorch's convolutions are made for other
shapes: on the CPU this one takes several times as long as the product of the same numbers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import linear


class PatchProduct(torch.nn.Conv3d):
    """A Conv3d for inputs of one kernel each, (N, C, T, H, W) → (N, D, 1, 1, 1). Its weights keep name and shape."""

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """As Conv3d; inputs that aren't one kernel each go its way."""
        if patches.shape[2:] != self.weight.shape[2:]:
            return super().forward(patches)
        return linear(patches.flatten(1), self.weight.flatten(1), self.bias)[:, :, None, None, None]


def set_patch_products(model: Any) -> None:
    """Let the model's convolutions that step by their own kernel multiply instead."""
    for module in model.modules():
        if type(module) is torch.nn.Conv3d and module.stride == module.kernel_size and not any(module.padding):
            module.__class__ = PatchProduct

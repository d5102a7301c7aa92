"""Matrix products of few rows on the CPU, with weights in the order in which oneDNN reads them.

While responses are written, a layer multiplies a few rows with all of its weights; what counts is how the weights are
read. A weight in oneDNN's blocked order is read in one stream. The copy holds as much memory as the decoder's weights
and lasts for one rollout, in which nothing needs gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

LEAST_WEIGHTS = 2**17  # of a layer; below, the weights stay in the core's cache and a call's own time is most of it
FEW_ROWS = 32  # what the order is chosen for; any other number of rows works


def packed_layers(model: Any) -> list[torch.nn.Linear]:
    """The decoder's linear layers that gain by it: float32 on the CPU, at least LEAST_WEIGHTS weights."""
    if not torch.backends.mkldnn.is_available():
        return []
    return [
        layer
        for layer in model.get_decoder().modules()
        if type(layer) is torch.nn.Linear
        and layer.weight.device.type == "cpu"
        and layer.weight.dtype == torch.float32
        and layer.weight.numel() >= LEAST_WEIGHTS
    ]


@contextmanager
def packed_products(model: Any) -> Iterator[None]:
    """Let those layers multiply by copies of their present weights, which later changes of the weights don't reach.

    Products are those of the layer itself but for rounding. Needs inference mode.
    """
    layers = packed_layers(model)
    for layer in layers:
        packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight, FEW_ROWS)
        layer.forward = partial(_product, packed, layer.bias)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _product(packed: torch.Tensor, bias: torch.Tensor | None, rows: torch.Tensor) -> torch.Tensor:
    """(…, in) → (…, out)."""
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, packed, bias, "none", [], "")
    return found

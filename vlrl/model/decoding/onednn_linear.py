"""Matrix products of few rows on the CPU, with weights in the order in which oneDNN reads them.

While responses are written, a layer multiplies a few rows with all of its weights; what counts is how the weights are
read. A weight in oneDNN's blocked order is read in one stream; prompts gain by it, too. The copies hold as much memory
as the weights of decoder and head and last for one rollout, in which nothing needs gradients.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch.distributed.tensor import DTensor

LEAST_WEIGHTS = 2**17  # of a layer; below, the weights stay in the core's cache and a call's own time is most of it
FEW_ROWS = 32  # what the order is chosen for; any other number of rows works


def packed_layers(model: Any) -> list[torch.nn.Linear]:
    """The linear layers of decoder and head that gain by it: float32 on the CPU, at least LEAST_WEIGHTS weights."""
    layers = [*model.get_decoder().modules(), model.lm_head]
    return [layer for layer in layers if type(layer) is torch.nn.Linear and gains(layer.weight)]


def gains(weight: torch.Tensor) -> bool:
    """Whether products with this weight are faster in oneDNN's order."""
    on_cpu = weight.device.type == "cpu" and torch.backends.mkldnn.is_available()
    whole = on_cpu and not isinstance(weight, DTensor)
    return whole and weight.dtype == torch.float32 and weight.numel() >= LEAST_WEIGHTS


@contextmanager
def packed_products(layers: Iterable[torch.nn.Linear]) -> Iterator[dict[torch.nn.Linear, torch.Tensor]]:
    """Let these layers multiply by copies of their present weights, which later changes of the weights don't reach.

    Products are those of the layer itself but for rounding. Needs inference mode. Yields the copies.
    """
    packed = {layer: in_order(layer.weight) for layer in layers}
    try:
        for layer, weight in packed.items():
            layer.forward = partial(product, weight, layer.bias)  # type: ignore[method-assign]
        yield packed
    finally:
        for layer in packed:
            vars(layer).pop("forward", None)


def in_order(weight: torch.Tensor) -> torch.Tensor:
    """A copy of a weight in oneDNN's order."""
    copied: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, FEW_ROWS)
    return copied


def product(weight: torch.Tensor, bias: torch.Tensor | None, rows: torch.Tensor, then: str = "none") -> torch.Tensor:
    """(…, in) → (…, out) by a weight of `in_order`; `then` is oneDNN's name of a function of each number."""
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise.default(rows, weight, bias, then, [], "")
    return found

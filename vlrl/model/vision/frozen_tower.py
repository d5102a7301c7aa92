"""A frozen tower below a projector that trains: what the tower gave is kept, and only what comes after it runs again.

Projectors are called in the midst of a model's own `get_image_features`: behind the last layer, behind some layers
(deepstack), in the order of windows. So that function is what runs again, with the tower's layers passed over and the
projector reading what it read when they ran; whatever else is done with images is done as ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import transformers

from vlrl.model.families.image_types import ImageFeatures
from vlrl.model.optimization.parameter_groups import part_of, trained_parts


def frozen_below_projector(model: Any) -> bool:
    """Whether images' features change with the projector alone."""
    trained = trained_parts(model)
    return "projector" in trained and "vision" not in trained


@contextmanager
def written_down(core: Any, patches: Sequence[int]) -> Iterator[list[ImageFeatures]]:
    """What the projector reads in the tower's call within the block, by image of this many patches."""
    found: list[ImageFeatures] = []
    read: dict[int, list[torch.Tensor]] = {}
    modules = _projector(core)
    with ExitStack() as hooks:
        for i, module in enumerate(modules):
            hook = module.register_forward_pre_hook(lambda _, given, i=i: read.setdefault(i, []).append(given[0]))
            hooks.callback(hook.remove)
        yield found
    inputs = [torch.cat(read[i]) for i in range(len(modules))]
    by_image = zip(*(torch.split(one, _rows(len(one), patches)) for one in inputs), strict=True)
    found += [ImageFeatures(first, tuple(more)) for first, *more in by_image]


@contextmanager
def read_again(core: Any, given: Sequence[ImageFeatures]) -> Iterator[None]:
    """A call of the tower on the same images within the block passes its layers over and projects what was `given`."""
    inputs = [torch.cat(one) for one in zip(*(some.tensors for some in given), strict=True)]
    layers = _layers(core)
    with ExitStack() as undo:
        for module, one in zip(_projector(core), inputs, strict=True):
            hook = module.register_forward_pre_hook(lambda _, given, one=one: (one,))
            undo.callback(hook.remove)
        for layer in layers:
            layer.forward = _pass_over
            undo.callback(delattr, layer, "forward")
        yield


def _pass_over(hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    return hidden_states


def _rows(total: int, patches: Sequence[int]) -> list[int]:
    return [total * n // sum(patches) for n in patches]


def _layers(core: Any) -> list[Any]:
    return [
        module
        for name, module in core.named_modules()
        if isinstance(module, transformers.modeling_layers.GradientCheckpointingLayer)
        and part_of(f"model.{name}") == "vision"
    ]


def _projector(core: Any) -> list[Any]:
    """The outermost modules of the projector that are called."""
    found: dict[str, Any] = {}
    for name, module in core.named_modules():
        outer = any(name.startswith(f"{above}.") for above in found)
        if part_of(f"model.{name}") == "projector" and not outer and not isinstance(module, torch.nn.ModuleList):
            found[name] = module
    return list(found.values())

"""Features of images that outlive one pass: computed once while the weights that make them stay the same."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from typing import Any

import torch

from vlrl.model.families.image_types import ImageFeatures
from vlrl.model.optimization.parameter_groups import Part, part_of


class FeatureStore:
    """Features of images as long as the weights that made them stay, up to a number of bytes; the oldest go first.

    They are what the projector gives, or (`below`) what a frozen tower gives a projector that trains. One store belongs
    to one model and serves everything that runs it. Weights that change in place are noticed by their version counters;
    the one that changes them behind torch's back says so by `learned` or `clear`.
    """

    def __init__(self, model: Any, max_bytes: int) -> None:
        named = list(model.named_parameters()) if model is not None else []
        self._tower = [p for name, p in named if part_of(name) == "vision"]
        self._projector = [p for name, p in named if part_of(name) == "projector"]
        self._max_bytes = max_bytes
        self._held: OrderedDict[tuple[str, bool], ImageFeatures] = OrderedDict()
        self._bytes = 0
        self._versions: tuple[list[int], list[int]] = ([], [])

    def get(self, digest: str, below: bool = False) -> ImageFeatures | None:
        """Features without gradient, or None. They can be saved for a backward pass wherever they were made."""
        self._check()
        found = self._held.get((digest, below))
        if found is None:
            return None
        self._held.move_to_end((digest, below))
        if found.merged.is_inference() and not torch.is_inference_mode_enabled():
            found = self._held[digest, below] = found.of([one.clone() for one in found.tensors])
        return found

    def put(self, digest: str, features: ImageFeatures, below: bool = False) -> None:
        """Keep features that need no gradient; without room for them this does nothing."""
        self._check()
        size = _bytes(features)
        if size > self._max_bytes or (digest, below) in self._held or features.merged.requires_grad:
            return
        # an image's slice would keep the features of all images of its call alive
        self._held[digest, below] = features.of([one.clone() for one in features.tensors])
        self._bytes += size
        while self._bytes > self._max_bytes:
            _, dropped = self._held.popitem(last=False)
            self._bytes -= _bytes(dropped)

    def learned(self, parts: Collection[Part]) -> None:
        """Forget what depends on the weights of these parts: they are others now, or are about to be."""
        if "vision" in parts:
            self.clear()
        elif "projector" in parts:
            for key in [key for key in self._held if not key[1]]:
                self._bytes -= _bytes(self._held.pop(key))

    def clear(self) -> None:
        """Forget everything."""
        self._held.clear()
        self._bytes = 0

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint: digests, which kind, and tensors, the oldest first."""
        return {"held": [(*key, [one.cpu() for one in found.tensors]) for key, found in self._held.items()]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`; the weights that made them are in the model by now."""
        self.clear()
        self._versions = [p._version for p in self._tower], [p._version for p in self._projector]
        device = next((p.device for p in self._projector), torch.device("cpu"))
        for digest, below, tensors in state["held"]:
            first, *more = (one.to(device) for one in tensors)
            self.put(digest, ImageFeatures(first, tuple(more)), below)

    def _check(self) -> None:
        tower, projector = [p._version for p in self._tower], [p._version for p in self._projector]
        changed: list[Part] = ["vision"] if tower != self._versions[0] else []
        changed += ["projector"] if projector != self._versions[1] else []
        if changed:
            self.learned(changed)
            self._versions = tower, projector


def _bytes(features: ImageFeatures) -> int:
    return sum(one.numel() * one.element_size() for one in features.tensors)

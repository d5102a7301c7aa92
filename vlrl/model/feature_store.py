"""Features of pictures that outlive one pass: computed once while the tower's weights stay the same."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch

from vlrl.model.families import PictureFeatures
from vlrl.model.parts import part_of


class FeatureStore:
    """Features of pictures as long as the tower's weights stay the same, up to a number of bytes; the oldest go first.

    One store belongs to one model and serves everything that runs it. Weights that change in place are noticed by their
    version counters; whoever changes them behind torch's back calls `clear`.
    """

    def __init__(self, model: Any, max_bytes: int) -> None:
        named = model.named_parameters() if model is not None else ()
        self._weights = [p for name, p in named if part_of(name) != "language"]
        self._max_bytes = max_bytes
        self._held: OrderedDict[str, PictureFeatures] = OrderedDict()
        self._bytes = 0
        self._version: tuple[int, ...] = ()

    def get(self, digest: str) -> PictureFeatures | None:
        """Features without gradient, or None. They can be saved for a backward pass wherever they were made."""
        self._check()
        found = self._held.get(digest)
        if found is None:
            return None
        self._held.move_to_end(digest)
        if found.merged.is_inference() and not torch.is_inference_mode_enabled():
            found = self._held[digest] = found.of([one.clone() for one in found.tensors])
        return found

    def put(self, digest: str, features: PictureFeatures) -> None:
        """Keep features that need no gradient; without room for them this does nothing."""
        self._check()
        size = _bytes(features)
        if size > self._max_bytes or digest in self._held or features.merged.requires_grad:
            return
        # a picture's slice would keep the features of all pictures of its call alive
        self._held[digest] = features.of([one.clone() for one in features.tensors])
        self._bytes += size
        while self._bytes > self._max_bytes:
            _, dropped = self._held.popitem(last=False)
            self._bytes -= _bytes(dropped)

    def clear(self) -> None:
        """Forget everything: the tower's weights are others now."""
        self._held.clear()
        self._bytes = 0

    def _check(self) -> None:
        version = tuple(p._version for p in self._weights)
        if version != self._version:
            self.clear()
            self._version = version


def _bytes(features: PictureFeatures) -> int:
    return sum(one.numel() * one.element_size() for one in features.tensors)

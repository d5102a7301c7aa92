"""Look once: the vision tower runs once per unique picture, and its features go into any number of forward passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from vlrl.model.encode import EncodedImage
from vlrl.model.families import PictureFeatures, family_of
from vlrl.model.feature_store import FeatureStore
from vlrl.model.parts import trained_parts


class VisionTower:
    """Runs a transformers model's own `get_image_features` over unique pictures and counts what it ran.

    With a `store`, pictures that it holds are not looked at again unless gradients are enabled and tower or projector
    train: what it holds is the projector's output.
    """

    def __init__(self, model: Any, store: FeatureStore | None = None) -> None:
        self._model = model
        self._core = model.model
        self._family = family_of(model.config)
        self._own = type(self._core).get_image_features
        self._store = store
        self.pictures_seen = 0

    def look(self, images: Iterable[EncodedImage]) -> dict[str, PictureFeatures]:
        """Features by digest: every digest once, in one call of the tower. Gradients flow where they are enabled."""
        unique: dict[str, EncodedImage] = {}
        for image in images:
            unique.setdefault(image.digest, image)
        found: dict[str, PictureFeatures] = {}
        if self._store is not None and not (torch.is_grad_enabled() and self._trains()):
            for digest in unique:
                held = self._store.get(digest)
                if held is not None:
                    found[digest] = held
        missing = [image for digest, image in unique.items() if digest not in found]
        if missing:
            self.pictures_seen += len(missing)
            seen = self._family.look(self._core, self._own, [image.pixels for image in missing], self._model.device)
            for image, features in zip(missing, seen, strict=True):
                found[image.digest] = features
                if self._store is not None:
                    self._store.put(image.digest, features)
        return {digest: found[digest] for digest in unique}

    def _trains(self) -> bool:
        return trained_parts(self._model) != {"language"}

    @contextmanager
    def given(self, features: Sequence[PictureFeatures]) -> Iterator[dict[str, Any]]:
        """Within the block, the model's forward pass takes these features (in order of appearance) as its pictures'.

        Yields the keyword arguments to pass to the model; empty for a batch without pictures.
        """
        if not features:
            yield {}
            return
        output, arguments = self._family.stand_in(features)
        self._core.get_image_features = lambda *args, **kwargs: output
        try:
            yield arguments
        finally:
            del self._core.get_image_features

"""Look once: the vision tower runs once per unique image, and its features go into any number of forward passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from vlrl.model.families.family import family_of
from vlrl.model.families.image_types import ImageFeatures
from vlrl.model.optimization.parameter_groups import trained_parts
from vlrl.model.prompts.encode import EncodedImage
from vlrl.model.vision.feature_cache import FeatureStore
from vlrl.model.vision.frozen_tower import frozen_below_projector, read_again, written_down

CACHED_BYTES = 4 * 2**20  # of a tower's hidden states, at most, in one call on the CPU


class VisionTower:
    """Runs a transformers model's own `get_image_features` over unique images and counts what it ran.

    With a `store`, images that it holds are not encoded again unless gradients are enabled and the tower trains.
    Where the projector alone trains, the store holds what the tower gave, which is projected again in every look.

    below  the tower that gives it, where it is another model's with the same frozen weights
    """

    def __init__(self, model: Any, store: FeatureStore | None = None, below: VisionTower | None = None) -> None:
        self._model = model
        self._core = model.model
        self._family = family_of(model.config)
        self._own = type(self._core).get_image_features
        self._store = store
        self._below = below or self
        self._read: dict[str, ImageFeatures] = {}
        self.images_seen = 0

    def read_frozen(self, images: Iterable[EncodedImage]) -> None:
        """Where the projector alone trains: what the tower gives it of these images, for the next looks at them."""
        if frozen_below_projector(self._model):
            unique = {image.digest: image for image in images}
            self._read = {}
            self._read = dict(zip(unique, self._below.given_to_projector(unique), strict=True))

    def encode_images(self, images: Iterable[EncodedImage]) -> dict[str, ImageFeatures]:
        """Features by digest: every digest once. Gradients flow where they are enabled, then from one call."""
        unique: dict[str, EncodedImage] = {}
        for image in images:
            unique.setdefault(image.digest, image)
        if unique and self._family.projects_again and frozen_below_projector(self._model):
            given = self._below.given_to_projector(unique)
            with read_again(self._core, given):
                return dict(zip(unique, self._run(unique.values()), strict=True))
        held = self._held(unique) if not (torch.is_grad_enabled() and self._trains()) else {}
        missing = [image for digest, image in unique.items() if digest not in held]
        if missing:
            self.images_seen += len(missing)
            held |= self._kept(missing, [one for piece in self._pieces(missing) for one in self._run(piece)])
        return {digest: held[digest] for digest in unique}

    @torch.no_grad()
    def given_to_projector(self, unique: Mapping[str, EncodedImage]) -> list[ImageFeatures]:
        """What the frozen tower gives the projector of each image: encoded where it isn't held."""
        held = self._read | self._held(unique, below=True)
        missing = [image for digest, image in unique.items() if digest not in held]
        if missing:
            self.images_seen += len(missing)
            with written_down(self._core, [image.num_patches for image in missing]) as given:
                self._run(missing)
            held |= self._kept(missing, given, below=True)
        return [held[digest] for digest in unique]

    def _run(self, images: Iterable[EncodedImage]) -> list[ImageFeatures]:
        return self._family.encode_images(self._core, self._own, [image.pixels for image in images], self._model.device)

    def _pieces(self, images: Sequence[EncodedImage]) -> list[list[EncodedImage]]:
        """Images by call of the tower: all at once; on the CPU without gradients as many as stay in its caches.

        With gradients the ranks of ZeRO count calls.
        """
        if torch.is_grad_enabled() or self._model.device.type != "cpu":
            return [list(images)]
        width = self._family.tower(self._model.config).width
        most = CACHED_BYTES // (width * self._model.dtype.itemsize)  # patches
        found: list[list[EncodedImage]] = []
        room = 0
        for image in images:
            room -= image.num_patches
            if not found or room < 0:
                found.append([])
                room = most - image.num_patches
            found[-1].append(image)
        return found

    def _held(self, digests: Iterable[str], below: bool = False) -> dict[str, ImageFeatures]:
        found = {digest: self._store.get(digest, below) for digest in digests} if self._store is not None else {}
        return {digest: features for digest, features in found.items() if features is not None}

    def _kept(
        self, images: Iterable[EncodedImage], seen: Sequence[ImageFeatures], below: bool = False
    ) -> dict[str, ImageFeatures]:
        found = {image.digest: features for image, features in zip(images, seen, strict=True)}
        if self._store is not None:
            for digest, features in found.items():
                self._store.put(digest, features, below)
        return found

    def _trains(self) -> bool:
        return trained_parts(self._model) != {"language"}

    @contextmanager
    def given(self, features: Sequence[ImageFeatures]) -> Iterator[dict[str, Any]]:
        """Within the block, the model's forward pass takes these features (in order of appearance) as its images'.

        Yields the keyword arguments to pass to the model; empty for a batch without images.
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

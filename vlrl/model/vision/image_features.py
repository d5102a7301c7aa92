"""One pass of the tower per image and pass, whatever the micro-batches: features are held from an image's first to
its last use.

In training, an image of several micro-batches is encoded once too. Until its last use its features stand in as
leaves that gather gradients; there, what they have gathered goes back through the tower with that micro-batch's own:
d/dw [ L_last(f(w)) + Σ f(w)·g ], where g is the gradient that earlier micro-batches left in f, added up in float32
at least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import torch

from vlrl.model.families.image_types import ImageFeatures
from vlrl.model.prompts.encode import EncodedImage
from vlrl.model.vision.image_encoding import VisionTower


@dataclass
class _EncodedOnce:
    """One call of the tower: what it gave, its stand-ins before the last use, and the micro-batch of the last use.

    gathered  gradients of the stand-ins' tensors, by their id
    """

    seen: dict[str, ImageFeatures]
    final: int
    leaves: dict[str, ImageFeatures] = field(default_factory=dict)
    gathered: dict[int, torch.Tensor] = field(default_factory=dict)


class ImageFeatureCache:
    """Features for the micro-batches of one pass; `images` lists the images of each micro-batch.

    Without `hold` a tower that trains looks again in every micro-batch, so that each has a graph of its own.
    """

    def __init__(
        self, tower: VisionTower, images: Sequence[Sequence[EncodedImage]], trains: bool, hold: bool = True
    ) -> None:
        self._tower, self._images, self._trains = tower, images, trains
        self._hold = hold or not trains
        self._last = {image.digest: m for m, some in enumerate(images) for image in some}
        self._held: dict[str, _EncodedOnce] = {}

    def features(self, m: int) -> dict[str, ImageFeatures]:
        """Features by digest for micro-batch `m`; to be called for each in turn."""
        for digest in [d for d, encoding in self._held.items() if encoding.final < m]:
            del self._held[digest]
        new = [image for image in self._images[m] if image.digest not in self._held]
        if new:
            with torch.set_grad_enabled(self._trains):
                seen = self._tower.encode_images(new)
            final = max(self._last[digest] for digest in seen) if self._hold else m
            encoding = _EncodedOnce(seen, final)
            if self._trains and final > m:
                encoding.leaves.update({digest: _leaves(f, encoding.gathered) for digest, f in seen.items()})
            self._held.update(dict.fromkeys(seen, encoding))
        found = {}
        for image in self._images[m]:
            encoding = self._held[image.digest]
            found[image.digest] = (encoding.leaves if encoding.final > m and encoding.leaves else encoding.seen)[
                image.digest
            ]
        return found

    def carried(self, m: int) -> torch.Tensor | None:
        """Σ f·g over the looks whose last use is `m`: to be added to the loss there. None if nothing is carried.

        g is in the units of what went backward, so a scaled loss must be unscaled before it is added to.
        """
        encodings = {
            id(encoding): encoding for encoding in self._held.values() if encoding.final == m and encoding.leaves
        }
        products = [
            (seen * encoding.gathered[id(leaf)]).sum()
            for encoding in encodings.values()
            for digest, features in encoding.seen.items()
            for seen, leaf in zip(features.tensors, encoding.leaves[digest].tensors, strict=True)
            if id(leaf) in encoding.gathered
        ]
        return torch.stack(products).sum() if products else None


def _leaves(features: ImageFeatures, gathered: dict[int, torch.Tensor]) -> ImageFeatures:
    leaves = [one.detach().requires_grad_() for one in features.tensors]
    for leaf in leaves:
        leaf.register_post_accumulate_grad_hook(partial(_gather, gathered))
    return features.of(leaves)


def _gather(gathered: dict[int, torch.Tensor], leaf: torch.Tensor) -> None:
    assert leaf.grad is not None
    before = gathered.get(id(leaf))
    exact = torch.promote_types(leaf.dtype, torch.float32)
    gathered[id(leaf)] = leaf.grad.to(exact) if before is None else before + leaf.grad
    leaf.grad = None

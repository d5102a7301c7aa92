"""One look per picture and pass, whatever the micro-batches: features are held from a picture's first to its last use.

In training, a picture of several micro-batches is looked at once too. Until its last use its features stand in as
leaves that gather gradients; there, what they have gathered goes back through the tower with that micro-batch's own:
d/dw [ L_last(f(w)) + Σ f(w)·g ], where g is the gradient that earlier micro-batches left in f.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from vlrl.model.encode import EncodedImage
from vlrl.model.families import PictureFeatures
from vlrl.model.vision import VisionTower


@dataclass
class _Look:
    """One call of the tower: what it gave, its stand-ins before the last use, and the micro-batch of the last use."""

    seen: dict[str, PictureFeatures]
    leaves: dict[str, PictureFeatures]
    final: int


class Looks:
    """Features for the micro-batches of one pass; `images` lists the pictures of each micro-batch.

    Without `hold` a tower that trains looks anew in every micro-batch, so that each has a graph of its own.
    """

    def __init__(
        self, tower: VisionTower, images: Sequence[Sequence[EncodedImage]], trains: bool, hold: bool = True
    ) -> None:
        self._tower, self._images, self._trains = tower, images, trains
        self._hold = hold or not trains
        self._last = {image.digest: m for m, some in enumerate(images) for image in some}
        self._held: dict[str, _Look] = {}

    def features(self, m: int) -> dict[str, PictureFeatures]:
        """Features by digest for micro-batch `m`; to be called for each in turn."""
        for digest in [d for d, look in self._held.items() if look.final < m]:
            del self._held[digest]
        new = [image for image in self._images[m] if image.digest not in self._held]
        if new:
            with torch.set_grad_enabled(self._trains):
                seen = self._tower.look(new)
            final = max(self._last[digest] for digest in seen) if self._hold else m
            leaves = {d: _leaves(f) for d, f in seen.items()} if self._trains and final > m else {}
            look = _Look(seen, leaves, final)
            self._held.update(dict.fromkeys(seen, look))
        found = {}
        for image in self._images[m]:
            look = self._held[image.digest]
            found[image.digest] = (look.leaves if look.final > m and look.leaves else look.seen)[image.digest]
        return found

    def carried(self, m: int) -> torch.Tensor | None:
        """Σ f·g over the looks whose last use is `m`: to be added to the loss there. None if nothing is carried.

        g is in the units of what went backward, so a scaled loss must be unscaled before it is added to.
        """
        looks = {id(look): look for look in self._held.values() if look.final == m and look.leaves}
        products = [
            (seen * leaf.grad).sum()
            for look in looks.values()
            for digest, features in look.seen.items()
            for seen, leaf in zip(features.tensors, look.leaves[digest].tensors, strict=True)
            if leaf.grad is not None
        ]
        return torch.stack(products).sum() if products else None


def _leaves(features: PictureFeatures) -> PictureFeatures:
    return features.of([one.detach().requires_grad_() for one in features.tensors])

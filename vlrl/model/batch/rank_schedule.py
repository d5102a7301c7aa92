"""Updates in lockstep: every rank runs the same modules in the same order, whatever its rows hold.

In shards (FSDP, ZeRO) a forward pass gathers weights and a backward pass reduces gradients, module by module, with all
ranks at once: a rank that skipped the vision tower, a micro-batch or a piece of the head would leave the others
waiting. So before an update all ranks agree on its steps: as many micro-batches as the rank with the most has, a look
at images where any rank has one, and as many calls of the head. A rank without images encodes one whose features count
nothing; a rank without rows reads a row of one token. Both stay in the graph with weight zero.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import zip_longest
from typing import Any, NamedTuple

import torch
from PIL import Image as Pillow

from vlrl import dist
from vlrl.data.images.image_budget import ImageBudget
from vlrl.errors import ConfigError
from vlrl.model.batch.example import Example
from vlrl.model.families.decoder_reading import has_state
from vlrl.model.families.family import family_of
from vlrl.model.load import LoadedModel
from vlrl.model.prompts.encode import Encoded, EncodedImage, Encoder
from vlrl.model.vision.image_encoding import VisionTower
from vlrl.types import Image, Problem

SIDE_PIXELS = 28
COLOUR = (200, 120, 40)  # not the processor's mean: some models leave images of zeros out


class MicroBatchShape(NamedTuple):
    """Which modules a micro-batch runs: whether the tower that trains sees images, and how often the head is called."""

    encodes_images: bool
    chunks: int


def agreed(by_rank: list[list[MicroBatchShape]], tower_trains: bool) -> list[MicroBatchShape]:
    """The steps that every rank takes, from those that each rank's rows need; at least one.

    A tower that trains looks in the first and in the last step of every update: ZeRO-3 keeps what its buffers of
    gradients held from the update before where the first micro-batch doesn't reach a weight, and offloading takes from
    them only what the last one reaches.
    """
    nothing = MicroBatchShape(False, 1)
    steps = [
        MicroBatchShape(any(step.encodes_images for step in some), max(step.chunks for step in some))
        for some in zip_longest(*by_rank, fillvalue=nothing)
    ] or [nothing]
    for end in (0, -1) if tower_trains else ():
        steps[end] = steps[end]._replace(encodes_images=True)
    return steps


class Lockstep:
    """What a rank runs where the others have something and it has not.

    Raises ConfigError for a model of which equally many calls can't be agreed.
    """

    def __init__(self, loaded: LoadedModel, tower_trains: bool) -> None:
        if has_state(loaded.config):
            raise ConfigError(
                "backend",
                f"{loaded.config.model_type!r} has recurrent layers: ranks would make unlike numbers of passes",
                "backend: torch",
            )
        if tower_trains and not family_of(loaded.config).one_tower_call:
            raise ConfigError(
                "backend",
                f"{loaded.config.model_type!r} is read in the generic way, image layout by image layout: while its "
                "tower or projector trains, ranks would make unlike numbers of passes",
                "freeze: [vision, projector], or backend: torch",
            )
        self._tower_trains = tower_trains
        stop = loaded.stop_ids[0]
        self.padding = Example(Encoded("padding", (stop,), (0,), (), ""), ((stop,),))
        self._loaded = loaded
        self._image: EncodedImage | None = None

    def agree(self, mine: list[MicroBatchShape]) -> list[MicroBatchShape]:
        """The steps of one update that all ranks take."""
        return agreed(dist.gather(mine), self._tower_trains)

    @contextmanager
    def one_graph(self, model: Any) -> Iterator[None]:
        """Within the block, what the embedding gives has gradients though it be frozen, with and without images.

        Otherwise the backward pass of a text row would end at the first layer that learns, and that of a row whose
        image features learn would go on to the embedding.
        """

        def anchored(module: Any, given: Any, output: torch.Tensor) -> torch.Tensor:
            if output.requires_grad or not torch.is_grad_enabled():
                return output
            return output + torch.zeros((), dtype=output.dtype, device=output.device, requires_grad=True)

        held = model.get_input_embeddings().register_forward_hook(anchored)
        try:
            yield
        finally:
            held.remove()

    def read_frozen(self, tower: VisionTower, images: Sequence[EncodedImage]) -> None:
        """What of a look with gradients needs none, ahead of it: passes of the frozen tower below a projector that
        trains. Where weights lie in shards, each rank makes as many as it needs, and here the ranks wait for those.
        """
        if self._loaded.shards is not None:
            with self._loaded.reading():
                tower.read_frozen(images or [self._dummy()])

    def reading(self) -> AbstractContextManager[None]:
        """What a look without gradients is made in."""
        return self._loaded.reading()

    def dummy_vision_pass(self, tower: VisionTower) -> torch.Tensor:
        """A look with gradients whose sum counts nothing; to be added to the loss."""
        (features,) = tower.encode_images([self._dummy()]).values()
        return torch.stack([one.sum() for one in features.tensors]).sum() * 0.0

    def _dummy(self) -> EncodedImage:
        if self._image is None:
            self._image = _blank(self._loaded)
        return self._image


def _blank(loaded: LoadedModel) -> EncodedImage:
    file = io.BytesIO()
    Pillow.new("RGB", (SIDE_PIXELS, SIDE_PIXELS), COLOUR).save(file, "PNG")
    prompt = (Image.from_bytes(file.getvalue()),)
    problem = Problem(prompt=prompt, answer="0", verifier="number", modality="synthetic", domain="padding")
    pixels = SIDE_PIXELS**2
    (encoded,) = Encoder(loaded, ImageBudget(min_pixels=pixels, max_pixels=pixels)).encode([problem])
    return encoded.images[0]

"""What is known of a family of models, by `model_type`: the base of every family's file, and the registry.

A family says how its processor's output is cut into images, how its tower is called and its features are given to the
model, which of its modules are tower and projector, how its prompts number their positions, which decoders it brings,
and what its small and its published models look like. Everything else asks it here. A model of another type, or one
whose decoder reads otherwise than its family says, is refused when it is opened.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import torch

from vlrl.errors import ConfigError
from vlrl.model.families.attention_patterns import TWO_WAYS
from vlrl.model.families.decoder_reading import reading_of
from vlrl.model.families.image_types import ImageFeatures, Pixels
from vlrl.model.families.tiny_parts import TinyModel
from vlrl.registry import Registry

if TYPE_CHECKING:
    from vlrl.model.prompts.encode import Encoded

PAGE = "docs/models.md, 'A family of your own'"


class DecoderClasses(NamedTuple):
    """The classes of a text decoder that decode_step.py can run: their module in transformers.models, decoder and MLP,
    and how the names of layer, attention, norm and rotary embedding begin.
    """

    module: str
    decoder: str
    mlp: str
    prefix: str


class ImageSize(NamedTuple):
    """What an image of some size becomes: patches for the tower, prompt tokens at most."""

    patches: int
    tokens: int


class TowerShape(NamedTuple):
    """Sizes of a vision tower."""

    layers: int
    width: int
    mlp_width: int


@dataclass(frozen=True)
class PublishedModel:
    """What a model's published config.json and preprocessor_config.json say, for a plan without the files."""

    config: Callable[[], Any]
    image_processor: Callable[[], Any]


class Family(ABC):
    """Rules of one family. In its methods `config` is the model's configuration, `core` the model without its head and
    `own` its class's `get_image_features`.

    marks             beginnings of tokens, besides the placeholders, that the processor writes around images
    placeholders      fields of the configuration with ids of tokens that stand for images or videos, or around them
    position_rows     rows of position ids: 1, or 3 (time, height, width) for mrope
    segmented_tower   whether the tower has all patches in one row and takes their segments as `cu_seq_lens_q`
    one_prompt_a_call whether the processor is called for one prompt after the other, so that its output is of one
    one_tower_call    whether all images of a pass go through the tower in one call, whatever their sizes
    projects_again    whether the projector can be run again on what a frozen tower gave it (vision/frozen_tower.py)
    vllm_patches      whether vLLM's class takes the processor's patches as they are (`pixel_values`, `image_grid_thw`)
    tower_names       parts of parameter names that only the vision tower's have
    projector_names   the same of the projector between tower and decoder; where both are found, it is the projector's
    decoder_reading   kinds of reading, besides causally over all tokens, that it makes right; see decoder_reading.py
    decoders          text decoders it brings that decode_step.py can run, by their `model_type`
    tiny              small models of this family for `model.build`, by name
    published         published models whose sizes `vlrl plan` knows without files, by hub id
    """

    marks: ClassVar[tuple[str, ...]] = ()
    placeholders: ClassVar[tuple[str, ...]] = ("image_token_id",)
    position_rows: ClassVar[int] = 1
    segmented_tower: ClassVar[bool] = False
    one_prompt_a_call: ClassVar[bool] = False
    one_tower_call: ClassVar[bool] = True
    projects_again: ClassVar[bool] = True
    vllm_patches: ClassVar[bool] = False
    tower_names: ClassVar[tuple[str, ...]] = ("vision_tower", "vision_model")
    projector_names: ClassVar[tuple[str, ...]] = ("multi_modal_projector",)
    decoder_reading: ClassVar[frozenset[str]] = frozenset()
    decoders: ClassVar[Mapping[str, DecoderClasses]] = {}
    tiny: ClassVar[Mapping[str, TinyModel]] = {}
    published: ClassVar[Mapping[str, PublishedModel]] = {}

    def image_processor(self, config: Any) -> Any | None:
        """The image processor that belongs to a model of which only the configuration is known; None: unknown."""
        return None

    @abstractmethod
    def cut(self, output: Any, prompts: Sequence[Sequence[int]], counts: Sequence[int], loaded: Any) -> list[Pixels]:
        """The processor's output for prompts with `counts` (≥ 1) images each, cut into images in reading order."""

    def cut_images(
        self, output: Any, prompts: Sequence[Sequence[int]], images: Sequence[Sequence[Any]], loaded: Any
    ) -> list[Pixels]:
        """The same by families that need the images themselves."""
        return self.cut(output, prompts, [len(some) for some in images], loaded)

    @abstractmethod
    def encode_images(self, core: Any, own: Any, images: Sequence[Pixels], device: torch.device) -> list[ImageFeatures]:
        """One call of the tower."""

    @abstractmethod
    def stand_in(self, features: Sequence[ImageFeatures]) -> tuple[Any, dict[str, Any]]:
        """What `get_image_features` returns instead of encoding, and the arguments that make the model ask for it."""

    @abstractmethod
    def merge(self, config: Any) -> int:
        """Patches that become one prompt token."""

    @abstractmethod
    def patches(self, config: Any, image_processor: Any, width: int, height: int) -> int:
        """Patches of an image of this size in pixels."""

    @abstractmethod
    def misfit(self, config: Any, pixels: Pixels) -> str | None:
        """How an image as the processor cuts it differs from what the tower reads, in words; None if it doesn't."""

    @abstractmethod
    def tower(self, config: Any) -> TowerShape:
        """Sizes of the vision tower."""

    @abstractmethod
    def tower_pairs(self, config: Any, patches: int) -> float:
        """Query-key pairs of one image over all layers of the tower."""

    def most_tokens(self, config: Any, patches: int) -> int:
        """Prompt tokens that an image of this many patches takes at most, those around its placeholders included that
        the processor, and not the chat template, writes.
        """
        return patches // self.merge(config)

    def size_of(self, config: Any, processor: Any, width: int, height: int) -> ImageSize:
        """Patches and prompt tokens, at most, of an image of this size in pixels."""
        patches = self.patches(config, processor.image_processor, width, height)
        return ImageSize(patches, self.most_tokens(config, patches))

    def image_tokens(self, config: Any, processor: Any, width: int, height: int) -> int:
        """Placeholders of an image of this size in pixels."""
        return self.patches(config, processor.image_processor, width, height) // self.merge(config)

    def placeholders_of(self, config: Any, pixels: Sequence[Pixels]) -> int | None:
        """Features that the tower gives for these images, each for one placeholder; None where it is known later."""
        return sum(one.grid[0] * one.grid[1] * one.grid[2] for one in pixels) // self.merge(config)

    def placeholder_fields(self, config: Any) -> tuple[str, ...]:
        """Fields of this configuration with ids of tokens that stand for images or videos, or around them."""
        return self.placeholders

    def image_markers(self, processor: Any) -> tuple[str, ...]:
        """Tokens of which a chat template writes one for an image."""
        return (processor.image_token,)

    def rows_of_positions(self, core: Any) -> int:
        """Rows of position ids of this model."""
        return self.position_rows

    def image_token(self, config: Any) -> int | None:
        """Id of the placeholder of images; None where the configuration names none."""
        found: int | None = getattr(config, "image_token_id", None)
        return found

    def positions(self, core: Any, encoded: Encoded) -> torch.Tensor:
        """(position_rows, T) position ids of a prompt's tokens, on the CPU. They depend on nothing but its token types
        and its images' grids.
        """
        return torch.arange(encoded.num_tokens)[None]


families: Registry[Any] = Registry("model family", base=Family, docs=PAGE)


@cache
def _made(component: type[Family]) -> Family:
    return component()


def known_families() -> list[Family]:
    """Every registered family once, in order of the first of its names."""
    return [_made(component) for component in dict.fromkeys(families.get(name) for name in families)]


def part_names() -> tuple[frozenset[str], frozenset[str]]:
    """Parts of parameter names that only projectors have, and only towers, over all families."""
    from vlrl.model.families.generic import GENERIC

    known = (*known_families(), GENERIC)
    projectors = frozenset(name for family in known for name in family.projector_names)
    return projectors, frozenset(name for family in known for name in family.tower_names)


def family_of(config: Any, place: str = "model.path") -> Family:
    """The rules of a model's family: those under its `model_type`, else those of any model that keeps transformers'
    contract. Raises ConfigError at `place` for one that does neither.
    """
    from vlrl.model.families.contract import why_not
    from vlrl.model.families.generic import GENERIC

    name = str(config.model_type)
    if name in families:
        return _made(families.get(name))
    if (reason := why_not(config.__class__)) is not None:
        raise ConfigError(
            place,
            f"{name!r}: how models of this type read images isn't known here, and the generic way can't: {reason}",
            "`vlrl models` lists what can be read; for another, write a family and name its file under plugins: "
            f"({PAGE})",
        )
    return GENERIC


def refuse_other_reading(config: Any, place: str) -> None:
    """Raises ConfigError at `place` for a decoder that reads in a way which its family doesn't declare: windows, image
    tokens that attend in both directions, a recurrent state.
    """
    known = family_of(config, place).decoder_reading
    for kind, where in reading_of(config).items():
        two_ways = kind == "bidirectional_attention" and config.model_type in TWO_WAYS
        if kind not in known and not two_ways:
            raise ConfigError(
                place,
                f"its decoder reads by {kind.replace('_', ' ')} ({where} in config.json), which the family "
                f"{config.model_type!r} doesn't know: shared prompts and packed rows would be read wrongly",
                "take a model whose decoder attends causally over all tokens, or write a family that makes it right "
                f"and declares it ({PAGE})",
            )

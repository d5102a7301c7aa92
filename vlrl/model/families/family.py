"""How families of models read images: a new architecture costs its name here, or one more class of these few rules.

Everything else (positions, shared rows, rollout) asks the model itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
import transformers
from packaging.version import Version
from PIL import Image as Pillow
from transformers.modeling_outputs import BaseModelOutputWithPooling

from vlrl.errors import ConfigError

# before 5.18 the deepstack features of all images are one tensor a level
LEVELS_BY_IMAGE = Version(transformers.__version__).release >= (5, 18)

TILE_TOKENS = 16  # most tokens of `<fake_token_around_image><row_1_col_1>` and a line's end, also where they are spelt


@dataclass(frozen=True)
class Pixels:
    """One image as the vision tower reads it.

    values  float32: patches (n, d), or tiles (m, 3, height, width) in pixels
    grid    (time or tiles, height, width) in patches; its product is the number of patches
    mask    (m, height, width) bool, True where a tile has pixels; None where it has them everywhere
    """

    values: torch.Tensor
    grid: tuple[int, int, int]
    mask: torch.Tensor | None = None


@dataclass(frozen=True)
class ImageFeatures:
    """What the tower says of one image: `merged` (n, d) or (tiles, n, d); for deepstack models one (n, d) a level."""

    merged: torch.Tensor
    levels: tuple[torch.Tensor, ...] = ()

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """Everything that carries gradients."""
        return self.merged, *self.levels

    def of(self, tensors: Sequence[torch.Tensor]) -> ImageFeatures:
        """The same features made of other `tensors` (as `tensors` lists them)."""
        return ImageFeatures(tensors[0], tuple(tensors[1:]))


class Family(Protocol):
    """Rules of one family. `core` is the model without its head, `own` its class's `get_image_features`.

    marks   beginnings of tokens, besides the placeholders, that the processor writes around images
    """

    marks: tuple[str, ...]

    def cut(self, output: Any, prompts: Sequence[Sequence[int]], counts: Sequence[int], loaded: Any) -> list[Pixels]:
        """The processor's output for prompts with `counts` (≥ 1) images each, cut into images in reading order."""

    def encode_images(self, core: Any, own: Any, images: Sequence[Pixels], device: torch.device) -> list[ImageFeatures]:
        """One call of the tower."""

    def stand_in(self, features: Sequence[ImageFeatures]) -> tuple[Any, dict[str, Any]]:
        """What `get_image_features` returns instead of looking, and the arguments that make the model ask for it."""

    def merge(self, config: Any) -> int:
        """Patches that become one prompt token."""

    def patches(self, config: Any, image_processor: Any, width: int, height: int) -> int:
        """Patches of an image of this size in pixels."""

    def misfit(self, config: Any, pixels: Pixels) -> str | None:
        """How an image as the processor cuts it differs from what the tower reads, in words; None if it doesn't."""

    def most_tokens(self, config: Any, patches: int) -> int:
        """Prompt tokens that an image of this many patches takes at most, those around its placeholders included."""

    def tower_shape(self, vision: Any) -> tuple[int, int]:
        """(layers, width) of the vision tower."""

    def tower_pairs(self, vision: Any, patches: int) -> float:
        """Query-key pairs of one image over all layers of the tower."""


class PatchEmbedding:
    """Qwen: one row of patches for all images, each with its grid (`image_grid_thw`)."""

    marks: tuple[str, ...] = ()

    def cut(self, output: Any, prompts: Sequence[Sequence[int]], counts: Sequence[int], loaded: Any) -> list[Pixels]:
        """Consecutive patches, as many as each grid has."""
        grids = np.asarray(output["image_grid_thw"]).reshape(sum(counts), 3)
        values = torch.from_numpy(np.ascontiguousarray(output["pixel_values"], dtype=np.float32))
        split = torch.split(values, grids.prod(1).tolist())
        return [Pixels(one, (int(t), int(h), int(w))) for one, (t, h, w) in zip(split, grids, strict=True)]

    def encode_images(self, core: Any, own: Any, images: Sequence[Pixels], device: torch.device) -> list[ImageFeatures]:
        """All images in one row of patches."""
        values = torch.cat([one.values for one in images]).to(device)
        grids = torch.tensor([one.grid for one in images], device=device)
        output = own(core, values, image_grid_thw=grids, return_dict=True)
        each = self.merge(core.config)
        tokens = [t * h * w // each for t, h, w in (one.grid for one in images)]
        merged, *levels = (
            torch.split(found, tokens) if isinstance(found, torch.Tensor) else found
            for found in (output.pooler_output, *(getattr(output, "deepstack_features", None) or ()))
        )
        return [ImageFeatures(merged[i], tuple(level[i] for level in levels)) for i in range(len(images))]

    def stand_in(self, features: Sequence[ImageFeatures]) -> tuple[Any, dict[str, Any]]:
        """Features by image."""
        output: Any = BaseModelOutputWithPooling(pooler_output=tuple(f.merged for f in features))  # type: ignore[arg-type]
        levels = [tuple(f.levels[i] for f in features) for i in range(len(features[0].levels))]
        output.deepstack_features = levels if LEVELS_BY_IMAGE else [torch.cat(level) for level in levels]
        return output, {"pixel_values": features[0].merged, "image_grid_thw": None}

    def merge(self, config: Any) -> int:
        """The square of spatial_merge_size."""
        return int(config.vision_config.spatial_merge_size) ** 2

    def patches(self, config: Any, image_processor: Any, width: int, height: int) -> int:
        """As the image processor counts them."""
        count: int = image_processor.get_number_of_image_patches(height, width, {})
        return count

    def misfit(self, config: Any, pixels: Pixels) -> str | None:
        """By the numbers in a patch."""
        vision = config.vision_config
        channels = getattr(vision, "in_channels", 3)
        wanted = int(channels) * int(vision.temporal_patch_size) * int(vision.patch_size) ** 2
        if pixels.values.shape[1] == wanted:
            return None
        return f"makes patches of {pixels.values.shape[1]} numbers, the tower reads {wanted}"

    def most_tokens(self, config: Any, patches: int) -> int:
        """Its placeholders; what stands around them is written by the chat template."""
        return patches // self.merge(config)

    def tower_shape(self, vision: Any) -> tuple[int, int]:
        """By Qwen's names."""
        return int(vision.depth), int(vision.hidden_size)

    def tower_pairs(self, vision: Any, patches: int) -> float:
        """All of an image, or the window in the layers that have one (Qwen2.5-VL)."""
        layers = int(vision.depth)
        full = len(vision.fullatt_block_indexes) if hasattr(vision, "fullatt_block_indexes") else layers
        window = (int(vision.window_size) // int(vision.patch_size)) ** 2 if full < layers else patches
        return float(patches * (full * patches + (layers - full) * min(patches, window)))


class Tiles:
    """Idefics3 and SmolVLM: square tiles of one size, and the whole image once more as the last tile.

    Prompts are `<fake…><row_1_col_1>` + a tile's placeholders + …; the last tile of every image stands behind
    `<global-img>`. That is how many tiles an image has is read from the prompt.
    """

    marks: tuple[str, ...] = ("<image>", "<fake_token_around_image>", "<global-img>", "<row_")

    def cut(self, output: Any, prompts: Sequence[Sequence[int]], counts: Sequence[int], loaded: Any) -> list[Pixels]:
        """The tiles of each prompt (padded to the prompt with the most), cut behind every global one."""
        values = torch.from_numpy(np.asarray(output["pixel_values"], dtype=np.float32))  # (P, most tiles, 3, H, W)
        masks = torch.from_numpy(np.asarray(output["pixel_attention_mask"])).bool()  # (P, most tiles, H, W)
        tokenizer, patch = loaded.tokenizer, int(loaded.config.vision_config.patch_size)
        whole = tuple(tokenizer.encode("<global-img>", add_special_tokens=False))
        image_token = int(loaded.config.image_token_id)
        found: list[Pixels] = []
        for place, (ids, count) in enumerate(zip(prompts, counts, strict=True)):
            starts = [t for t, i in enumerate(ids) if i == image_token and (t == 0 or ids[t - 1] != image_token)]
            last = [tuple(ids[max(0, t - len(whole)) : t]) == whole for t in starts]
            if sum(last) != count:
                raise ConfigError(
                    "model.path",
                    f"{count} images became {sum(last)} in the prompt",
                    "report it with the model's name",
                )
            start = 0
            for stop in (i + 1 for i, is_last in enumerate(last) if is_last):
                one, mask = values[place, start:stop].clone(), masks[place, start:stop]
                grid = (stop - start, one.shape[-2] // patch, one.shape[-1] // patch)
                found.append(Pixels(one, grid, None if bool(mask.all()) else mask.clone()))
                start = stop
        return found

    def encode_images(self, core: Any, own: Any, images: Sequence[Pixels], device: torch.device) -> list[ImageFeatures]:
        """All tiles of all images in one batch."""
        values = torch.cat([one.values for one in images]).to(device)[None]
        masks = None
        if any(one.mask is not None for one in images):
            full = [
                torch.ones_like(one.values[:, 0], dtype=torch.bool) if one.mask is None else one.mask for one in images
            ]
            masks = torch.cat(full).to(device)[None]
        output = own(core, values, pixel_attention_mask=masks, return_dict=True).pooler_output  # (tiles, n, d)
        if len(output) != values.shape[1]:
            raise ConfigError("image", "a tile holds nothing but zeros, which the model skips", "leave the image out")
        split = torch.split(output, [one.grid[0] for one in images])
        return [ImageFeatures(one) for one in split]

    def stand_in(self, features: Sequence[ImageFeatures]) -> tuple[Any, dict[str, Any]]:
        """(tiles, n, d) of all images; a tile has n placeholders in the prompt."""
        merged = torch.cat([f.merged for f in features])
        return BaseModelOutputWithPooling(pooler_output=merged), {"pixel_values": merged}  # type: ignore[arg-type]

    def merge(self, config: Any) -> int:
        """The square of scale_factor."""
        return int(config.scale_factor) ** 2

    def patches(self, config: Any, image_processor: Any, width: int, height: int) -> int:
        """Tiles as the processor cuts a blank image of this size (its own count leaves a rounding out)."""
        blank = Pillow.new("RGB", (width, height))
        tiles = image_processor([[blank]], return_tensors="np")["pixel_values"].shape[1]
        return int(tiles) * (int(config.vision_config.image_size) // int(config.vision_config.patch_size)) ** 2

    def misfit(self, config: Any, pixels: Pixels) -> str | None:
        """By the side of a tile."""
        side, wanted = pixels.values.shape[-1], int(config.vision_config.image_size)
        return None if side == wanted else f"makes tiles of {side} pixels a side, the tower reads {wanted}"

    def most_tokens(self, config: Any, patches: int) -> int:
        """Placeholders, up to `TILE_TOKENS` around a tile, and as many at the end."""
        vision = config.vision_config
        tiles = patches // (int(vision.image_size) // int(vision.patch_size)) ** 2
        return patches // self.merge(config) + TILE_TOKENS * (tiles + 1)

    def tower_shape(self, vision: Any) -> tuple[int, int]:
        """By SigLIP's names."""
        return int(vision.num_hidden_layers), int(vision.hidden_size)

    def tower_pairs(self, vision: Any, patches: int) -> float:
        """Patches of one tile attend to each other."""
        return float(int(vision.num_hidden_layers) * patches * (int(vision.image_size) // int(vision.patch_size)) ** 2)


FAMILIES: dict[str, Family] = {
    "qwen2_vl": PatchEmbedding(),
    "qwen2_5_vl": PatchEmbedding(),
    "qwen3_vl": PatchEmbedding(),
    "qwen3_vl_moe": PatchEmbedding(),
    "idefics3": Tiles(),
    "smolvlm": Tiles(),
}


def family_of(config: Any, place: str = "model.path") -> Family:
    """The rules of a model's family, by `model_type`. Raises ConfigError at `place` for one that isn't known."""
    name = config.model_type
    if name not in FAMILIES:
        raise ConfigError(place, f"{name!r}: how it reads images isn't known here", f"known: {', '.join(FAMILIES)}")
    return FAMILIES[name]

"""Qwen2-VL, and what later Qwen-VL share with it: one row of patches for all images, each with its grid, and mrope."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
import transformers

from vlrl.model.families.family import DecoderClasses, Family, TowerShape, families
from vlrl.model.families.image_types import ImageFeatures, Pixels
from vlrl.model.families.tiny_parts import SPECIAL, TinyShape

if TYPE_CHECKING:
    from vlrl.model.prompts.encode import Encoded


class QwenVl(Family):
    """What Qwen-VL models share: patches (`pixel_values`) and grids (`image_grid_thw`) of all images in one row."""

    placeholders = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
    position_rows = 3
    segmented_tower = True
    vllm_patches = True
    published_pixels: ClassVar[tuple[int, int]] = (56 * 56, 12_845_056)
    tower_names = (".visual.",)
    projector_names = ("merger",)

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
            for found in (output.pooler_output, *self.levels(output))
        )
        return [ImageFeatures(merged[i], tuple(level[i] for level in levels)) for i in range(len(images))]

    def levels(self, output: Any) -> Sequence[Any]:
        """Features for further levels of the decoder, a tensor, or one for each image; none."""
        return ()

    def stand_in(self, features: Sequence[ImageFeatures]) -> tuple[Any, dict[str, Any]]:
        """Features by image."""
        merged: Any = tuple(f.merged for f in features)
        output: Any = transformers.modeling_outputs.BaseModelOutputWithPooling(pooler_output=merged)
        return output, {"pixel_values": features[0].merged, "image_grid_thw": None}

    def image_processor(self, config: Any) -> Any:
        """Of the tower's patches, with the pixels that the published models allow."""
        return image_processor(int(config.vision_config.patch_size), *self.published_pixels)

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

    def tower(self, config: Any) -> TowerShape:
        """By the names of Qwen2.5-VL and later."""
        vision = config.vision_config
        return TowerShape(int(vision.depth), int(vision.hidden_size), int(vision.intermediate_size))

    def tower_pairs(self, config: Any, patches: int) -> float:
        """Every patch of an image attends to all others."""
        return float(patches * int(config.vision_config.depth) * patches)

    def positions(self, core: Any, encoded: Encoded) -> torch.Tensor:
        """By the model's own rule."""
        grids = torch.tensor([image.grid for image in encoded.images]) if encoded.images else None
        positions, _ = core.get_rope_index(
            torch.tensor([encoded.token_ids]),
            mm_token_type_ids=torch.tensor([encoded.token_types], dtype=torch.int),
            image_grid_thw=grids,
        )
        found: torch.Tensor = positions[:, 0]
        return found


@families.register("qwen2_vl")
class Qwen2Vl(QwenVl):
    """Qwen2-VL: the tower's width and that of its feed-forward layers have names of their own."""

    decoders: ClassVar = {"qwen2_vl_text": DecoderClasses("qwen2_vl", "Qwen2VLTextModel", "Qwen2MLP", "Qwen2VL")}

    def tower(self, config: Any) -> TowerShape:
        """`hidden_size` is the decoder's here, `embed_dim` the tower's."""
        vision = config.vision_config
        width = int(vision.embed_dim)
        return TowerShape(int(vision.depth), width, int(width * vision.mlp_ratio))


def image_processor(patch: int, min_pixels: int, max_pixels: int) -> Any:
    """Qwen's image processor for patches of this side, merged two by two."""
    size = {"shortest_edge": min_pixels, "longest_edge": max_pixels}
    return transformers.Qwen2VLImageProcessorPil(patch_size=patch, merge_size=2, temporal_patch_size=2, size=size)


def patch_tower(shape: TinyShape, **more: Any) -> dict[str, Any]:
    """Sizes of a small model's tower that reads rows of patches; `more` as a family has it."""
    return {
        "depth": shape.vision_layers,
        "hidden_size": shape.vision_width,
        "intermediate_size": shape.vision_width * 4,
        "num_heads": shape.vision_heads,
        "patch_size": shape.patch,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": shape.text_width,
        **more,
    }


def special_tokens(shape: TinyShape) -> tuple[str, ...]:
    """Of a small model's tokenizer."""
    return SPECIAL


def special_ids(tokenizer: transformers.PreTrainedTokenizerFast) -> dict[str, Any]:
    """Fields of a configuration that name placeholders."""
    names = {"image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>"}
    names |= {"vision_start_token_id": "<|vision_start|>", "vision_end_token_id": "<|vision_end|>"}
    return {key: tokenizer.convert_tokens_to_ids(token) for key, token in names.items()}


def sections(head_size: int) -> list[int]:
    """mrope sections (time, height, width): half of the head's frequencies, a half and two quarters."""
    half = head_size // 2
    return [half - 2 * (half // 4), half // 4, half // 4]

"""Qwen2.5-VL: window attention in most layers of the tower, mrope in sections."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import transformers

from vlrl.model.families.family import DecoderClasses, PublishedModel, families
from vlrl.model.families.qwen2_vl import QwenVl, image_processor, patch_tower, sections, special_ids, special_tokens
from vlrl.model.families.tiny_parts import CHAT_TEMPLATE, TinyModel, TinyShape, text_settings
from vlrl.model.folders.processor_compat import allow_processors_without_torchvision, new_video_processor


def _tiny(shape: TinyShape, tokenizer: transformers.PreTrainedTokenizerFast) -> transformers.Qwen2_5_VLConfig:
    """A Qwen2.5-VL configuration: window attention in the vision tower, sectioned mrope."""
    text = text_settings(shape, tokenizer, {"mrope_section": sections(shape.head_size)})
    windows = {"window_size": shape.patch * 8, "fullatt_block_indexes": [shape.vision_layers - 1]}
    vision = patch_tower(shape, spatial_patch_size=shape.patch, **windows)
    return transformers.Qwen2_5_VLConfig(
        text_config=text, vision_config=vision, tie_word_embeddings=True, **special_ids(tokenizer)
    )


def _processor(shape: TinyShape, tokenizer: transformers.PreTrainedTokenizerFast) -> Any:
    allow_processors_without_torchvision()
    images = image_processor(shape.patch, shape.min_pixels, shape.max_pixels)
    videos = new_video_processor("Qwen2VLVideoProcessor", patch_size=shape.patch, merge_size=2, temporal_patch_size=2)
    return transformers.Qwen2_5_VLProcessor(images, tokenizer, videos, chat_template=CHAT_TEMPLATE)


def _published(
    width: int,
    mlp: int,
    layers: int,
    heads: int,
    key_value_heads: int,
    vocabulary: int = 152_064,
    tied: bool = False,
    vision_mlp: int = 3420,
) -> Any:
    text = {
        "hidden_size": width,
        "intermediate_size": mlp,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": key_value_heads,
        "vocab_size": vocabulary,
        "max_position_embeddings": 128_000,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
        "tie_word_embeddings": tied,
    }
    vision = {
        "depth": 32,
        "hidden_size": 1280,
        "intermediate_size": vision_mlp,
        "num_heads": 16,
        "out_hidden_size": width,
        "patch_size": 14,
        "spatial_patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "window_size": 112,
        "fullatt_block_indexes": [7, 15, 23, 31],
    }
    return transformers.Qwen2_5_VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=tied)


_PIXELS = (56 * 56, 12_845_056)
_IMAGES = partial(image_processor, 14, *_PIXELS)


@families.register("qwen2_5_vl")
class Qwen25Vl(QwenVl):
    """Qwen2.5-VL."""

    decoders: ClassVar = {
        "qwen2_5_vl_text": DecoderClasses("qwen2_5_vl", "Qwen2_5_VLTextModel", "Qwen2MLP", "Qwen2_5_VL")
    }
    tiny: ClassVar = {"tiny-qwen2.5-vl": TinyModel(special_tokens, _tiny, _processor)}
    published_pixels = _PIXELS
    published: ClassVar = {
        "Qwen/Qwen2.5-VL-3B-Instruct": PublishedModel(
            lambda: _published(2048, 11_008, 36, 16, 2, 151_936, tied=True), _IMAGES
        ),
        "Qwen/Qwen2.5-VL-7B-Instruct": PublishedModel(lambda: _published(3584, 18_944, 28, 28, 4), _IMAGES),
        "Qwen/Qwen2.5-VL-32B-Instruct": PublishedModel(
            lambda: _published(5120, 27_648, 64, 40, 8, vision_mlp=3456), _IMAGES
        ),
        "Qwen/Qwen2.5-VL-72B-Instruct": PublishedModel(
            lambda: _published(8192, 29_568, 80, 64, 8, vision_mlp=3456), _IMAGES
        ),
    }

    def tower_pairs(self, config: Any, patches: int) -> float:
        """All of an image, or the window in the layers that have one."""
        vision = config.vision_config
        layers, full = int(vision.depth), len(vision.fullatt_block_indexes)
        window = (int(vision.window_size) // int(vision.patch_size)) ** 2 if full < layers else patches
        return float(patches * (full * patches + (layers - full) * min(patches, window)))

"""Qwen3-VL, also with experts: deepstack, interleaved mrope, learned and rotary positions in the tower."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import transformers

from vlrl.model.families.family import DecoderClasses, PublishedModel, families
from vlrl.model.families.image_types import ImageFeatures
from vlrl.model.families.qwen2_vl import (
    QwenVl,
    image_processor,
    patch_tower,
    sections,
    special_ids,
    special_tokens,
)
from vlrl.model.families.tiny_parts import CHAT_TEMPLATE, TinyModel, TinyShape, text_settings
from vlrl.model.folders.processor_compat import allow_processors_without_torchvision, new_video_processor


def _tiny(shape: TinyShape, tokenizer: transformers.PreTrainedTokenizerFast) -> transformers.Qwen3VLConfig:
    """A Qwen3-VL configuration: deepstack, interleaved mrope, learned and rotary positions in the vision tower."""
    mrope = {"mrope_section": sections(shape.head_size), "mrope_interleaved": True}
    vision = patch_tower(shape, num_position_embeddings=256, deepstack_visual_indexes=[0])
    return transformers.Qwen3VLConfig(
        text_config=text_settings(shape, tokenizer, mrope),
        vision_config=vision,
        tie_word_embeddings=True,
        **special_ids(tokenizer),
    )


def small_processor(shape: TinyShape, tokenizer: transformers.PreTrainedTokenizerFast) -> Any:
    """Qwen3-VL's processor for small models."""
    allow_processors_without_torchvision()
    images = image_processor(shape.patch, shape.min_pixels, shape.max_pixels)
    videos = new_video_processor("Qwen3VLVideoProcessor", patch_size=shape.patch, merge_size=2, temporal_patch_size=2)
    return transformers.Qwen3VLProcessor(images, tokenizer, videos, chat_template=CHAT_TEMPLATE)


def _sizes(
    width: int, mlp: int, layers: int, heads: int, key_value_heads: int = 8, small_tower: bool = False
) -> dict[str, Any]:
    """`text_config` and `vision_config` of a published model; they share all but these sizes."""
    text = {
        "hidden_size": width,
        "intermediate_size": mlp,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": key_value_heads,
        "head_dim": 128,
        "vocab_size": 151_936,
        "max_position_embeddings": 262_144,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 5e6,
            "mrope_section": [24, 20, 20],
            "mrope_interleaved": True,
        },
    }
    vision = {
        "depth": 24 if small_tower else 27,
        "hidden_size": 1024 if small_tower else 1152,
        "intermediate_size": 4096 if small_tower else 4304,
        "num_heads": 16,
        "out_hidden_size": width,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "num_position_embeddings": 2304,
        "deepstack_visual_indexes": [5, 11, 17] if small_tower else [8, 16, 24],
    }
    return {"text_config": text, "vision_config": vision}


def _published(width: int, mlp: int, layers: int, heads: int, tied: bool = False) -> Any:
    """A dense model; the small ones, which tie their embeddings, have the small tower."""
    found = _sizes(width, mlp, layers, heads, small_tower=tied)
    found["text_config"]["tie_word_embeddings"] = tied
    return transformers.Qwen3VLConfig(**found, tie_word_embeddings=tied)


def _published_experts() -> Any:
    """30B-A3B: 8 of 128 experts a token in every layer."""
    found = _sizes(2048, 6144, 48, 32, 4)
    found["text_config"] |= {
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "moe_intermediate_size": 768,
        "decoder_sparse_step": 1,
        "mlp_only_layers": [],
    }
    return transformers.Qwen3VLMoeConfig(**found, tie_word_embeddings=False)


_PIXELS = (65_536, 16_777_216)
_IMAGES = partial(image_processor, 16, *_PIXELS)


class DeepstackRows(QwenVl):
    """Features of some layers of the tower go into as many layers of the decoder."""

    def levels(self, output: Any) -> Sequence[Any]:
        """One a layer of the decoder that takes them."""
        return output.deepstack_features or ()

    def stand_in(self, features: Sequence[ImageFeatures]) -> tuple[Any, dict[str, Any]]:
        """Features by image, those of the levels level by level."""
        output, arguments = super().stand_in(features)
        output.deepstack_features = [tuple(f.levels[i] for f in features) for i in range(len(features[0].levels))]
        return output, arguments


@families.register("qwen3_vl")
class Qwen3Vl(DeepstackRows):
    """Qwen3-VL."""

    decoders: ClassVar = {
        "qwen3_vl_text": DecoderClasses("qwen3_vl", "Qwen3VLTextModel", "Qwen3VLTextMLP", "Qwen3VLText")
    }
    tiny: ClassVar = {"tiny-qwen3-vl": TinyModel(special_tokens, _tiny, small_processor)}
    published_pixels = _PIXELS
    published: ClassVar = {
        "Qwen/Qwen3-VL-2B-Instruct": PublishedModel(lambda: _published(2048, 6144, 28, 16, tied=True), _IMAGES),
        "Qwen/Qwen3-VL-4B-Instruct": PublishedModel(lambda: _published(2560, 9728, 36, 32, tied=True), _IMAGES),
        "Qwen/Qwen3-VL-8B-Instruct": PublishedModel(lambda: _published(4096, 12_288, 36, 32), _IMAGES),
        "Qwen/Qwen3-VL-32B-Instruct": PublishedModel(lambda: _published(5120, 25_600, 64, 64), _IMAGES),
    }


@families.register("qwen3_vl_moe")
class Qwen3VlMoe(DeepstackRows):
    """Qwen3-VL with experts: decode_step.py doesn't know its decoder, and vLLM's class isn't tried."""

    vllm_patches = False
    published_pixels = _PIXELS
    published: ClassVar = {"Qwen/Qwen3-VL-30B-A3B-Instruct": PublishedModel(_published_experts, _IMAGES)}

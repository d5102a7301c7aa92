"""Small models whose tower reads patches of any grid: GLM-4.6V, Qwen3-VL and Qwen3.5 with experts, Mistral 3."""

from __future__ import annotations

from typing import Any

import transformers

from vlrl.model.families.qwen2_vl import patch_tower, sections, special_ids, special_tokens
from vlrl.model.families.qwen3_vl import small_processor
from vlrl.model.families.small.parts import FRAME, named, template, text_of, vision_of
from vlrl.model.families.tiny_parts import TinyModel, TinyShape
from vlrl.model.folders.processor_compat import allow_processors_without_torchvision, new_video_processor

_GLM = ("<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>")
_GLM_NAMED = {"image_token": "<|image|>", "video_token": "<|video|>"}


def _rope(shape: TinyShape, turned: float, **more: Any) -> dict[str, Any]:
    """mrope of which only a share of a head's numbers turns."""
    parts = sections(int(shape.head_size * turned))
    return {
        "rope_type": "default",
        "rope_theta": 10_000.0,
        "partial_rotary_factor": turned,
        "mrope_section": parts,
        **more,
    }


def _glm_config(shape: TinyShape, tokenizer: Any) -> Any:
    ids = tokenizer.convert_tokens_to_ids
    text = text_of(shape, tokenizer, model_type="glm4v_text", rope_parameters=_rope(shape, 0.5))
    vision = patch_tower(shape, model_type="glm4v_vision", image_size=shape.tile, intermediate_size=shape.mlp_width)
    return transformers.Glm46VConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=ids("<|image|>"),
        video_token_id=ids("<|video|>"),
        image_start_token_id=ids("<|begin_of_image|>"),
        image_end_token_id=ids("<|end_of_image|>"),
        video_start_token_id=ids("<|begin_of_video|>"),
        video_end_token_id=ids("<|end_of_video|>"),
        tie_word_embeddings=True,
    )


def _glm_processor(shape: TinyShape, tokenizer: Any) -> Any:
    allow_processors_without_torchvision()
    size = {"shortest_edge": shape.min_pixels, "longest_edge": shape.max_pixels}
    images = transformers.Glm46VImageProcessorPil(
        patch_size=shape.patch, merge_size=2, temporal_patch_size=2, size=size
    )
    return transformers.Glm46VProcessor(
        images,
        named(tokenizer, **_GLM_NAMED),
        new_video_processor("Glm46VVideoProcessor"),
        chat_template=template("<|begin_of_image|><|image|><|end_of_image|>"),
    )


def _experts_config(shape: TinyShape, tokenizer: Any) -> Any:
    rope = {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": sections(shape.head_size)}
    text = text_of(shape, tokenizer, rope_parameters={**rope, "mrope_interleaved": True})
    text |= {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": shape.mlp_width // 2}
    vision = patch_tower(shape, num_position_embeddings=256, deepstack_visual_indexes=[0])
    return transformers.Qwen3VLMoeConfig(
        text_config=text, vision_config=vision, tie_word_embeddings=True, **special_ids(tokenizer)
    )


def _recurrent_config(shape: TinyShape, tokenizer: Any) -> Any:
    kinds = ["linear_attention"] * (shape.text_layers - 1) + ["full_attention"]
    text = text_of(shape, tokenizer, layer_types=kinds, rope_parameters=_rope(shape, 0.5, mrope_interleaved=True))
    text |= {"linear_num_value_heads": 2, "linear_num_key_heads": 1, "linear_conv_kernel_dim": 4}
    text |= {"linear_key_head_dim": shape.head_size, "linear_value_head_dim": shape.head_size}
    vision = patch_tower(shape, num_position_embeddings=256)
    return transformers.Qwen3_5Config(
        text_config=text, vision_config=vision, tie_word_embeddings=True, **special_ids(tokenizer)
    )


def _recurrent_experts_config(shape: TinyShape, tokenizer: Any) -> Any:
    config = _recurrent_config(shape, tokenizer).to_dict()
    text = {
        name: value for name, value in config["text_config"].items() if name not in ("model_type", "intermediate_size")
    }
    text |= {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": shape.mlp_width // 2}
    text["shared_expert_intermediate_size"] = shape.mlp_width // 2
    vision = {name: value for name, value in config["vision_config"].items() if name != "model_type"}
    return transformers.Qwen3_5MoeConfig(
        text_config=text, vision_config=vision, tie_word_embeddings=True, **special_ids(tokenizer)
    )


def _mistral_config(shape: TinyShape, tokenizer: Any) -> Any:
    return transformers.Mistral3Config(
        text_config={"model_type": "mistral", **text_of(shape, tokenizer, sliding_window=None)},
        vision_config=vision_of(shape, model_type="pixtral", image_size=8 * shape.patch),
        image_token_index=tokenizer.vocab["[IMG]"],
        spatial_merge_size=2,
        vision_feature_layer=-1,
        tie_word_embeddings=True,
    )


def _mistral_processor(shape: TinyShape, tokenizer: Any) -> Any:
    side = {"height": shape.patch, "width": shape.patch}
    images = transformers.PixtralImageProcessorPil(size={"longest_edge": 8 * shape.patch}, patch_size=side)
    return transformers.PixtralProcessor(
        images, tokenizer, patch_size=shape.patch, spatial_merge_size=2, chat_template=template("[IMG]")
    )


MODELS = {
    "tiny-glm-4.6v": TinyModel(lambda shape: (*FRAME, *_GLM, *_GLM_NAMED.values()), _glm_config, _glm_processor),
    "tiny-qwen3-vl-moe": TinyModel(special_tokens, _experts_config, small_processor),
    "tiny-qwen3.5": TinyModel(special_tokens, _recurrent_config, small_processor),
    "tiny-qwen3.5-moe": TinyModel(special_tokens, _recurrent_experts_config, small_processor),
    "tiny-mistral3": TinyModel(
        lambda shape: (*FRAME, "[IMG]", "[IMG_BREAK]", "[IMG_END]"), _mistral_config, _mistral_processor
    ),
}

"""Small models whose tower reads images or tiles of one size: InternVL, LLaVA-NeXT, LLaVA-OneVision, Aya Vision."""

from __future__ import annotations

from typing import Any

import transformers

from vlrl.model.families.small.parts import FRAME, named, pinpoints, square, template, text_of, vision_of
from vlrl.model.families.tiny_parts import TinyModel, TinyShape
from vlrl.model.folders.processor_compat import allow_processors_without_torchvision, new_video_processor

_INTERN = {
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "context_image_token": "<IMG_CONTEXT>",
    "video_token": "<video>",
}


def _intern_config(shape: TinyShape, tokenizer: Any) -> Any:
    per_tile = (shape.tile // shape.patch // 2) ** 2
    vision = vision_of(
        shape, image_size=[shape.tile] * 2, patch_size=[shape.patch] * 2, use_absolute_position_embeddings=True
    )
    return transformers.InternVLConfig(
        text_config={"model_type": "qwen2", **text_of(shape, tokenizer)},
        vision_config=vision,
        image_token_id=tokenizer.vocab["<IMG_CONTEXT>"],
        image_seq_length=per_tile,
        downsample_ratio=0.5,
        tie_word_embeddings=True,
    )


def _tile_cutter(shape: TinyShape) -> Any:
    return transformers.GotOcr2ImageProcessorPil(size=square(shape), crop_to_patches=True, min_patches=1, max_patches=4)


def _intern_processor(shape: TinyShape, tokenizer: Any) -> Any:
    allow_processors_without_torchvision()
    return transformers.InternVLProcessor(
        _tile_cutter(shape),
        named(tokenizer, **_INTERN),
        new_video_processor("InternVLVideoProcessor"),
        image_seq_length=(shape.tile // shape.patch // 2) ** 2,
        chat_template=template("<IMG_CONTEXT>"),
    )


def _next_config(shape: TinyShape, tokenizer: Any) -> Any:
    return transformers.LlavaNextConfig(
        text_config={"model_type": "llama", **text_of(shape, tokenizer)},
        vision_config=vision_of(shape, model_type="clip_vision_model", num_hidden_layers=shape.vision_layers + 1),
        image_token_index=tokenizer.vocab["<image>"],
        image_grid_pinpoints=pinpoints(shape),
        vision_feature_select_strategy="default",
        vision_feature_layer=-2,
        image_seq_length=(shape.tile // shape.patch) ** 2,
        tie_word_embeddings=True,
    )


def _next_processor(shape: TinyShape, tokenizer: Any) -> Any:
    images = transformers.LlavaNextImageProcessorPil(
        size={"shortest_edge": shape.tile}, crop_size=square(shape), image_grid_pinpoints=pinpoints(shape)
    )
    return transformers.LlavaNextProcessor(
        images,
        tokenizer,
        patch_size=shape.patch,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=template("<image>"),
    )


def _onevision_config(shape: TinyShape, tokenizer: Any) -> Any:
    return transformers.LlavaOnevisionConfig(
        text_config={"model_type": "qwen2", **text_of(shape, tokenizer)},
        vision_config=vision_of(shape, model_type="siglip_vision_model", vision_use_head=False),
        image_token_index=tokenizer.vocab["<image>"],
        video_token_index=tokenizer.vocab["<video>"],
        image_grid_pinpoints=[[shape.tile] * 2, *pinpoints(shape)],
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
        tie_word_embeddings=True,
    )


def _onevision_processor(shape: TinyShape, tokenizer: Any) -> Any:
    allow_processors_without_torchvision()
    images = transformers.LlavaOnevisionImageProcessorPil(
        size=square(shape), image_grid_pinpoints=[[shape.tile] * 2, *pinpoints(shape)]
    )
    return transformers.LlavaOnevisionProcessor(
        images,
        tokenizer,
        new_video_processor("LlavaOnevisionVideoProcessor"),
        num_image_tokens=(shape.tile // shape.patch) ** 2,
        vision_feature_select_strategy="full",
        chat_template=template("<image>"),
    )


_AYA = ("<image>", "<|START_OF_IMG|>", "<|END_OF_IMG|>", "<|IMG_PATCH|>", "<|IMG_LINE_BREAK|>", "TILE", "TILE_GLOBAL")


def _aya_config(shape: TinyShape, tokenizer: Any) -> Any:
    # alternating windows, as its published decoder has
    kinds = ["sliding_attention" if i % 2 == 0 else "full_attention" for i in range(shape.text_layers)]
    text = text_of(shape, tokenizer, sliding_window=24, layer_types=kinds)
    return transformers.AyaVisionConfig(
        text_config={"model_type": "cohere2", **text},
        vision_config=vision_of(shape, model_type="siglip_vision_model", vision_use_head=False),
        image_token_index=tokenizer.vocab["<|IMG_PATCH|>"],
        downsample_factor=2,
        tie_word_embeddings=True,
    )


def _aya_processor(shape: TinyShape, tokenizer: Any) -> Any:
    return transformers.AyaVisionProcessor(
        _tile_cutter(shape),
        tokenizer,
        patch_size=shape.patch,
        img_size=shape.tile,
        downsample_factor=2,
        chat_template=template("<image>"),
    )


MODELS = {
    "tiny-internvl": TinyModel(lambda shape: (*FRAME, *_INTERN.values()), _intern_config, _intern_processor),
    "tiny-llava-next": TinyModel(lambda shape: (*FRAME, "<image>"), _next_config, _next_processor),
    "tiny-llava-onevision": TinyModel(
        lambda shape: (*FRAME, "<image>", "<video>"), _onevision_config, _onevision_processor
    ),
    "tiny-aya-vision": TinyModel(lambda shape: (*FRAME, *_AYA), _aya_config, _aya_processor),
}

"""Small models whose images, or whose prompts, are read in both directions: Gemma 3, Gemma 4, PaliGemma 2."""

from __future__ import annotations

from typing import Any

import transformers

from vlrl.model.families.small.parts import FRAME, named, square, template, text_of, vision_of
from vlrl.model.families.tiny_parts import TinyModel, TinyShape
from vlrl.model.folders.processor_compat import allow_processors_without_torchvision, new_video_processor

WINDOW = 24  # tokens
_GEMMA = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}


def _alternating(shape: TinyShape) -> dict[str, Any]:
    kinds = ["sliding_attention" if i % 2 == 0 else "full_attention" for i in range(shape.text_layers)]
    return {"sliding_window": WINDOW, "layer_types": kinds}


def _gemma3_config(shape: TinyShape, tokenizer: Any) -> Any:
    text = text_of(shape, tokenizer, query_pre_attn_scalar=shape.head_size, **_alternating(shape))
    del text["rope_parameters"]  # two bases, by kind of layer: its own defaults
    return transformers.Gemma3Config(
        text_config=text,
        vision_config=vision_of(shape),
        mm_tokens_per_image=_per_image(shape),
        image_token_id=tokenizer.vocab["<image_soft_token>"],
        boi_token_index=tokenizer.vocab["<start_of_image>"],
        eoi_token_index=tokenizer.vocab["<end_of_image>"],
        tie_word_embeddings=True,
    )


def _per_image(shape: TinyShape) -> int:
    """Tokens of an image: half of its patches along a side, or all where there are two."""
    side = shape.tile // shape.patch
    return max(4, (side // 2) ** 2)


def _gemma3_processor(shape: TinyShape, tokenizer: Any) -> Any:
    images = transformers.Gemma3ImageProcessorPil(size=square(shape))
    return transformers.Gemma3Processor(
        images,
        named(tokenizer, **_GEMMA),
        image_seq_length=_per_image(shape),
        chat_template=template("<start_of_image>"),
    )


def _paligemma_config(shape: TinyShape, tokenizer: Any) -> Any:
    from transformers.models.paligemma.processing_paligemma import EXTRA_TOKENS

    vocabulary = len(tokenizer) + len(EXTRA_TOKENS)  # places and shapes, which its processor adds
    text = text_of(shape, tokenizer, query_pre_attn_scalar=shape.head_size, **_alternating(shape))
    text["vocab_size"] = vocabulary
    return transformers.PaliGemmaConfig(
        text_config={"model_type": "gemma2", "attn_logit_softcapping": 50.0, **text},
        vision_config=vision_of(
            shape, model_type="siglip_vision_model", vision_use_head=False, projection_dim=shape.text_width
        ),
        image_token_index=tokenizer.vocab["<image>"],
        vocab_size=vocabulary,
        projection_dim=shape.text_width,
        hidden_size=shape.text_width,
        tie_word_embeddings=True,
    )


def _paligemma_processor(shape: TinyShape, tokenizer: Any) -> Any:
    images = transformers.SiglipImageProcessorPil(size=square(shape))
    images.image_seq_length = (shape.tile // shape.patch) ** 2
    return transformers.PaliGemmaProcessor(
        images, named(tokenizer, image_token="<image>"), chat_template=template("<image>")
    )


_GEMMA4 = {"boi_token": "<|image>", "eoi_token": "<image|>", "image_token": "<|image|>"}
_GEMMA4 |= {"boa_token": "<|audio>", "eoa_token": "<audio|>", "audio_token": "<|audio|>"}


def _gemma4_config(shape: TinyShape, tokenizer: Any) -> Any:
    ids = tokenizer.convert_tokens_to_ids
    # as many layers again, which read the keys of those before them
    layers, kinds = 2 * shape.text_layers, ("sliding_attention", "full_attention")
    text = text_of(shape, tokenizer, num_hidden_layers=layers, num_kv_shared_layers=shape.text_layers)
    text |= {"layer_types": [kinds[i % 2] for i in range(layers - 1)] + [kinds[1]], "sliding_window": WINDOW}
    text |= {"hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": len(tokenizer)}
    text |= {"use_bidirectional_attention": "vision", "global_head_dim": 2 * shape.head_size}
    text |= {"final_logit_softcapping": 30.0}
    del text["rope_parameters"]
    vision = {
        "hidden_size": shape.vision_width,
        "intermediate_size": shape.vision_width * 4,
        "num_hidden_layers": shape.vision_layers,
        "num_attention_heads": shape.vision_heads,
        "num_key_value_heads": shape.vision_heads,
        "head_dim": shape.vision_width // shape.vision_heads,
        "patch_size": shape.patch,
        "pooling_kernel_size": 2,
        "position_embedding_size": 1024,
    }
    return transformers.Gemma4Config(
        text_config=text,
        vision_config=vision,
        audio_config=None,
        boi_token_id=ids("<|image>"),
        eoi_token_id=ids("<image|>"),
        image_token_id=ids("<|image|>"),
        video_token_id=ids("<|video|>"),
        boa_token_id=ids("<|audio>"),
        eoa_token_index=ids("<audio|>"),
        audio_token_id=ids("<|audio|>"),
        tie_word_embeddings=True,
    )


def _gemma4_processor(shape: TinyShape, tokenizer: Any) -> Any:
    allow_processors_without_torchvision()
    images = transformers.Gemma4ImageProcessorPil(patch_size=shape.patch, max_soft_tokens=70, pooling_kernel_size=2)
    return transformers.Gemma4Processor(
        transformers.Gemma4AudioFeatureExtractor(),
        images,
        named(tokenizer, **_GEMMA4),
        new_video_processor("Gemma4VideoProcessor"),
        image_seq_length=70,
        chat_template=template("<|image|>"),
    )


MODELS = {
    "tiny-gemma4": TinyModel(lambda shape: (*FRAME, *_GEMMA4.values(), "<|video|>"), _gemma4_config, _gemma4_processor),
    "tiny-gemma3": TinyModel(lambda shape: (*FRAME, *_GEMMA.values()), _gemma3_config, _gemma3_processor),
    "tiny-paligemma2": TinyModel(lambda shape: (*FRAME, "<image>"), _paligemma_config, _paligemma_processor),
}

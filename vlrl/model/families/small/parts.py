"""What small models of the generic family are made of: a tokenizer with named tokens, text and vision sizes."""

from __future__ import annotations

from typing import Any

import transformers

from vlrl.model.families.tiny_parts import CHAT_TEMPLATE, SPECIAL, TinyShape, text_settings

FRAME = SPECIAL[:3]  # end of text, start and end of a turn


def template(image: str) -> str:
    """The small models' chat template with another mark of an image."""
    return CHAT_TEMPLATE.replace("<|vision_start|><|image_pad|><|vision_end|>", image)


def named(tokenizer: transformers.PreTrainedTokenizerFast, **names: str) -> transformers.PreTrainedTokenizerFast:
    """The tokenizer with tokens that processors ask for by name, e.g. `image_token`."""
    found = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer,
        eos_token=tokenizer.eos_token,
        pad_token=tokenizer.pad_token,
        bos_token=tokenizer.pad_token,
        extra_special_tokens=names,
        clean_up_tokenization_spaces=False,
    )
    found.model_max_length, found.chat_template = tokenizer.model_max_length, tokenizer.chat_template
    return found


def text_of(shape: TinyShape, tokenizer: Any, **more: Any) -> dict[str, Any]:
    """The decoder's configuration; `more` as a family has it."""
    return {**text_settings(shape, tokenizer, {}), **more}


def vision_of(shape: TinyShape, **more: Any) -> dict[str, Any]:
    """The tower's configuration by the names of CLIP and SigLIP."""
    return {
        "hidden_size": shape.vision_width,
        "intermediate_size": shape.vision_width * 4,
        "num_hidden_layers": shape.vision_layers,
        "num_attention_heads": shape.vision_heads,
        "image_size": shape.tile,
        "patch_size": shape.patch,
        **more,
    }


def square(shape: TinyShape) -> dict[str, int]:
    """Pixels of the tower's images."""
    return {"height": shape.tile, "width": shape.tile}


def pinpoints(shape: TinyShape) -> list[list[int]]:
    """Sizes that LLaVA's processors fit an image into, in tiles of two a side at most."""
    side = shape.tile
    return [[side, 2 * side], [2 * side, side], [2 * side, 2 * side]]

"""LLaVA 1.5 as a family of one's own (docs/models.md): `plugins: [llava_family.py]` in a config, `build: tiny-llava`.

One tower of CLIP's, images of one size, a feature a patch: the simplest that a family can be.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from transformers import CLIPImageProcessorPil, LlavaConfig, LlavaProcessor
from transformers.modeling_outputs import BaseModelOutputWithPooling

from vlrl.model.families.family import Family, TowerShape, families
from vlrl.model.families.image_types import ImageFeatures, Pixels
from vlrl.model.families.tiny_parts import CHAT_TEMPLATE, SPECIAL, TinyModel, text_settings

SIDE = 4  # patches of a small model's images


def config(shape: Any, tokenizer: Any) -> LlavaConfig:
    """Of the small model."""
    vision = {"hidden_size": shape.vision_width, "intermediate_size": 2 * shape.vision_width, "patch_size": shape.patch}
    vision |= {"num_hidden_layers": shape.vision_layers, "num_attention_heads": shape.vision_heads}
    vision |= {"model_type": "clip_vision_model", "image_size": SIDE * shape.patch, "projection_dim": 8}
    text = {"model_type": "llama", **text_settings(shape, tokenizer, {})}
    token = tokenizer.convert_tokens_to_ids("<image>")
    ids = {"image_token_id": token, "image_seq_length": SIDE**2}
    return LlavaConfig(vision_config=vision, text_config=text, tie_word_embeddings=True, **ids)


def processor(shape: Any, tokenizer: Any) -> LlavaProcessor:
    """Of the small model."""
    side = SIDE * shape.patch
    images = CLIPImageProcessorPil(size={"height": side, "width": side}, crop_size={"height": side, "width": side})
    template = CHAT_TEMPLATE.replace("<|vision_start|><|image_pad|><|vision_end|>", "<image>")
    return LlavaProcessor(images, tokenizer, shape.patch, "default", template, num_additional_image_tokens=1)


@families.register("llava")
class Llava(Family):
    """Patches of one size; the class token at their front is left out."""

    tiny: ClassVar = {"tiny-llava": TinyModel(lambda shape: (*SPECIAL[:3], "<image>"), config, processor)}

    def side(self, config):
        """Patches a side."""
        return config.vision_config.image_size // config.vision_config.patch_size

    def cut(self, output, prompts, counts, loaded):
        """One image after another."""
        side = self.side(loaded.config)
        values = torch.from_numpy(np.asarray(output["pixel_values"], dtype=np.float32))
        return [Pixels(one[None], (1, side, side)) for one in values]

    def encode_images(self, core, own, images, device):
        """All of a size, so that one call takes them all."""
        values = torch.cat([one.values for one in images]).to(device)
        return [ImageFeatures(one) for one in own(core, values, return_dict=True).pooler_output]

    def stand_in(self, features):
        """LLaVA's own returns a list, one tensor an image."""
        merged = [one.merged for one in features]
        return BaseModelOutputWithPooling(pooler_output=merged), {"pixel_values": merged[0]}

    def merge(self, config):
        """None are merged."""
        return 1

    def patches(self, config, image_processor, width, height):
        """The same of every image."""
        return self.side(config) ** 2

    def misfit(self, config, pixels):
        """Whether the processor makes images of the tower's size."""
        side, wanted = pixels.values.shape[-1], config.vision_config.image_size
        return None if side == wanted else f"makes images of {side} pixels, the tower reads {wanted}"

    def tower(self, config):
        """CLIP's sizes."""
        vision = config.vision_config
        return TowerShape(vision.num_hidden_layers, vision.hidden_size, vision.intermediate_size)

    def tower_pairs(self, config, patches):
        """Every patch sees every other, and the class token."""
        return float(config.vision_config.num_hidden_layers * (patches + 1) ** 2)

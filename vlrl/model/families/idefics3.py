"""Idefics3 and SmolVLM: square tiles of one size, and the whole image once more; a SigLIP tower, plain positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
import transformers
from PIL import Image as Pillow

from vlrl.errors import ConfigError
from vlrl.model.families.family import Family, TowerShape, families
from vlrl.model.families.image_types import ImageFeatures, Pixels
from vlrl.model.families.tiny_parts import CHAT_TEMPLATE, SPECIAL, TinyModel, TinyShape, text_settings

TILE_TOKENS = 16  # most tokens of `<fake_token_around_image><row_1_col_1>` and a line's end, also where they are spelt
TILE_SPECIAL = ("<fake_token_around_image>", "<image>", "<global-img>", "<end_of_utterance>")


def _special(shape: TinyShape) -> tuple[str, ...]:
    side = range(1, shape.tiles_a_side + 1) if shape.tiles_a_side > 1 else ()
    rows = (f"<row_{row}_col_{column}>" for row in side for column in side)
    return (*SPECIAL[:3], *TILE_SPECIAL, *rows)


def _config(shape: TinyShape, tokenizer: transformers.PreTrainedTokenizerFast) -> transformers.Idefics3Config:
    vision = {
        "num_hidden_layers": shape.vision_layers,
        "hidden_size": shape.vision_width,
        "intermediate_size": shape.vision_width * 4,
        "num_attention_heads": shape.vision_heads,
        "patch_size": shape.patch,
        "image_size": shape.tile,
    }
    text = text_settings(shape, tokenizer, {})
    return transformers.Idefics3Config(
        text_config={"model_type": "llama", **text},
        vision_config=vision,
        scale_factor=2,
        tie_word_embeddings=True,
        pad_token_id=text["pad_token_id"],
        image_token_id=tokenizer.vocab["<image>"],
    )


def _processor(shape: TinyShape, tokenizer: transformers.PreTrainedTokenizerFast) -> Any:
    images = transformers.Idefics3ImageProcessorPil(
        size={"longest_edge": shape.tile * shape.tiles_a_side}, max_image_size={"longest_edge": shape.tile}
    )
    template = CHAT_TEMPLATE.replace("<|vision_start|><|image_pad|><|vision_end|>", "<image>")
    length = (shape.tile // shape.patch // 2) ** 2
    return transformers.Idefics3Processor(images, tokenizer, image_seq_len=length, chat_template=template)


@families.register("idefics3")
@families.register("smolvlm")
class Tiles(Family):
    """Idefics3 and SmolVLM: square tiles of one size, and the whole image once more as the last tile.

    Prompts are `<fake…><row_1_col_1>` + a tile's placeholders + …; the last tile of every image stands behind
    `<global-img>`. That is how many tiles an image has is read from the prompt.
    """

    marks = ("<image>", "<fake_token_around_image>", "<global-img>", "<row_")
    tower_names = ("vision_model",)
    projector_names = ("connector",)
    tiny: ClassVar = {"tiny-idefics3": TinyModel(_special, _config, _processor)}

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
        if not isinstance(output, torch.Tensor):  # transformers 5.24: (tiles · n, d) of every prompt, in a list
            side = int(core.config.vision_config.image_size) // int(core.config.vision_config.patch_size)
            output = torch.cat(list(output)).unflatten(0, (-1, side**2 // self.merge(core.config)))
        if len(output) != values.shape[1]:
            raise ConfigError("image", "a tile holds nothing but zeros, which the model skips", "leave the image out")
        split = torch.split(output, [one.grid[0] for one in images])
        return [ImageFeatures(one) for one in split]

    def stand_in(self, features: Sequence[ImageFeatures]) -> tuple[Any, dict[str, Any]]:
        """(tiles, n, d) of all images; a tile has n placeholders in the prompt."""
        merged = torch.cat([f.merged for f in features])
        return transformers.modeling_outputs.BaseModelOutputWithPooling(pooler_output=merged), {"pixel_values": merged}  # type: ignore[arg-type]

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

    def tower(self, config: Any) -> TowerShape:
        """By SigLIP's names."""
        vision = config.vision_config
        return TowerShape(int(vision.num_hidden_layers), int(vision.hidden_size), int(vision.intermediate_size))

    def tower_pairs(self, config: Any, patches: int) -> float:
        """Patches of one tile attend to each other."""
        vision = config.vision_config
        return float(int(vision.num_hidden_layers) * patches * (int(vision.image_size) // int(vision.patch_size)) ** 2)

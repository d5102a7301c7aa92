"""Small models of real architectures, built on the spot: Hugging Face folders that everything else loads as usual.

The defaults are the shape that learned on two CPU cores: about 0.6 M parameters, 48 px images = 9 visual tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
import transformers
from pydantic import Field, model_validator
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForImageTextToText,
    GenerationConfig,
    Idefics3Config,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen3VLConfig,
)

from vlrl.config import Settings
from vlrl.errors import did_you_mean
from vlrl.runlog.atomic_files import whole_folder

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
TILE_SPECIAL = ("<fake_token_around_image>", "<image>", "<global-img>", "<end_of_utterance>")
MARKS = ("<think>", "</think>", "<answer>", "</answer>")  # one token each, so that a tiny model can learn the format

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}{% for piece in message.content %}"
    "{% if piece.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ piece.text }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class TinyShape(Settings):
    """Sizes of a small model. Pixels are multiples of patch × merge (16 by default).

    tile, tiles_a_side  Idefics3 only: pixels of a tile's side, and tiles along the longer side of every image
    """

    text_width: int = Field(default=96, ge=1)
    text_layers: int = Field(default=3, ge=1)
    head_size: int = Field(default=32, ge=1)
    key_value_heads: int = Field(default=3, ge=1)
    mlp_width: int = Field(default=256, ge=1)
    vision_width: int = Field(default=64, ge=1)
    vision_layers: int = Field(default=2, ge=1)
    vision_heads: int = Field(default=2, ge=1)
    patch: int = Field(default=8, ge=1)
    tile: int = Field(default=48, ge=1)
    tiles_a_side: int = Field(default=1, ge=1)
    vocabulary: int = Field(default=400, ge=1)
    context: int = Field(default=2048, ge=1)
    min_pixels: int = Field(default=16 * 16, ge=1)
    max_pixels: int = Field(default=1024 * 1024, ge=1)

    @model_validator(mode="after")
    def _heads_share_keys_evenly(self) -> TinyShape:
        heads = max(1, self.text_width // self.head_size)
        if heads % self.key_value_heads:
            raise ValueError(
                f"text_width {self.text_width} and head_size {self.head_size} make {heads} heads, which can't share "
                f"{self.key_value_heads} key_value_heads evenly; give a divisor of {heads}"
            )
        return self


def train_tokenizer(
    texts: Iterable[str], vocabulary: int, special: tuple[str, ...] = SPECIAL
) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with these special tokens; digits are single tokens, any text round-trips."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d|[^\w\s]| ?[^\W\d]+|\s"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(MARKS),
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens(list(MARKS))
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>", *special[3:]],
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def _text_settings(shape: TinyShape, tokenizer: PreTrainedTokenizerFast, mrope: dict[str, Any]) -> dict[str, Any]:
    ids = tokenizer.convert_tokens_to_ids
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": shape.text_width,
        "intermediate_size": shape.mlp_width,
        "num_hidden_layers": shape.text_layers,
        "num_attention_heads": max(1, shape.text_width // shape.head_size),
        "num_key_value_heads": shape.key_value_heads,
        "head_dim": shape.head_size,
        "max_position_embeddings": shape.context,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0, **mrope},
        "pad_token_id": ids("<|endoftext|>"),
        "bos_token_id": None,
        "eos_token_id": ids("<|im_end|>"),
        "tie_word_embeddings": True,
    }


def _special_ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    names = {"image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>"}
    names |= {"vision_start_token_id": "<|vision_start|>", "vision_end_token_id": "<|vision_end|>"}
    return {key: tokenizer.convert_tokens_to_ids(token) for key, token in names.items()}


def _sections(head_size: int) -> list[int]:
    """mrope sections (time, height, width): half of the head's frequencies, a half and two quarters."""
    half = head_size // 2
    return [half - 2 * (half // 4), half // 4, half // 4]


def qwen3_vl_config(shape: TinyShape, tokenizer: PreTrainedTokenizerFast) -> Qwen3VLConfig:
    """A Qwen3-VL configuration: deepstack, interleaved mrope, learned and rotary positions in the vision tower."""
    mrope = {"mrope_section": _sections(shape.head_size), "mrope_interleaved": True}
    vision = {
        "depth": shape.vision_layers,
        "hidden_size": shape.vision_width,
        "intermediate_size": shape.vision_width * 4,
        "num_heads": shape.vision_heads,
        "patch_size": shape.patch,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": shape.text_width,
        "num_position_embeddings": 256,
        "deepstack_visual_indexes": [0],
    }
    return Qwen3VLConfig(
        text_config=_text_settings(shape, tokenizer, mrope),
        vision_config=vision,
        tie_word_embeddings=True,
        **_special_ids(tokenizer),
    )


def qwen2_5_vl_config(shape: TinyShape, tokenizer: PreTrainedTokenizerFast) -> Qwen2_5_VLConfig:
    """A Qwen2.5-VL configuration: window attention in the vision tower, sectioned mrope."""
    text = _text_settings(shape, tokenizer, {"mrope_section": _sections(shape.head_size)})
    vision = {
        "depth": shape.vision_layers,
        "hidden_size": shape.vision_width,
        "intermediate_size": shape.vision_width * 4,
        "num_heads": shape.vision_heads,
        "patch_size": shape.patch,
        "spatial_patch_size": shape.patch,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": shape.text_width,
        "window_size": shape.patch * 8,
        "fullatt_block_indexes": [shape.vision_layers - 1],
    }
    return Qwen2_5_VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=True, **_special_ids(tokenizer))


def idefics3_config(shape: TinyShape, tokenizer: PreTrainedTokenizerFast) -> Idefics3Config:
    """An Idefics3 configuration (SmolVLM's first generation): a SigLIP tower on tiles, Llama with plain positions."""
    vision = {
        "num_hidden_layers": shape.vision_layers,
        "hidden_size": shape.vision_width,
        "intermediate_size": shape.vision_width * 4,
        "num_attention_heads": shape.vision_heads,
        "patch_size": shape.patch,
        "image_size": shape.tile,
    }
    text = _text_settings(shape, tokenizer, {})
    return Idefics3Config(
        text_config={"model_type": "llama", **text},
        vision_config=vision,
        scale_factor=2,
        tie_word_embeddings=True,
        pad_token_id=text["pad_token_id"],
        image_token_id=tokenizer.vocab["<image>"],
    )


ARCHITECTURES: dict[str, Callable[[TinyShape, PreTrainedTokenizerFast], Any]] = {
    "tiny-qwen3-vl": qwen3_vl_config,
    "tiny-qwen2.5-vl": qwen2_5_vl_config,
    "tiny-idefics3": idefics3_config,
}


def check_architecture(name: str) -> str:
    """The name itself. Raises ValueError with the closest known one."""
    if name not in ARCHITECTURES:
        raise ValueError(f"unknown small architecture {name!r}; {did_you_mean(name, ARCHITECTURES)}")
    return name


def small_parts(name: str, texts: Iterable[str], shape: TinyShape | None = None) -> tuple[Any, Any]:
    """(configuration, processor) of a small model, before any weight is made. `texts` train the tokenizer."""
    transformers.utils.logging.disable_progress_bar()
    shape = shape or TinyShape()
    tiled = check_architecture(name) == "tiny-idefics3"
    special = (*SPECIAL[:3], *TILE_SPECIAL, *_tile_names(shape)) if tiled else SPECIAL
    frame = "<|im_start|>user\n<|im_end|>\n<|im_start|>assistant\n"  # the template's own words become single tokens
    tokenizer = train_tokenizer([*texts, *[frame] * 1000], shape.vocabulary, special)
    tokenizer.model_max_length = shape.context
    config = ARCHITECTURES[name](shape, tokenizer)
    config.dtype = "float32"
    return config, _tile_processor(shape, tokenizer) if tiled else _patch_processor(name, shape, tokenizer)


def _patch_processor(name: str, shape: TinyShape, tokenizer: PreTrainedTokenizerFast) -> Any:
    from transformers import Qwen2_5_VLProcessor, Qwen2VLImageProcessorPil, Qwen3VLProcessor

    from vlrl.model.folders.processor_compat import allow_processors_without_torchvision, new_video_processor

    allow_processors_without_torchvision()
    images = Qwen2VLImageProcessorPil(
        patch_size=shape.patch,
        merge_size=2,
        temporal_patch_size=2,
        size={"shortest_edge": shape.min_pixels, "longest_edge": shape.max_pixels},
    )
    is_qwen3 = name == "tiny-qwen3-vl"
    videos = new_video_processor(
        "Qwen3VLVideoProcessor" if is_qwen3 else "Qwen2VLVideoProcessor",
        patch_size=shape.patch,
        merge_size=2,
        temporal_patch_size=2,
    )
    processor_class = Qwen3VLProcessor if is_qwen3 else Qwen2_5_VLProcessor
    return processor_class(images, tokenizer, videos, chat_template=CHAT_TEMPLATE)


def _tile_names(shape: TinyShape) -> tuple[str, ...]:
    side = range(1, shape.tiles_a_side + 1) if shape.tiles_a_side > 1 else ()
    return tuple(f"<row_{row}_col_{column}>" for row in side for column in side)


def _tile_processor(shape: TinyShape, tokenizer: PreTrainedTokenizerFast) -> Any:
    from transformers import Idefics3ImageProcessorPil, Idefics3Processor

    images = Idefics3ImageProcessorPil(
        size={"longest_edge": shape.tile * shape.tiles_a_side}, max_image_size={"longest_edge": shape.tile}
    )
    template = CHAT_TEMPLATE.replace("<|vision_start|><|image_pad|><|vision_end|>", "<image>")
    length = (shape.tile // shape.patch // 2) ** 2
    return Idefics3Processor(images, tokenizer, image_seq_len=length, chat_template=template)


def build_tiny(name: str, texts: Iterable[str], folder: str | Path, seed: int, shape: TinyShape | None = None) -> Path:
    """Write a randomly initialised small model with its processor to `folder`; returns the folder.

    `texts` train the tokenizer. The same arguments write the same weights.
    """
    folder = Path(folder)
    config, processor = small_parts(name, texts, shape)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForImageTextToText.from_config(config)
    model.generation_config = GenerationConfig(
        eos_token_id=config.text_config.eos_token_id, pad_token_id=config.text_config.pad_token_id
    )
    with whole_folder(folder) as place:
        model.save_pretrained(place)
        processor.save_pretrained(place)
    return folder

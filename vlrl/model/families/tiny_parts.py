"""What small models of all families share: their shape, a tokenizer, a chat template, the decoder's settings.

The defaults are the shape that learned on two CPU cores: about 0.6 M parameters, 48 px images = 9 visual tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import transformers
from pydantic import Field, model_validator
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from vlrl.config import Settings

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
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
) -> transformers.PreTrainedTokenizerFast:
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
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>", *special[3:]],
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def text_settings(
    shape: TinyShape, tokenizer: transformers.PreTrainedTokenizerFast, mrope: dict[str, Any]
) -> dict[str, Any]:
    """The decoder's configuration; `mrope` are further rotary parameters."""
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


@dataclass(frozen=True)
class TinyModel:
    """How a small model of a family is made from a shape and its tokenizer.

    special    the tokenizer's special tokens: end of text, start and end of a turn, then those of images
    config     the model's configuration
    processor  its processor
    """

    special: Callable[[TinyShape], tuple[str, ...]]
    config: Callable[[TinyShape, transformers.PreTrainedTokenizerFast], Any]
    processor: Callable[[TinyShape, transformers.PreTrainedTokenizerFast], Any]

"""The shape of the smallest models that benchmarks and tests build, and the texts that their tokenizers learn from."""

from __future__ import annotations

from vlrl.model.families.tiny_parts import TinyShape

TEXTS = ("How many cards? What is 3+4=?", "<think>3 and 4</think><answer>7</answer>", "red green blue left right") * 5
SHAPE = TinyShape(
    text_width=32,
    text_layers=2,
    head_size=16,
    key_value_heads=1,
    mlp_width=48,
    vision_width=32,
    vision_layers=2,
    vision_heads=2,
    tile=16,
    tiles_a_side=2,
    vocabulary=310,
    context=640,
)

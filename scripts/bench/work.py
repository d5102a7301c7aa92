"""How much work a forward pass is: tokens through the language model, and multiply-adds as 2 FLOP each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Work:
    """tokens of the language model, patches of the vision tower, flops of both together."""

    tokens: float = 0
    patches: float = 0
    flops: float = 0

    def __add__(self, other: Work) -> Work:
        return Work(self.tokens + other.tokens, self.patches + other.patches, self.flops + other.flops)

    def __mul__(self, times: float) -> Work:
        return Work(self.tokens * times, self.patches * times, self.flops * times)


def language(model: Any, tokens: int, seen_before: int = 0) -> Work:
    """`tokens` new tokens in causal order behind `seen_before` others."""
    config = model.config.get_text_config()
    weights = sum(p.numel() for n, p in model.named_parameters() if "language_model.layers" in n and p.ndim == 2)
    seen = tokens * seen_before + tokens * (tokens + 1) / 2
    width = config.num_attention_heads * config.head_dim
    kinds = getattr(config, "layer_types", None) or ["full_attention"] * config.num_hidden_layers
    attending = sum(kind != "linear_attention" for kind in kinds)  # states cost the same for every token: not counted
    return Work(tokens=tokens, flops=2 * weights * tokens + 4 * width * attending * seen)


def vision(model: Any, patches: int) -> Work:
    """One image of `patches` patches through the tower and its mergers."""
    config = model.config.vision_config
    tower = model.model.visual
    blocks = sum(p.numel() for p in tower.blocks.parameters() if p.ndim == 2)
    mergers = sum(p.numel() for n, p in tower.named_parameters() if "merger" in n and p.ndim == 2)
    flops = 2 * blocks * patches + 2 * mergers * patches / config.spatial_merge_size**2
    return Work(patches=patches, flops=flops + 4 * config.hidden_size * config.depth * patches**2)

"""Reading prompts: of the decoder's last layer only keys and values are needed, and its output at the last token.

A prompt's other tokens end there: their queries, attention and MLP in that layer would be thrown away.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention


def cache_argument(module: torch.nn.Module) -> str:
    """How a model or a layer of transformers calls the cache that it takes: `cache`, `past_key_values` before 5.24."""
    return _cache_argument(type(module).forward)


@cache
def _cache_argument(forward: Callable[..., Any]) -> str:
    return "cache" if "cache" in inspect.signature(forward).parameters else "past_key_values"


@contextmanager
def last_token_only(model: Any, lengths: torch.Tensor) -> Iterator[None]:
    """The decoder's output is (P, 1, d) at the last token of right-padded prompts of these lengths (P,).

    Keys and values in the cache are those of all tokens, as ever. For decoders of supported_decoders.py only.
    """
    layer = model.get_decoder().layers[-1]
    attention = layer.self_attn
    at = torch.arange(len(lengths), device=lengths.device), lengths - 1
    taken_as = cache_argument(layer)

    def forward(
        hidden_states: torch.Tensor,
        position_embeddings: tuple[torch.Tensor, torch.Tensor],
        **others: Any,
    ) -> torch.Tensor:
        """(P, T, d) → (P, 1, d)."""
        cos, sin = position_embeddings  # (P, T, D)
        x, last = layer.input_layernorm(hidden_states), hidden_states[at][:, None]
        query = attention.q_proj(x[at]).unflatten(-1, (1, -1, attention.head_dim))  # (P, 1, H, D)
        key, value = (part(x).unflatten(-1, (-1, attention.head_dim)) for part in (attention.k_proj, attention.v_proj))
        if hasattr(attention, "k_norm"):
            query, key = attention.q_norm(query), attention.k_norm(key)
        query = _turned(query.transpose(1, 2), cos[at][:, None], sin[at][:, None])
        key = _turned(key.transpose(1, 2), cos, sin)
        keys, values = others[taken_as].update(key, value.transpose(1, 2), attention.layer_idx)
        seen = torch.arange(keys.shape[2], device=keys.device) < lengths[:, None, None, None]
        read = scaled_dot_product_attention(query, keys, values, seen, scale=attention.scaling, enable_gqa=True)
        last = last + attention.o_proj(read.transpose(1, 2).flatten(2))
        found: torch.Tensor = last + layer.mlp(layer.post_attention_layernorm(last))
        return found

    layer.forward = forward
    try:
        yield
    finally:
        del layer.forward


def _turned(heads: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary positions: (P, H, T, D) with (P, T, D)."""
    first, second = heads.chunk(2, -1)
    return heads * cos[:, None] + torch.cat([-second, first], -1) * sin[:, None]

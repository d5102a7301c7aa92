"""How a text decoder reads, by its configuration: whether each token attends to all before it, and to nothing else.

Shared prompts, packed rows and resumed responses rest on that. A sliding window, tokens of images that attend in both
directions or a recurrent state change what a token has read; a configuration says so by fields that transformers'
models have in common.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FULL = "full_attention"  # transformers' name for a layer that attends causally over all tokens
# its names for layers that hand a state from token to token: they attend to nothing
RECURRENT_LAYERS = frozenset({"linear_attention", "conv", "mamba", "recurrent"})
# how names of fields begin that only a decoder with a state has
RECURRENT = ("mamba", "ssm", "recurrent", "rwkv", "lru_width", "linear_num_", "linear_conv", "conv_L_cache")


def layer_kinds(text: Any) -> tuple[str, ...]:
    """transformers' name of each layer's kind, where a configuration lists them; else all have the kind that its window
    or chunk makes them.
    """
    layers = _listed(text)
    if layers:
        return tuple(FULL if kind == "attention" else str(kind) for kind in layers)
    kinds = _windows(text.to_dict())
    return (next(iter(kinds), FULL),) * int(text.num_hidden_layers)


def has_state(config: Any) -> bool:
    """Whether some layers hand a state from token to token."""
    return any(kind in RECURRENT_LAYERS for kind in layer_kinds(config.get_text_config()))


def _listed(text: Any) -> tuple[Any, ...]:
    names = ("layer_types", "layers_block_type", "block_types")
    return tuple(next((layers for name in names if (layers := getattr(text, name, None))), ()))


def reading_of(config: Any) -> dict[str, str]:
    """What a decoder does besides attending causally over all tokens: kind → field of the configuration that says so.

    Kinds are `sliding_attention`, `bidirectional_attention`, `cross_attention`, `recurrent_state` and the other names
    that transformers gives to layers (`chunked_attention`, `linear_attention` …). Empty for a plain decoder.
    """
    text: Mapping[str, Any] = config.get_text_config().to_dict()
    layers = text.get("layer_types") or text.get("layers_block_type") or text.get("block_types") or ()
    found = {str(kind): f"layer_types: {kind}" for kind in layers if kind not in (FULL, "attention")}
    if not layers:
        found |= _windows(text)
    for fields in (text, config.to_dict()):
        if (value := fields.get("use_bidirectional_attention")) or fields.get("is_causal") is False:
            name = f"use_bidirectional_attention: {value}" if value else "is_causal: false"
            found.setdefault("bidirectional_attention", name)
    if crossed := text.get("cross_attention_layers"):
        found["cross_attention"] = f"cross_attention_layers: {crossed}"
    if not layers and (field := next((f for f in text if f.startswith(RECURRENT) and text[f]), None)) is not None:
        found["recurrent_state"] = f"{field}: {text[field]}"
    return found


def _windows(text: Mapping[str, Any]) -> dict[str, str]:
    """Of a decoder that doesn't list its layers."""
    window, chunk = text.get("sliding_window"), text.get("attention_chunk_size")
    found = {}
    if window and text.get("use_sliding_window") is not False:
        found["sliding_attention"] = f"sliding_window: {window}"
    if chunk:
        found["chunked_attention"] = f"attention_chunk_size: {chunk}"
    return found

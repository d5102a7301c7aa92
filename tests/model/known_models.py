"""Text decoders of the kinds in supported_decoders.py, small and with random weights."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace

import torch

from vlrl.model.attention.prompt_attention import SHARED_PREFIX_ATTENTION, register_attention
from vlrl.model.decoding.supported_decoders import known_decoders

GROUPS, PER_GROUP, SIZE, WIDTH = 2, 2, 16, 64
ROPES = {
    "default": {},
    "linear": {"factor": 2.0},
    "llama3": {
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    },
    "yarn": {"factor": 4.0, "original_max_position_embeddings": 64},
    "dynamic": {"factor": 2.0, "original_max_position_embeddings": 64},
}


def decoder(name, rope="default", **more):
    """A decoder of a known kind with random weights, norms and biases included, as a model that has it."""
    folder, kind, *_ = known_decoders()[name]
    made = getattr(import_module(f"transformers.models.{folder}.modeling_{folder}"), kind)
    sections = {"mrope_section": [4, 2, 2]} if "vl" in name else {}
    register_attention()
    config = made.config_class(
        vocab_size=50,
        hidden_size=WIDTH,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=GROUPS * PER_GROUP,
        num_key_value_heads=GROUPS,
        head_dim=SIZE,
        max_position_embeddings=256,
        rope_parameters={"rope_type": rope, "rope_theta": 10_000.0, **sections, **ROPES[rope]},
        **more,
    )
    config._attn_implementation = SHARED_PREFIX_ATTENTION
    torch.manual_seed(3)
    found = made(config).eval()
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.15)
    return SimpleNamespace(get_decoder=lambda: found, lm_head=None)

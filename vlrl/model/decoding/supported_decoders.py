"""Which decoders decode_step.py knows: by the exact class of every module, so that nothing changed is overlooked."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch

from vlrl.model.attention.prompt_attention import reads_blocks

# by the decoder's `model_type`: the module of transformers.models, the classes of decoder and MLP, how the others begin
KNOWN: dict[str, tuple[str, str, str, str]] = {
    "qwen3_vl_text": ("qwen3_vl", "Qwen3VLTextModel", "Qwen3VLTextMLP", "Qwen3VLText"),
    "qwen2_5_vl_text": ("qwen2_5_vl", "Qwen2_5_VLTextModel", "Qwen2MLP", "Qwen2_5_VL"),
    "qwen2_vl_text": ("qwen2_vl", "Qwen2VLTextModel", "Qwen2MLP", "Qwen2VL"),
    "qwen2": ("qwen2", "Qwen2Model", "Qwen2MLP", "Qwen2"),
    "llama": ("llama", "LlamaModel", "LlamaMLP", "Llama"),
}
ROPE_TYPES = ("default", "linear", "llama3", "yarn")  # one set of frequencies, however long the sequence
_PARTS = ("DecoderLayer", "Attention", "RMSNorm", "RotaryEmbedding")
_ANYWHERE = (torch.nn.ModuleList, torch.nn.Linear, torch.nn.Embedding)


def what_is_unknown(model: Any) -> str:
    """What of the model's decoder decode_step.py doesn't know; empty where it knows all of it."""
    decoder = model.get_decoder()
    config = decoder.config
    if config.model_type not in KNOWN:
        return f"the architecture {config.model_type!r}"
    folder, *names, begins = KNOWN[config.model_type]
    home = import_module(f"transformers.models.{folder}.modeling_{folder}")
    classes = {*_ANYWHERE, *(getattr(home, name) for name in names), *(getattr(home, begins + part) for part in _PARTS)}
    classes.add(import_module("transformers.activations").SiLUActivation)
    for name, module in decoder.named_modules():
        if type(module) not in classes:
            return f"{name or 'the decoder'}, a {type(module).__name__}"
        if module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module):
            return f"a hook of {name or 'the decoder'}"
        forward = vars(type(module)).get("forward")
        if forward is not None and forward.__module__ != type(module).__module__:
            return f"{name or 'the decoder'}, whose forward pass is from {forward.__module__}"
    if "sliding_attention" in (getattr(config, "layer_types", None) or ()):
        return "sliding windows"
    if decoder.rotary_emb.rope_type not in ROPE_TYPES:
        return f"the rope type {decoder.rotary_emb.rope_type!r}"
    if not reads_blocks(model):
        return f"the attention {config._attn_implementation!r}"
    kinds = {(type(one), one.dtype, one.device) for one in decoder.parameters()}
    if len(kinds) > 1 or next(iter(kinds))[0] is not torch.nn.Parameter:
        return "weights of several precisions, on several devices or of a class of their own"
    return ""

"""Which decoders decode_step.py knows: by the exact class of every module, so that nothing changed is overlooked."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch.distributed.tensor import DTensor

from vlrl.model.attention.prompt_attention import reads_blocks
from vlrl.model.families.family import DecoderClasses, known_families

PLAIN = {  # text models that families take as they are, by `model_type`
    "qwen2": DecoderClasses("qwen2", "Qwen2Model", "Qwen2MLP", "Qwen2"),
    "llama": DecoderClasses("llama", "LlamaModel", "LlamaMLP", "Llama"),
}
ROPE_TYPES = ("default", "linear", "llama3", "yarn")  # one set of frequencies, however long the sequence
_PARTS = ("DecoderLayer", "Attention", "RMSNorm", "RotaryEmbedding")
_ANYWHERE = (torch.nn.ModuleList, torch.nn.Linear, torch.nn.Embedding)


def known_decoders() -> dict[str, DecoderClasses]:
    """Decoders that decode_step.py can run, by their `model_type`: plain ones, and those that families bring."""
    return {**PLAIN, **{kind: one for family in known_families() for kind, one in family.decoders.items()}}


def what_is_unknown(model: Any) -> str:
    """What of the model's decoder decode_step.py doesn't know; empty where it knows all of it."""
    decoder = model.get_decoder()
    if any(isinstance(one, DTensor) for one in decoder.parameters()):
        return "weights in shards"
    config = decoder.config
    known = known_decoders().get(config.model_type)
    if known is None:
        return f"the architecture {config.model_type!r}"
    folder, *names, begins = known
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

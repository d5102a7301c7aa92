"""Attention that reads a shared prompt once, as an attention function of transformers (no forward pass of our own).

While decoding, k responses of one prompt keep one copy of the prompt's keys and values. Each layer attends in two
parts, to the shared prompt and to the response's own tokens, and joins them by their log-sum-exp: exactly the softmax
over both.
With `response_blocks` (training on long packed rows) only the pairs that count are computed: response_blocks.py, or
flex_blocks.py on CUDA.
Without either argument (prefill, short rows) it is transformers' own SDPA.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from vlrl.errors import ConfigError
from vlrl.model.flex_blocks import FlexBlocks, attend_flex
from vlrl.model.response_blocks import MASK_TOKENS, ResponseBlocks, attend_in_blocks

AttentionName = Literal["auto", "sdpa", "flex", "flash_attention_2"]
SHARED_PREFIX_ATTENTION = "vlrl_shared_prefix"
WITH_FLEX = "vlrl_shared_prefix_flex"  # the same function; its name says which blocks long rows get


@dataclass
class SharedPrefix:
    """Prompts that live rows share while decoding.

    keys, values  per layer (P, G, L, D): prompts padded to one length; G key-value heads of size D
    mask          (P, 1, 1, L) additive: 0 where a prompt has a token, −inf in the padding
    runs          neighbouring prompts that are read in one product: the first, the one after the last, their longest
    slot          (N,) row r is slot `slot[r]` of a (P × widest) table: its prompt, its place among the prompt's rows
    widest        most live rows of any prompt
    own_mask      (N, 1, 1, S) additive: −inf in columns before a row's first own token; None where all begin at once
    """

    keys: list[torch.Tensor]
    values: list[torch.Tensor]
    mask: torch.Tensor
    runs: Sequence[tuple[int, int, int]]
    slot: torch.Tensor
    widest: int
    own_mask: torch.Tensor | None = None


def shared_prefix_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    shared_prefix: SharedPrefix | None = None,
    response_blocks: ResponseBlocks | FlexBlocks | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """query (N, H, T, D), key/value (N, G, S, D) → (N, T, H, D). With `shared_prefix`, T is 1 and S own tokens."""
    if isinstance(response_blocks, FlexBlocks):
        return attend_flex(query, key, value, response_blocks, scaling), None
    if response_blocks is not None:
        return attend_in_blocks(module, query, key, value, response_blocks, dropout, scaling), None
    if shared_prefix is None:
        out: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
        return out
    rows, heads, _, size = query.shape
    groups = key.shape[1]
    per_group = heads // groups
    prompts = shared_prefix.keys[module.layer_idx].shape[0]
    widest = shared_prefix.widest
    scaled = query.view(rows, groups, per_group, size) * (scaling if scaling is not None else size**-0.5)

    # own tokens: (N, G, Q, S)
    own = torch.matmul(scaled, key.transpose(2, 3))
    if shared_prefix.own_mask is not None:
        own = own + shared_prefix.own_mask
    # shared prompts, all rows of a prompt in one product: (P, G, widest·Q, L)
    table = scaled.new_zeros(prompts * widest, groups, per_group, size)
    table[shared_prefix.slot] = scaled
    table = table.view(prompts, widest, groups, per_group, size).transpose(1, 2).reshape(prompts, groups, -1, size)
    keys, values = shared_prefix.keys[module.layer_idx], shared_prefix.values[module.layer_idx]
    parts = [
        _read(table[a:b], keys[a:b, :, :width], values[a:b, :, :width], shared_prefix.mask[a:b, ..., :width])
        for a, b, width in shared_prefix.runs
    ]
    joined = (torch.cat(parts) if len(parts) > 1 else parts[0]).view(prompts, groups, widest, per_group, size + 2)
    joined = joined.transpose(1, 2).reshape(prompts * widest, groups, per_group, size + 2)[shared_prefix.slot]
    read, total, top = joined[..., :size], joined[..., size : size + 1], joined[..., size + 1 :]

    own_top = torch.maximum(own.amax(-1, keepdim=True), top)
    own_weight = torch.exp(own - own_top)
    shrink = torch.exp(top - own_top)
    out_sum = torch.matmul(own_weight, value) + read * shrink
    out_total = own_weight.sum(-1, keepdim=True) + total * shrink
    return (out_sum / out_total).view(rows, 1, heads, size), None


def _read(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """query (p, G, T, D), key/value (p, G, L, D) → (p, G, T, D + 2): Σ e^(s − m)·value, Σ e^(s − m), and m = max s."""
    scores = torch.matmul(query, key.transpose(2, 3)) + mask
    top = scores.amax(-1, keepdim=True)
    weight = torch.exp(scores - top)
    return torch.cat([torch.matmul(weight, value), weight.sum(-1, keepdim=True), top], -1)


def register_attention() -> None:
    """File the attention function and its mask rule with transformers. Twice is once."""
    for name in (SHARED_PREFIX_ATTENTION, WITH_FLEX):
        AttentionInterface.register(name, shared_prefix_attention)
        AttentionMaskInterface.register(name, sdpa_mask)


def set_attention(model: Any, name: AttentionName, device: torch.device, dtype: torch.dtype) -> None:
    """Give the decoder this file's attention, with the blocks that `name` asks for on this device. Raises ConfigError.

    auto               FlexAttention's blocks on CUDA, else blocks of PyTorch's own attention
    sdpa               blocks of PyTorch's own attention
    flex               FlexAttention's blocks; CUDA only
    flash_attention_2  FlashAttention in the vision tower, FlexAttention's blocks in the decoder; CUDA, 16 bits
    """
    check_attention(name, device, dtype)
    register_attention()
    cuda = device.type == "cuda"
    if name == "flash_attention_2":
        model.set_attn_implementation({"vision_config": "flash_attention_2"})
    flex = cuda and name != "sdpa"
    model.get_decoder().set_attn_implementation(WITH_FLEX if flex else SHARED_PREFIX_ATTENTION)


def check_attention(name: AttentionName, device: torch.device, dtype: torch.dtype) -> None:
    """Raises ConfigError where this device, precision or environment hasn't what the attention needs."""
    cuda = device.type == "cuda"
    if name in ("flex", "flash_attention_2") and not cuda:
        raise ConfigError("model.attention", f"{name} needs a CUDA device, here is {device}", "use auto or sdpa")
    if name == "flash_attention_2":
        if importlib.util.find_spec("flash_attn") is None:
            raise ConfigError("model.attention", "flash_attn is not installed", "pip install flash-attn, or use auto")
        if dtype == torch.float32:
            raise ConfigError("model.attention", "FlashAttention has no float32", "set model.dtype: bfloat16")


def check_masks(name: AttentionName, device: torch.device, micro_batch_tokens: int) -> None:
    """Raises ConfigError for masks of more than MASK_TOKENS tokens: sdpa has one for every response on CUDA."""
    if name == "sdpa" and device.type == "cuda" and micro_batch_tokens > MASK_TOKENS:
        raise ConfigError(
            "model.attention",
            f"sdpa makes masks on CUDA, and micro_batch_tokens is {micro_batch_tokens:,}, above {MASK_TOKENS:,}",
            "attention: auto, which makes none, or a smaller micro_batch_tokens",
        )


def reads_blocks(model: Any) -> bool:
    """Whether the model's decoder attends through this file, so that it takes `response_blocks`."""
    return model.get_decoder().config._attn_implementation in (SHARED_PREFIX_ATTENTION, WITH_FLEX)


def takes_flex(model: Any) -> bool:
    """Whether its long rows get FlexAttention's blocks."""
    return bool(model.get_decoder().config._attn_implementation == WITH_FLEX)

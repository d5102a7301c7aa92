"""Attention that reads a shared prompt once, as an attention function of transformers (no forward pass of our own).

While decoding, k responses of one prompt keep one copy of the prompt's keys and values: shared_prefix.py.
With `response_blocks` (training on long packed rows) only the pairs that count are computed: response_blocks.py, or
flex_blocks.py on CUDA.
Without either argument (prefill, short rows) it is transformers' own SDPA.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any, Literal

import torch
import transformers

from vlrl.errors import ConfigError
from vlrl.model.attention.flex_blocks import FlexBlocks, attend_flex
from vlrl.model.attention.pattern_masks import PatternMasks
from vlrl.model.attention.response_blocks import MASK_TOKENS, ResponseBlocks, attend_in_blocks
from vlrl.model.attention.shared_prefix import SharedPrefix, attend_all, attend_near, attend_shared
from vlrl.model.families.family import family_of
from vlrl.model.vision.tower_attention import SEGMENT_ATTENTION, segment_attention

if TYPE_CHECKING:
    from vlrl.model.batch.packing import Batch

AttentionName = Literal["auto", "sdpa", "flex", "flash_attention_2"]
SHARED_PREFIX_ATTENTION = "vlrl_shared_prefix"
CHANGES_SOFTMAX = ("s_aux", "sinks", "position_bias", "head_mask")  # arguments that other attentions have
WITH_FLEX = "vlrl_shared_prefix_flex"  # the same function; its name says which blocks long rows get


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
    pattern_masks: PatternMasks | None = None,
    softcap: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """query (N, H, T, D), key/value (N, G, S, D) → (N, T, H, D). With `shared_prefix`, T is 1 and S own tokens.

    Raises ValueError for what changes the softmax and isn't known here.
    """
    if strange := [name for name in CHANGES_SOFTMAX if kwargs.get(name) is not None]:
        raise ValueError(f"attention with {', '.join(strange)}")
    if pattern_masks is not None:
        attention_mask = pattern_masks.by_layer[module.layer_idx]
    if softcap is not None and response_blocks is None and shared_prefix is None:
        scale = scaling if scaling is not None else query.shape[-1] ** -0.5
        return attend_all(query, key, value, attention_mask, scale, softcap).transpose(1, 2), None
    if softcap is not None and response_blocks is not None:
        raise ValueError("blocks of long rows have no soft cap")
    if isinstance(response_blocks, FlexBlocks):
        return attend_flex(query, key, value, response_blocks, scaling), None
    if response_blocks is not None:
        return attend_in_blocks(module, query, key, value, response_blocks, dropout, scaling), None
    if shared_prefix is None:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        out: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
        return out
    scaling = scaling if scaling is not None else query.shape[-1] ** -0.5
    if shared_prefix.needs_all(module.layer_idx) or softcap is not None:
        return attend_near(query, key, value, shared_prefix, module.layer_idx, scaling, softcap), None
    return attend_shared(query, key, value, shared_prefix, module.layer_idx, scaling), None


def register_attention() -> None:
    """File the attention function and its mask rule with transformers. Twice is once."""
    from transformers.masking_utils import sdpa_mask

    for name in (SHARED_PREFIX_ATTENTION, WITH_FLEX):
        transformers.AttentionInterface.register(name, shared_prefix_attention)
        transformers.AttentionMaskInterface.register(name, sdpa_mask)
    transformers.AttentionInterface.register(SEGMENT_ATTENTION, segment_attention)


def set_attention(model: Any, name: AttentionName, device: torch.device, dtype: torch.dtype) -> None:
    """Give the decoder this file's attention, with the blocks that `name` asks for on this device, and a tower that has
    its patches in one row that of tower_attention.py. Raises ConfigError.

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
    elif family_of(model.config).segmented_tower:
        model.set_attn_implementation({"vision_config": SEGMENT_ATTENTION})
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


def attention_inputs(model: Any, batch: Batch) -> dict[str, Any]:
    """What the model's forward pass takes so that the queries of a batch see what they may.

    Raises ValueError where the model's attention isn't that of `set_attention` and one is needed.
    """
    if batch.blocks is None and batch.patterns is None:
        return {"attention_mask": batch.mask}
    if not reads_blocks(model):
        raise ValueError("rows this long, or layers of several patterns, need the attention of load_folder")
    # a 4-D mask is passed through as it is; blocks and patterns need none
    nothing = torch.zeros(1, 1, 1, 1, dtype=torch.bool, device=batch.token_ids.device)
    if batch.patterns is not None:
        return {"attention_mask": nothing, "pattern_masks": batch.patterns}
    return {"attention_mask": nothing, "response_blocks": batch.blocks}


def reads_blocks(model: Any) -> bool:
    """Whether the model's decoder attends through this file, so that it takes `response_blocks`."""
    return model.get_decoder().config._attn_implementation in (SHARED_PREFIX_ATTENTION, WITH_FLEX)


def takes_flex(model: Any) -> bool:
    """Whether its long rows get FlexAttention's blocks."""
    return bool(model.get_decoder().config._attn_implementation == WITH_FLEX)

"""Attention of responses to one prompt and each to itself, in two products joined by their log-sum-exp. CPU.

softmax over both parts is the two parts' results weighed by exp(lse_part − lse), lse = log Σ exp(lse_part).
Backward, each part's kernel is given the joined result and lse: its probabilities are then exp(score − lse), those of
the whole softmax, so that it returns the whole gradient of its own keys and values (Dao et al. 2022, appendix B.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

_forward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


def attend_behind(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    prompt: int,
    lengths: Sequence[int],
    scaling: float,
) -> torch.Tensor:
    """One row `[prompt | responses of these lengths]`: query (1, H, T, D), key/value (1, G, T, D) → (1, H, T − P, D).

    What the response tokens read: the prompt, and their own response in causal order.
    """
    out: torch.Tensor = _Behind.apply(query[:, :, prompt:], key, value, prompt, tuple(lengths), scaling)
    return out


class _Behind(torch.autograd.Function):
    """Forward and backward of attend_behind; R = T − P response tokens, Q = H / G queries a key-value head."""

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        prompt: int,
        lengths: tuple[int, ...],
        scaling: float,
    ) -> torch.Tensor:
        """As attend_behind."""
        _, heads, count, size = query.shape
        groups = key.shape[1]
        # the heads of a group read the same keys, so they are more queries of one head: (1, G, Q·R, D)
        folded = query.reshape(1, groups, -1, size)
        key_p, value_p = key[:, :, :prompt].contiguous(), value[:, :, :prompt].contiguous()
        read_p, lse_p = _forward(folded, key_p, value_p, 0.0, False, scale=scaling)
        own = [_padded(_spread(one, heads), lengths) for one in (query, key[:, :, prompt:], value[:, :, prompt:])]
        read_o, lse_o = _forward(*own, 0.0, True, scale=scaling)  # (N, H, L, D), (N, H, L)
        read_p, lse_p = read_p.reshape(1, heads, count, size), lse_p.contiguous().reshape(1, heads, count)
        read_o, lse_own = _packed(read_o, lengths), _packed(lse_o.contiguous()[..., None], lengths)[..., 0]
        lse = torch.logaddexp(lse_p, lse_own)  # (1, H, R)
        weight_p, weight_o = ((part - lse).exp()[..., None].to(query.dtype) for part in (lse_p, lse_own))
        out: torch.Tensor = read_p * weight_p + read_o * weight_o
        ctx.save_for_backward(query, key, value, out, lse, lse_o.contiguous())
        ctx.rest = (prompt, lengths, scaling)
        return out

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        """Each part's own kernel with the joined result and log-sum-exp."""
        query, key, value, out, lse, lse_own = ctx.saved_tensors
        prompt, lengths, scaling = ctx.rest
        _, heads, count, size = query.shape
        groups = key.shape[1]
        grad = grad.contiguous()
        folded = [one.reshape(1, groups, -1, size) for one in (grad, query, out)]
        key_p, value_p = key[:, :, :prompt].contiguous(), value[:, :, :prompt].contiguous()
        by_prompt = _backward(
            folded[0], folded[1], key_p, value_p, folded[2], lse.reshape(1, groups, -1), 0.0, False, scale=scaling
        )
        own = [_padded(_spread(one, heads), lengths) for one in (query, key[:, :, prompt:], value[:, :, prompt:])]
        # padding has no gradient; its own log-sum-exp keeps its probabilities finite
        lse_joined = _padded(lse[..., None], lengths, lse_own[..., None])[..., 0]
        by_own = _backward(
            _padded(grad, lengths), *own, _padded(out, lengths), lse_joined.contiguous(), 0.0, True, scale=scaling
        )
        of_query, of_key, of_value = (_packed(one, lengths) for one in by_own)
        of_query = of_query + by_prompt[0].reshape(1, heads, count, size)
        of_key, of_value = (one.view(1, groups, heads // groups, count, size).sum(2) for one in (of_key, of_value))
        return (
            of_query,
            torch.cat([by_prompt[1], of_key], 2),
            torch.cat([by_prompt[2], of_value], 2),
            None,
            None,
            None,
        )


def _spread(states: torch.Tensor, heads: int) -> torch.Tensor:
    """(1, G, R, D) → (1, H, R, D)."""
    groups = states.shape[1]
    return states if groups == heads else states.repeat_interleave(heads // groups, 1)


def _padded(states: torch.Tensor, lengths: tuple[int, ...], fill: torch.Tensor | None = None) -> torch.Tensor:
    """(1, H, R, D) → (N, H, L, D), with zeros, or `fill` of that shape, behind each response."""
    longest = max(lengths)
    _, heads, _, size = states.shape
    if min(lengths) == longest:
        return states.view(heads, len(lengths), longest, size).transpose(0, 1).contiguous()
    made = states.new_zeros(len(lengths), heads, longest, size) if fill is None else fill.clone()
    start = 0
    for n, length in enumerate(lengths):
        made[n, :, :length] = states[0, :, start : start + length]
        start += length
    return made


def _packed(states: torch.Tensor, lengths: tuple[int, ...]) -> torch.Tensor:
    """(N, H, L, D) → (1, H, R, D)."""
    return torch.cat([states[n, :, :length] for n, length in enumerate(lengths)], 1)[None]

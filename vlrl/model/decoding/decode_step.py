"""One decoding step of all live rows over the weights of a decoder of Llama's kind, with few operations.

x ← x + O·attend(rotate(norm(Q·x̂)), rotate(norm(K·x̂)), V·x̂),  x ← x + D·(silu(G·x̂) ⊙ U·x̂),  x̂ = norm(x)

It is what the model's own forward pass computes for one token a row; that one's many small operations would take longer
than the products. Biases and the norms of heads are left out where a model has none. A response token has one position
in all rows of mrope, so that the rotation is the ordinary one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.nn.functional import linear, silu

from vlrl.model.attention.shared_prefix import OwnTokens, SharedPrefix, attend_shared
from vlrl.model.decoding.onednn_linear import gains, in_order, packed_layers, product

_Function = Callable[[torch.Tensor], torch.Tensor]
_Packed = Mapping[torch.nn.Linear, torch.Tensor]


@dataclass(frozen=True)
class _Layer:
    """What a layer does to rows: (N, in) → (N, out).

    states  queries, keys and values behind each other
    heads   norms of queries and keys head by head, (N, H + G, D) → the same; None where a model has none
    """

    before: _Function
    states: _Function
    heads: _Function | None
    out: _Function
    after: _Function
    gate: _Function
    up: _Function
    down: _Function


class DecodeStep:
    """The step of one decoder with its present weights; `packed` has those of its linear layers that are packed."""

    def __init__(self, model: Any, packed: _Packed) -> None:
        decoder = model.get_decoder()
        self._embedding = decoder.embed_tokens.weight
        self._frequencies = decoder.rotary_emb.inv_freq.float()
        self._rotary_scale = decoder.rotary_emb.attention_scaling
        first = decoder.layers[0].self_attn
        self._size, self._scaling = first.head_dim, first.scaling
        self._heads = first.q_proj.out_features // self._size
        self._groups = first.k_proj.out_features // self._size
        self._layers = [self._layer(layer, packed) for layer in decoder.layers]
        self._last = _norm(decoder.norm)

    def __call__(
        self, tokens: torch.Tensor, position: torch.Tensor, own: OwnTokens, prefix: SharedPrefix
    ) -> torch.Tensor:
        """(N,) tokens and their positions → (N, d) the decoder's output; own keys and values are added to `own`."""
        rows, size, turned = len(tokens), self._size, self._heads + self._groups
        x = self._embedding.index_select(0, tokens)
        cos, sin = self._rotation(position, x.dtype)
        for number, layer in enumerate(self._layers):
            states = layer.states(layer.before(x)).view(rows, -1, size)
            turning = states[:, :turned]
            both = turning if layer.heads is None else layer.heads(turning)
            torch.addcmul(both * cos, both.roll(size // 2, -1), sin, out=turning)
            keys, values = own.append(states[:, self._heads :], number)
            query = states[:, : self._heads].contiguous()
            read = attend_shared(query[:, :, None], keys, values, prefix, number, self._scaling)
            x = x + layer.out(read.view(rows, -1))
            between = layer.after(x)
            x = x + layer.down(layer.gate(between).mul_(layer.up(between)))
        return self._last(x)

    def _rotation(self, position: torch.Tensor, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
        """(N,) → cos, sin (N, 1, D); the sine with the sign that turning a half onto the other needs."""
        angle = position[:, None].float() * self._frequencies
        cos, sin = angle.cos() * self._rotary_scale, angle.sin() * self._rotary_scale
        return torch.cat([cos, cos], -1)[:, None].to(dtype), torch.cat([-sin, sin], -1)[:, None].to(dtype)

    def _layer(self, layer: Any, packed: _Packed) -> _Layer:
        attention, mlp = layer.self_attn, layer.mlp
        heads = None
        if hasattr(attention, "q_norm"):
            weights = (
                attention.q_norm.weight.expand(self._heads, -1),
                attention.k_norm.weight.expand(self._groups, -1),
            )
            heads = _norm(attention.q_norm, torch.cat(weights))
        return _Layer(
            _norm(layer.input_layernorm),
            _joint([attention.q_proj, attention.k_proj, attention.v_proj]),
            heads,
            _single(attention.o_proj, packed),
            _norm(layer.post_attention_layernorm),
            _activated(mlp.gate_proj, packed),
            _single(mlp.up_proj, packed),
            _single(mlp.down_proj, packed),
        )


def single_layers(model: Any) -> list[torch.nn.Linear]:
    """The layers whose packed weights the step takes: those of queries, keys and values it packs itself, as one."""
    joint = ("q_proj", "k_proj", "v_proj")
    apart = {getattr(layer.self_attn, name) for layer in model.get_decoder().layers for name in joint}
    return [layer for layer in packed_layers(model) if layer not in apart]


def _single(layer: torch.nn.Linear, packed: _Packed) -> _Function:
    if layer in packed:
        return partial(product, packed[layer], layer.bias)
    return partial(linear, weight=layer.weight, bias=layer.bias)


def _activated(layer: torch.nn.Linear, packed: _Packed) -> _Function:
    if layer in packed:
        return partial(product, packed[layer], layer.bias, then="swish")
    return lambda rows: silu(linear(rows, layer.weight, layer.bias))


def _joint(layers: Sequence[torch.nn.Linear]) -> _Function:
    """Products of several layers behind each other: one product in float32 on the CPU, elsewhere without copies."""
    first = layers[0].weight
    if first.device.type != "cpu" or first.dtype != torch.float32:
        return lambda rows: torch.cat([linear(rows, layer.weight, layer.bias) for layer in layers], -1)
    weight = torch.cat(tuple(layer.weight for layer in layers))
    biases = tuple(layer.bias for layer in layers if layer.bias is not None)
    bias = torch.cat(biases) if biases else None  # all of them have one, or none
    if gains(weight):
        return partial(product, in_order(weight), bias)
    return partial(linear, weight=weight, bias=bias)


def _norm(module: Any, weight: torch.Tensor | None = None) -> _Function:
    """RMSNorm, x / √(mean x² + ε) · w, with the module's weight or another one."""
    epsilon = module.variance_epsilon
    weight = module.weight if weight is None else weight
    size = weight.shape[-1]
    if weight.device.type != "cpu" or weight.dtype != torch.float32:
        # rounded before the weight, as the models do
        return lambda x: weight * torch.rms_norm(x, (size,), None, epsilon)
    # √(mean x² + ε) = hypot(‖x‖, √(size·ε)) / √size: half as many operations as torch.rms_norm has on the CPU
    floor, scaled = torch.tensor((size * epsilon) ** 0.5), weight * size**0.5
    return lambda x: (x / torch.linalg.vector_norm(x, dim=-1, keepdim=True).hypot_(floor)).mul_(scaled)

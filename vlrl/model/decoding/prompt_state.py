"""A prompt read once by a decoder with recurrent layers: what it leaves (states, convolutions' tails, keys and values)
starts each of k responses, in rollout and in training, with gradients through all of it.

Recurrent layers keep no keys by which responses in one packed row could be told apart. So prompts of one length
are read in a pass of their own, below each other and without padding, and their responses in one more, behind copies of
what each prompt left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, LinearAttentionLayer

from vlrl.model.decoding.prefill_last_token import cache_argument
from vlrl.model.prompts.encode import Encoded
from vlrl.model.prompts.positions import PositionRule


class StateLayer(LinearAttentionLayer):
    """A recurrent layer's states as tensors of autograd: they are replaced, never written into.

    A tail is as wide as transformers keeps it, zeros before a sequence that is shorter.
    """

    def update_conv_state(
        self, conv_states: torch.Tensor, state_idx: int = 0, conv_kernel_size: int | None = None, **kwargs: Any
    ) -> torch.Tensor:
        """(N, D, T) inputs of the convolution → those with what came before them, (N, D, at least its width)."""
        width = conv_kernel_size or self.conv_kernel_size[state_idx] or conv_states.shape[-1]
        before = self.conv_states[state_idx]
        if before is None:
            missing = max(0, width - conv_states.shape[-1])
            whole = torch.nn.functional.pad(conv_states, (missing, 0))
        else:
            whole = torch.cat([before, conv_states], -1)
        self.conv_states[state_idx] = whole[..., -width:].clone()
        self.conv_kernel_size[state_idx] = width
        self.device, self.dtype = conv_states.device, conv_states.dtype
        self.is_conv_states_initialized[state_idx] = self.has_previous_state[state_idx] = True
        return whole

    def update_recurrent_state(self, recurrent_states: torch.Tensor, state_idx: int = 0, **kwargs: Any) -> torch.Tensor:
        """The state after this call's tokens."""
        self.recurrent_states[state_idx] = recurrent_states
        self.is_recurrent_states_initialized[state_idx] = True
        return recurrent_states

    def take(self, rows: torch.Tensor) -> StateLayer:
        """The same of these rows (n,), which may be named more than once."""
        found = StateLayer(number_of_states=self.number_of_states)
        for i in range(self.number_of_states):
            conv, state = self.conv_states[i], self.recurrent_states[i]
            found.conv_states[i] = None if conv is None else conv.index_select(0, rows)
            found.recurrent_states[i] = None if state is None else state.index_select(0, rows)
            found.is_conv_states_initialized[i] = conv is not None
            found.is_recurrent_states_initialized[i] = state is not None
            found.has_previous_state[i] = self.has_previous_state[i]
            found.conv_kernel_size[i] = self.conv_kernel_size[i]
        found.device, found.dtype = self.device, self.dtype
        return found


class PromptState(DynamicCache):
    """What one prompt, or each of some rows, has left in every layer of a decoder."""

    def __init__(self, config: Any, layers: Sequence[Any] | None = None) -> None:
        super().__init__(config=config)
        found: list[Any] = vars(self)["layers"]
        if layers is None:
            layers = [
                StateLayer(number_of_states=layer.number_of_states)
                if isinstance(layer, LinearAttentionLayer)
                else DynamicLayer()
                for layer in found
            ]
        self.layers: list[Any] = list(layers)
        self._config = config

    def take(self, rows: torch.Tensor) -> PromptState:
        """The same of these rows (n,); gradients go back to where they came from."""
        return PromptState(self._config, [_taken(layer, rows) for layer in self.layers])


def _taken(layer: Any, rows: torch.Tensor) -> Any:
    if isinstance(layer, StateLayer):
        return layer.take(rows)
    found = DynamicLayer()
    if layer.is_initialized:
        found.lazy_initialization(layer.keys, layer.values)
        found.keys, found.values = layer.keys.index_select(0, rows), layer.values.index_select(0, rows)
    return found


def read_prompts(
    model: Any, prompts: Sequence[Encoded], rule: PositionRule, image_inputs: dict[str, Any]
) -> tuple[PromptState, torch.Tensor]:
    """Read N prompts of P tokens each: what they leave, and (N, P, d) the decoder's output.

    `image_inputs` hold their images in the order of the prompts.
    """
    state = PromptState(model.get_decoder().config)
    positions = torch.stack([rule.prompt(encoded) for encoded in prompts], 1)
    hidden = model.model(
        input_ids=torch.tensor([encoded.token_ids for encoded in prompts], device=model.device),
        position_ids=_of_rows(positions, rule).to(model.device),
        use_cache=True,
        **image_inputs,
        **{cache_argument(model.model): state},
    ).last_hidden_state
    return state, hidden


def read_behind(
    model: Any,
    token_ids: torch.Tensor,
    positions: torch.Tensor,
    rule: PositionRule,
    state: PromptState,
    image_inputs: Mapping[str, Any] = MappingProxyType({}),
) -> torch.Tensor:
    """Read (N, T) tokens behind what rows have left so far, at positions (R, N, T) or (N, T), the same in all R rows →
    (N, T, d).

    `state` moves on by T tokens. What comes behind padding at the right is of no use.
    """
    hidden: torch.Tensor = model.model(
        input_ids=token_ids,
        position_ids=_of_rows(positions.expand(rule.rows, -1, -1), rule),
        use_cache=True,
        **image_inputs,
        **{cache_argument(model.model): state},
    ).last_hidden_state
    return hidden


def _of_rows(positions: torch.Tensor, rule: PositionRule) -> torch.Tensor:
    return positions if rule.rows > 1 else positions[0]

"""Which experts a decoder's routers choose: noted pass by pass, or given, so that training takes those of the rollout.

A router chooses by one `topk` over the scores of its E experts; what comes before and after it (softmax or sigmoid,
correction, normalising, scaling) is the model's own. So that call alone is watched: its indices are noted, or others
are put in their place with the scores that they have, and gradients go through these scores as through chosen ones.
That rollout and training choose apart is one source of the gap between their log-probabilities (R3: Ma et al. 2025,
arXiv:2510.11370).

What a pass notes travels with its arguments into every layer. So layers that gradient checkpointing computes again, in
whatever order and thread, choose again what they chose.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from vlrl.model.experts.active_weights import experts_per_token

_ARGUMENT = "routed_pass"  # of a decoder's layers, taken out before they see it
_PASS, _MODE = "_vlrl_routed_pass", "_vlrl_watched_topk"  # of the module that holds a layer's experts, while it runs


class RoutedPass:
    """One forward pass of a decoder with L routers over N tokens, padding included.

    given  (N, L, k) experts that the tokens are sent to, −1 at a token: its routers choose; None: all choose
    """

    def __init__(self, given: torch.Tensor | None = None) -> None:
        self._given = given
        self._chosen: dict[int, torch.Tensor] = {}

    def given(self, layer: int) -> torch.Tensor | None:
        """(N, k) of one router."""
        return None if self._given is None else self._given[:, layer]

    def note(self, layer: int, chosen: torch.Tensor) -> None:
        """(N, k) of one router. Idempotent: a layer that is computed again chooses the same."""
        self._chosen[layer] = chosen

    def chosen(self, routers: int) -> torch.Tensor:
        """(N, L, k) experts that the tokens went to. Raises ValueError where a router chose nothing."""
        if missing := set(range(routers)) - self._chosen.keys():
            raise ValueError(f"experts: routers {sorted(missing)} of {routers} chose by no topk over their experts")
        return torch.stack([self._chosen[layer] for layer in range(routers)], 1)


class Routers:
    """The L routers of a decoder, in the order of its layers; none of a model without experts.

    experts    E, among which each chooses
    per_token  k, how many each chooses
    """

    def __init__(self, model: Any) -> None:
        self.per_token, self.experts, self._count = experts_per_token(model.config), 0, 0
        if not self.per_token:
            return
        self._decoder = model.get_decoder()
        for layer in getattr(self._decoder, "layers", ()):
            for block, experts in _blocks(layer):
                self.experts = experts
                if not hasattr(block, _PASS):  # a copy of a watched model is watched already
                    _watch(layer, block, self._count, experts, self.per_token)
                self._count += 1

    def __len__(self) -> int:
        return self._count

    @contextmanager
    def watched(self, given: Iterable[torch.Tensor | None] = ()) -> Iterator[list[RoutedPass]]:
        """Within the block, passes of the decoder note their choices; yields them as they come.

        given  for each pass of the block, in order, what `RoutedPass` is given; no more of them: the routers choose
        """
        passes: list[RoutedPass] = []
        if not len(self):
            yield passes
            return
        plan = iter(given)

        def begin(_: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
            passes.append(RoutedPass(next(plan, None)))
            return args, {**kwargs, _ARGUMENT: passes[-1]}

        handle = self._decoder.register_forward_pre_hook(begin, with_kwargs=True)
        try:
            yield passes
        finally:
            handle.remove()


class _WatchedTopk(TorchFunctionMode):
    """The topk by which router `layer` chooses `k` of `experts` notes its indices, or takes the given ones."""

    def __init__(self, routed: RoutedPass, layer: int, experts: int, k: int) -> None:
        super().__init__()
        self._pass, self._layer, self._shape = routed, layer, (experts, k)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if func not in (torch.topk, torch.Tensor.topk):
            return found
        scores = args[0] if args else kwargs["input"]
        if scores.ndim != 2 or (scores.shape[-1], found.indices.shape[-1]) != self._shape:
            return found
        values, indices = found
        given = self._pass.given(self._layer)
        if given is not None:
            if given.shape != indices.shape:
                raise ValueError(f"experts: {tuple(given.shape)} given, {tuple(indices.shape)} to be chosen")
            given = given.to(indices)
            indices = torch.where(given < 0, indices, given)
            values = scores.gather(-1, indices)
        self._pass.note(self._layer, indices.detach())
        return torch.return_types.topk((values, indices))


def _blocks(layer: Any) -> Iterator[tuple[Any, int]]:
    """The module in a layer that holds experts beside their router, if any, and E."""
    for module in layer.modules():
        experts = getattr(module, "experts", None)
        if isinstance(experts, torch.nn.Module):
            count = next((len(one) for one in experts.parameters(recurse=False) if one.ndim == 3), 0)
            if count:
                yield module, count


# Hooks hold numbers alone, so that a copy of the model (ZeRO's third stage makes one) has its own.


def _watch(layer: Any, block: Any, number: int, experts: int, k: int) -> None:
    name = next(name for name, module in layer.named_modules() if module is block)
    vars(block)[_PASS] = None
    layer.register_forward_pre_hook(partial(_enter_layer, name=name), with_kwargs=True)
    layer.register_forward_hook(partial(_leave_layer, name=name), always_call=True)
    block.register_forward_pre_hook(partial(_enter_block, number=number, experts=experts, k=k))
    block.register_forward_hook(_leave_block, always_call=True)


def _enter_layer(layer: Any, args: Any, kwargs: dict[str, Any], *, name: str) -> tuple[Any, dict[str, Any]]:
    kwargs = dict(kwargs)
    vars(layer.get_submodule(name))[_PASS] = kwargs.pop(_ARGUMENT, None)
    return args, kwargs


def _leave_layer(layer: Any, args: Any, output: Any, *, name: str) -> None:
    vars(layer.get_submodule(name))[_PASS] = None


def _enter_block(block: Any, args: Any, *, number: int, experts: int, k: int) -> None:
    routed = vars(block)[_PASS]
    if routed is not None:
        vars(block)[_MODE] = _WatchedTopk(routed, number, experts, k)
        vars(block)[_MODE].__enter__()


def _leave_block(block: Any, args: Any, output: Any) -> None:
    if (mode := vars(block).pop(_MODE, None)) is not None:
        mode.__exit__(None, None, None)

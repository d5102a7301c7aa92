"""Keys and values of what each row has written itself: buffers that grow, drop finished rows and take new ones.

Every row writes its next token into the same column. A row that came later has its first token in a later column; what
stands before it is masked by the one that knows where the row begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

from vlrl.model.cost import FIRST_COLUMNS, grown_columns


class OwnTokensLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """One layer's keys and values (2, N, G, S, D), written in place; nothing is copied when a token is added.

    `most` is the number of columns that will be needed at most.
    """

    is_initialized: bool  # transformers'
    states: torch.Tensor

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.length = 0
        self.most = FIRST_COLUMNS

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Rows (N, G, …, D) that have no tokens yet."""
        self.join(key_states[:, :, :0], value_states[:, :, :0])

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append (N, G, 1, D) and return everything written so far as views, as transformers' modules ask."""
        return self.append(torch.cat([key_states[:, :, 0], value_states[:, :, 0]], 1))

    def append(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Append one token a row, (N, 2·G, D), keys before values, and return all (N, G, S, D) as views."""
        both = states.unflatten(1, (2, -1)).transpose(0, 1)  # (2, N, G, D)
        if not self.is_initialized:
            self.lazy_initialization(both[0, :, :, None], both[1, :, :, None])
        if self.full:
            self.grow()
        self.states.select(3, self.length).copy_(both)
        self.length += 1
        keys, values = self.states.narrow(3, 0, self.length).unbind()
        return keys, values

    @property
    def full(self) -> bool:
        """Whether another token needs a larger buffer."""
        return self.length == int(self.states.shape[3])

    def grow(self) -> None:
        """A larger buffer; its new columns hold zeros."""
        room = self.states.shape[3]
        more = max(1, min(grown_columns(room), self.most) - room)
        self.states = torch.nn.functional.pad(self.states, (0, 0, 0, more))

    def keep(self, rows: torch.Tensor, oldest: int = 0) -> None:
        """Drop every row but these, and the `oldest` first columns, which none of them uses."""
        if not self.is_initialized:
            return
        if oldest:
            self.states = self.states[:, :, :, oldest : self.length]
            self.length -= oldest
            self.most -= oldest
        self.states = self.states.index_select(1, rows)

    def join(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Add n rows with own keys and values (n, G, L, D); their last token stands in the last column of all."""
        more = torch.stack([keys, values])
        if not self.is_initialized:
            self.states, self.length = more, keys.shape[2]
            self.is_initialized = True
            return
        held = self.states[:, :, :, : self.length]
        width, count = max(self.length, keys.shape[2]), held.shape[1]
        # columns are aligned at the right; those that a row lacks hold zeros
        both = held.new_zeros((2, count + len(keys), held.shape[2], width + FIRST_COLUMNS, held.shape[4]))
        both[:, :count, :, width - self.length : width] = held
        both[:, count:, :, width - keys.shape[2] : width] = more
        self.states, self.length = both, width

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """(keys, offset) as transformers' mask functions ask."""
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        """Tokens written."""
        return self.length

    def get_max_length(self) -> int:
        """No limit."""
        return -1

    def get_max_cache_shape(self) -> int:
        """No limit (older name)."""
        return -1


class OwnTokensCache(Cache):
    """One OwnTokensLayer per layer of the decoder."""

    def __init__(self, num_layers: int) -> None:
        self._own = [OwnTokensLayer() for _ in range(num_layers)]
        super().__init__(layers=[*self._own])

    @property
    def length(self) -> int:
        """Columns in use: the tokens of the row that holds most."""
        return self._own[0].length if self._own else 0

    @property
    def full(self) -> bool:
        """Whether another token needs larger buffers."""
        return self._own[0].full

    def grow(self) -> None:
        """Larger buffers."""
        for layer in self._own:
            layer.grow()

    @property
    def room(self) -> int:
        """Columns of the buffers."""
        return int(self._own[0].states.shape[3])

    @property
    def buffers(self) -> list[torch.Tensor]:
        """Keys and values of each layer, (2, N, G, columns, D), zeros where nothing was written."""
        return [layer.states for layer in self._own]

    def append(self, states: torch.Tensor, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Add one token a row to a layer, as OwnTokensLayer.append."""
        return self._own[layer].append(states)

    def written(self) -> None:
        """Somebody else wrote one token a row into the buffers."""
        for layer in self._own:
            layer.length += 1

    def expect(self, more: int) -> None:
        """Rows will write `more` further tokens at most."""
        for layer in self._own:
            layer.most = layer.length + more

    def keep(self, rows: torch.Tensor, oldest: int = 0) -> None:
        """Drop every row but these, and the `oldest` first columns."""
        for layer in self._own:
            layer.keep(rows, oldest)

    def join(self, keys: Sequence[torch.Tensor], values: Sequence[torch.Tensor]) -> None:
        """Add rows; one (n, G, L, D) a layer."""
        for layer, key, value in zip(self._own, keys, values, strict=True):
            layer.join(key, value)


class FixedColumns:
    """The buffers of a cache as they are now, written at `column`, a tensor (1,): each token by the same operations."""

    def __init__(self, cache: OwnTokensCache, column: torch.Tensor) -> None:
        self._buffers, self._column = cache.buffers, column

    def append(self, states: torch.Tensor, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Write one token a row, (N, 2·G, D), keys before values, and return all columns (N, G, room, D)."""
        both = states.unflatten(1, (2, -1)).transpose(0, 1)  # (2, N, G, D)
        self._buffers[layer].index_copy_(3, self._column, both[:, :, :, None])
        keys, values = self._buffers[layer].unbind()
        return keys, values

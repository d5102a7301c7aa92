"""Keys and values of what each row has written itself: buffers that grow, drop finished rows and take new ones.

Every row writes its next token into the same column. A row that came later has its first token in a later column; what
stands before it is masked by whoever knows where the row begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

from vlrl.model.cost import FIRST_COLUMNS, grown_columns


class OwnTokensLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """One layer's keys and values (N, G, S, D), written in place; nothing is copied when a token is added.

    `most` is the number of columns that will be needed at most.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.length = 0
        self.most = FIRST_COLUMNS

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Make the first buffers."""
        rows, groups, _, size = key_states.shape
        self.keys = key_states.new_empty((rows, groups, min(FIRST_COLUMNS, self.most), size))
        self.values = torch.empty_like(self.keys)
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append (N, G, 1, D) and return everything written so far as views."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None
        assert self.values is not None
        stop = self.length + key_states.shape[2]
        if stop > self.keys.shape[2]:
            grown = max(stop, min(grown_columns(self.keys.shape[2]), self.most))
            self.keys, self.values = self._grow(self.keys, grown), self._grow(self.values, grown)
        self.keys[:, :, self.length : stop] = key_states
        self.values[:, :, self.length : stop] = value_states
        self.length = stop
        return self.keys[:, :, :stop], self.values[:, :, :stop]

    def _grow(self, held: torch.Tensor, size: int) -> torch.Tensor:
        grown = torch.empty((*held.shape[:2], size, held.shape[3]), dtype=held.dtype, device=held.device)
        grown[:, :, : self.length] = held[:, :, : self.length]
        return grown

    def keep(self, rows: torch.Tensor, oldest: int = 0) -> None:
        """Drop every row but these, and the `oldest` first columns, which none of them uses."""
        if not self.is_initialized:
            return
        assert self.keys is not None
        assert self.values is not None
        if oldest:
            self.keys, self.values = self.keys[:, :, oldest : self.length], self.values[:, :, oldest : self.length]
            self.length -= oldest
            self.most -= oldest
        self.keys, self.values = self.keys.index_select(0, rows), self.values.index_select(0, rows)

    def join(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Add n rows with own keys and values (n, G, L, D); their last token stands in the last column of all."""
        if not self.is_initialized:
            self.keys, self.values, self.length = keys, values, keys.shape[2]
            self.is_initialized = True
            return
        assert self.keys is not None
        assert self.values is not None
        self.keys = self._aligned(self.keys[:, :, : self.length], keys)
        self.values = self._aligned(self.values[:, :, : self.length], values)
        self.length = max(self.length, keys.shape[2])

    def _aligned(self, held: torch.Tensor, more: torch.Tensor) -> torch.Tensor:
        """Both sets of rows, columns aligned at the right; the columns that a row lacks hold zeros."""
        width = max(held.shape[2], more.shape[2])
        count = held.shape[0]
        both = held.new_zeros((count + more.shape[0], held.shape[1], width + FIRST_COLUMNS, held.shape[3]))
        both[:count, :, width - held.shape[2] : width] = held
        both[count:, :, width - more.shape[2] : width] = more
        return both

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

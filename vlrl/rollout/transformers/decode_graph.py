"""The decoding step as a CUDA graph: one launch a token for its hundreds of kernels, while the same rows are live.

A graph repeats what was captured, on the same memory. So all that moves from token to token (tokens, positions, the
column that is written) lies in tensors that stay in place, and a response attends to every column of its buffer, those
that aren't written yet masked. When rows come or go or the buffers grow, another graph is captured, which takes about
as long as a step without one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from vlrl.model.decoding.decode_step import DecodeStep
from vlrl.rollout.transformers.response_kv_cache import FixedColumns
from vlrl.rollout.transformers.running_batch import RunningBatch, additive


def by_step(step: DecodeStep, live: RunningBatch, tokens: torch.Tensor) -> torch.Tensor:
    """Read (N,) tokens of the live rows → (N, d), kernel by kernel."""
    live.mask_own()
    return step(tokens, live.position, live.cache, live.prefix)


class StandingStep:
    """The step for the rows that are live now, on memory that stays in place: run it once for every token.

    Keys and values are the rows' own alone: buffers that they give up are free before the next graph is captured.
    """

    def __init__(self, step: DecodeStep, live: RunningBatch) -> None:
        self._step, self._start = step, live.start
        self._columns = torch.arange(live.cache.room, device=live.position.device)
        self._column = self._columns.new_tensor([live.cache.length])
        self.tokens = torch.zeros_like(live.position)
        self.position = live.position.clone()

    def run(self, live: RunningBatch) -> torch.Tensor:
        """`tokens` (N,) → (N, d); afterwards everything stands at the next token."""
        hidden = (self._columns < self._start[:, None]) | (self._columns > self._column)
        keys = live.prefix.keys[0]
        mask = additive(hidden, keys.dtype).repeat_interleave(keys.shape[1], 0)[:, None]
        own, prefix = FixedColumns(live.cache, self._column), replace(live.prefix, own_mask=mask)
        out = self._step(self.tokens, self.position, own, prefix)
        self.go(1)
        return out

    def go(self, tokens: int) -> None:
        """This many tokens on, or back."""
        self.position += tokens
        self._column += tokens


class DecodeGraphs:
    """The step of one call of the engine, by one graph after the other."""

    def __init__(self, step: DecodeStep) -> None:
        self._step = step
        self._layout = -1
        self._pool: Any = None  # memory that the graphs share
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, live: RunningBatch, tokens: torch.Tensor) -> torch.Tensor:
        """Read (N,) tokens → (N, d), as DecodeStep does; the result is overwritten by the next call."""
        grown = live.cache.full
        if grown:
            live.cache.grow()
        if grown or live.layout != self._layout:
            self._capture(live)
            self._layout = live.layout
        assert self._graph is not None
        self._standing.tokens.copy_(tokens)
        self._graph.replay()
        live.cache.written()
        return self._out

    def _capture(self, live: RunningBatch) -> None:
        self._standing = StandingStep(self._step, live)
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
            self._standing.run(live)  # what libraries do at a first call can't be captured
            self._standing.go(-1)
        device = live.position.device  # the current one may be another
        graph, stream, current = torch.cuda.CUDAGraph(), torch.cuda.Stream(device), torch.cuda.current_stream(device)
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            graph.capture_begin(self._pool, "thread_local")
            try:
                self._out = self._standing.run(live)
            finally:
                graph.capture_end()
        current.wait_stream(stream)
        self._graph = graph  # only now the one before goes: two share their memory

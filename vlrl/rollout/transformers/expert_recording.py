"""Which experts a rollout's tokens were sent to, noted while they are read; nothing where nobody asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from vlrl.errors import EngineError
from vlrl.model.experts.routers import RoutedPass, Routers
from vlrl.rollout.engine import Request
from vlrl.rollout.transformers.running_batch import RunningResponse
from vlrl.types import Routing


class ExpertRecorder:
    """What L routers chose in one call of the engine, k experts a token."""

    def __init__(self, routers: Routers, passes: list[RoutedPass]) -> None:
        self._routers, self._passes = routers, passes
        self._prompts: dict[int, np.ndarray] = {}  # by request
        self._resumed: dict[tuple[int, int], np.ndarray] = {}  # by request and index

    def read_rows(self, requests: Sequence[Request], rows: Sequence[tuple[int, Sequence[int]]]) -> None:
        """The last pass read rows `[prompt | resumed response | …]`, padded: (request, indices) of each."""
        by_row = self._last(len(rows))
        for (r, indices), experts in zip(rows, by_row, strict=True):
            stop = requests[r].encoded.num_tokens
            self._prompts[r] = experts[:stop].copy()
            for i in indices:
                start, stop = stop, stop + len(requests[r].written(i))
                self._resumed[r, i] = experts[start:stop].copy()

    def read_resumed(self, rows: Sequence[RunningResponse]) -> None:
        """The last pass read what earlier calls wrote into these rows, equally many tokens each."""
        for row, experts in zip(rows, self._last(len(rows)), strict=True):
            self._resumed[row.request, row.index] = experts.copy()

    def read_written(self, rows: Sequence[RunningResponse]) -> None:
        """The last pass read the token that each of these rows has written last."""
        for row, experts in zip(rows, self._last(len(rows)), strict=True):
            if len(row.experts) < len(row.logprobs):  # one that has ended may be read on, for nothing
                row.experts.append(experts[0])

    def _last(self, rows: int) -> np.ndarray:
        """(rows, T, L, k) experts of the one pass since the last call of this."""
        (routed,) = self._passes
        self._passes.clear()
        found: np.ndarray = routed.chosen(len(self._routers)).cpu().numpy().astype(np.int16)
        return found.reshape(rows, -1, *found.shape[1:])

    def routing(self, request: Request, r: int, row: RunningResponse) -> Routing:
        """Of a response as this call leaves it. What an earlier call noted stays; a token that nobody read has −1."""
        prompt, begun = self._prompts[r], len(row.tokens) - len(row.logprobs)
        response = np.full((len(row.tokens), *prompt.shape[1:]), -1, np.int16)
        response[:begun] = self._resumed.get((r, row.index), -1)
        if request.resume_from is not None and (before := request.resume_from[row.index].routing) is not None:
            noted = before.response[:begun]  # a response may be begun again behind some of its tokens
            response[: len(noted)] = np.where(noted < 0, response[: len(noted)], noted)
        if row.experts:
            response[begun : begun + len(row.experts)] = np.stack(row.experts)
        return Routing(prompt, response)


class NoRecorder:
    """In its place where no request asks for it."""

    def read_rows(self, requests: Sequence[Request], rows: Sequence[tuple[int, Sequence[int]]]) -> None:
        """Nothing is noted."""

    def read_resumed(self, rows: Sequence[RunningResponse]) -> None:
        """Nothing is noted."""

    def read_written(self, rows: Sequence[RunningResponse]) -> None:
        """Nothing is noted."""

    def routing(self, request: Request, r: int, row: RunningResponse) -> None:
        """Nobody knows."""


Recorder = ExpertRecorder | NoRecorder


@contextmanager
def recorded_experts(routers: Routers, requests: Sequence[Request]) -> Iterator[Recorder]:
    """What notes the experts of the block's passes, where any request asks for it. Raises EngineError for a model that
    has none.
    """
    if not any(request.record_routing for request in requests):
        yield NoRecorder()
        return
    if not len(routers):
        raise EngineError("rl.replay_routing", "the engine's model has no experts that are chosen", "leave it out")
    with routers.watched() as passes:
        yield ExpertRecorder(routers, passes)

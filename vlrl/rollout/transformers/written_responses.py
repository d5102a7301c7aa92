"""Responses of one call, from what is asked of them to the rollouts that it returns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch

from vlrl.rollout.engine import NextTurns, Request, joined
from vlrl.rollout.response_text import response_text
from vlrl.rollout.transformers.expert_recording import NoRecorder, Recorder
from vlrl.rollout.transformers.running_batch import RunningResponse
from vlrl.types import Rollout, Segment


class Written:
    """What a call has begun to write, and those responses that go on within it, where `turns` makes them longer.

    requests  as they are now: with `turns`, `resume_from` has the longest that is known of each response that ended
    """

    def __init__(
        self,
        requests: Sequence[Request],
        tokenizer: Any,
        stop_ids: Collection[int],
        version: int,
        turns: NextTurns | None,
    ) -> None:
        self.requests = list(requests)
        self.started: list[RunningResponse] = []
        self._tokenizer, self._stop_ids, self._version, self._turns = tokenizer, stop_ids, version, turns
        self._told: set[int] = set()  # of rows that have ended
        self._read: dict[int, str] = {}  # hashes of prompts as they were read
        self._out = 0  # responses that may come back longer

    @property
    def may_come(self) -> bool:
        """Whether a response may still come back."""
        return self._out > 0

    @property
    def goes_on(self) -> bool:
        """Whether responses come back longer within this call."""
        return self._turns is not None

    def tell(self, rows: Sequence[RunningResponse]) -> None:
        """Rows that have ended are told of, once each."""
        if self._turns is None:
            return
        for row in rows:
            if row.goes_on or id(row) in self._told:
                continue
            self._told.add(id(row))
            request = self.requests[row.request]
            rollout = self._rollout(request, row.request, row.index, row, NoRecorder())
            self.requests[row.request] = request.longer(row.index, rollout)
            self._out += 1
            with torch.inference_mode(False):  # what is read of observations will be trained on
                self._turns.ended(row.request, row.index, rollout)

    def longer(self, wait: bool) -> list[tuple[int, int]]:
        """Request and index of those that came back; with `wait` at least one, unless none is to come."""
        if self._turns is None or not self._out:
            return []
        with torch.inference_mode(False):
            found = self._turns.longer(wait)
        if wait and not found:
            self._out = 0
        for r, i, rollout in found:
            self.requests[r] = self.requests[r].longer(i, rollout)
            self._out -= 1
        return [(r, i) for r, i, _ in found]

    def rollouts(self, experts: Recorder) -> list[tuple[Rollout, ...]]:
        """k responses per request, in request order."""
        rows = {(row.request, row.index): row for row in self.started if id(row) not in self._told}
        return [
            tuple(self._rollout(request, r, i, rows.get((r, i)), experts) for i in range(request.num_rollouts))
            for r, request in enumerate(self.requests)
        ]

    def _rollout(self, request: Request, r: int, index: int, row: RunningResponse | None, experts: Recorder) -> Rollout:
        earlier = None if request.resume_from is None else request.resume_from[index]
        if row is None:  # nothing was added: it had ended before
            assert earlier is not None
            return earlier
        first = len(row.tokens) - len(row.logprobs)  # token of this call
        segment = Segment(tuple(row.tokens[first:]), tuple(row.logprobs), self._version)
        text = response_text(self._tokenizer, row.tokens[row.turn :], self._stop_ids, request.sampling.stop)
        if observed := request.observed(index):
            content_hash = request.encoded.hash_again(observed)
        else:
            content_hash = self._read.get(r) or request.encoded.hash_again()
            self._read[r] = content_hash
        return joined(earlier, segment, text, row.finish_reason, content_hash, experts.routing(request, r, row))


def running(request: Request, r: int, i: int) -> RunningResponse:
    """Response `i` of request number `r`, as this call begins to write it."""
    sampling = request.sampling
    return RunningResponse(
        request=r,
        index=i,
        seed=request.seed_of(i),
        budget=request.budget(i),
        room=request.room(i),
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        repetition=sampling.repetition,
        tokens=list(request.written(i)),
        turn=request.turn_start(i),
    )

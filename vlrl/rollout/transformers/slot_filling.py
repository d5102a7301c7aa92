"""Free slots get responses of the queue: their prompts, and what earlier calls wrote, are read in few passes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from vlrl.model.batch.micro_batches import split_responses
from vlrl.model.cost import CostModel
from vlrl.rollout.engine import Request
from vlrl.rollout.transformers.expert_recording import Recorder
from vlrl.rollout.transformers.prefill import Prefill, ReadResponse
from vlrl.rollout.transformers.running_batch import RunningBatch, RunningResponse
from vlrl.rollout.transformers.scheduler import Queue, begun, passes, resumed
from vlrl.rollout.transformers.written_responses import Written, running


class SlotFilling:
    """The way from a queue into a batch; `waiting` has resumed responses that were read and have no slot yet, by
    request and index.
    """

    def __init__(
        self,
        live: RunningBatch,
        queue: Queue,
        written: Written,
        prefill: Prefill,
        cost: CostModel,
        max_num_batched_tokens: int,
    ) -> None:
        self._live, self._queue, self._written, self._prefill = live, queue, written, prefill
        self._cost, self._max_num_batched_tokens = cost, max_num_batched_tokens
        self.waiting: dict[tuple[int, int], ReadResponse] = {}

    def fill(self, experts: Recorder) -> None:
        """Give free slots to responses of the queue, and read their prompts in as few passes as the limit allows.

        Where no response is resumed, `waiting` stays empty and prompts are read alone (`bare`). A prompt is read
        together with its resumed responses, as far as one pass allows; those without a slot stay in `waiting`.
        """
        live, requests = self._live, self._written.requests
        entries = self._queue.take(len(live.rows), live.held())
        rows = [running(requests[entry.request], entry.request, i) for entry in entries for i in entry.indices]
        self._written.started += rows
        unread = [entry.request for entry in entries if entry.request not in live.held()]
        pieces: list[tuple[int, tuple[int, ...]]] = []
        for entry in entries:
            r = entry.request
            missing = {i for i in entry.indices if requests[r].written(i) and (r, i) not in self.waiting}
            # where responses come back within the call, others of the request are being written
            by_pass = self._pieces(requests[r], missing if self._written.goes_on else resumed(requests[r]))
            wanted = [piece for piece in by_pass if missing & set(piece)]
            if not wanted and r in unread:
                wanted = by_pass[:1]  # slots for fresh ones alone: the prompt is read once all the same
            pieces += [(r, piece) for piece in wanted]
        self._join_resumed(rows)
        bare: list[tuple[int, tuple[int, ...]]] = [(r, ()) for r in unread if r not in dict(pieces)]
        for to_read in (pieces, bare):
            earlier = [[begun(requests[r], i) for i in piece] for r, piece in to_read]
            lengths = [
                requests[r].encoded.num_tokens + sum(one.num_tokens for one in some)
                for (r, _), some in zip(to_read, earlier, strict=True)
            ]
            for chunk in passes(lengths, self._max_num_batched_tokens, self._cost):
                now = [to_read[c] for c in chunk]
                prompts = self._prefill.read([requests[r].encoded for r, _ in now], [earlier[c] for c in chunk])
                experts.read_rows(requests, now)
                live.hold([r for r, _ in now], prompts)
                for (r, piece), responses in zip(now, prompts.responses, strict=True):
                    self.waiting.update({(r, i): response for i, response in zip(piece, responses, strict=True)})
                self._join_resumed(rows)
        if fresh := [row for row in rows if not row.tokens]:
            live.join(fresh)

    def _pieces(self, request: Request, unfinished: Collection[int]) -> list[tuple[int, ...]]:
        """Indices of unfinished responses by forward pass: as many as `max_num_batched_tokens` allows, or one."""
        order = sorted(unfinished)
        lengths = [len(request.written(i)) for i in order]
        parts = split_responses(request.encoded.num_tokens, lengths, self._max_num_batched_tokens)
        return [tuple(order[part.start : part.stop]) for part in parts if part]

    def _join_resumed(self, rows: Sequence[RunningResponse]) -> None:
        """Let those rows join the batch whose tokens have been read; they leave `waiting`."""
        if ready := [row for row in rows if (row.request, row.index) in self.waiting]:
            self._live.join_resumed(ready, [self.waiting.pop((row.request, row.index)) for row in ready])

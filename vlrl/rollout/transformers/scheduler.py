"""Which responses get a slot next: continued ones first, then prompts of like length together, within two limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vlrl.model.cost import CostModel
from vlrl.rollout.engine import Request
from vlrl.types import Rollout


@dataclass(frozen=True)
class Entry:
    """Responses of one request that get slots together."""

    request: int
    indices: tuple[int, ...]


class Queue:
    """Responses that wait for one of `max_num_seqs` slots, while at most `max_num_batched_tokens` padded prompt
    tokens are held.

    Continued requests come first: while a response of theirs waits, no fresh one gets a slot. Among the continued, as
    among the fresh, those whose responses are expected to be longest come first, where that is known: a long one that
    begins late keeps a slot when all others are idle. Else prompts are ordered by length, longest first, so that those
    that are held together pad little: by age they would fill `max_num_batched_tokens` with padding and leave slots
    idle. Responses get their slots one by one; those that wait do so behind their prompt, which is read once. A prompt
    above the limit enters when no other is held.
    """

    def __init__(self, requests: Sequence[Request], max_num_seqs: int, max_num_batched_tokens: int) -> None:
        self._requests = requests
        self._max_num_batched_tokens = max_num_batched_tokens
        self._waiting = {
            r: indices
            for r in sorted(
                range(len(requests)),
                key=lambda r: (
                    requests[r].resume_from is None,
                    -(requests[r].expected_tokens or 0.0),
                    -requests[r].encoded.num_tokens,
                    r,
                ),
            )
            if (indices := [i for i in range(requests[r].num_rollouts) if requests[r].room(i)])
        }
        self.slots = min(max_num_seqs, len(self))

    def __len__(self) -> int:
        """Responses that wait."""
        return sum(len(indices) for indices in self._waiting.values())

    @property
    def waiting(self) -> frozenset[int]:
        """Requests with responses that wait."""
        return frozenset(self._waiting)

    def add(self, request: int, index: int) -> None:
        """A response that goes on, behind those that wait."""
        self._waiting.setdefault(request, []).append(index)

    def take(self, busy: int, held: Mapping[int, int]) -> list[Entry]:
        """Responses for the slots that `busy` rows leave free. `held` has the tokens of each prompt that is held."""
        prompts = dict(held)
        free = self.slots - busy
        taken: list[Entry] = []
        continued_wait = False
        for r, indices in list(self._waiting.items()):
            if free <= 0 or (continued_wait and self._requests[r].resume_from is None):
                break
            if r not in prompts:
                width = max([self._requests[r].encoded.num_tokens, *prompts.values()])
                if width * (len(prompts) + 1) > self._max_num_batched_tokens and prompts:
                    continued_wait |= self._requests[r].resume_from is not None
                    continue  # a shorter one may fit
            now = indices[:free]
            taken.append(Entry(r, tuple(now)))
            prompts[r] = self._requests[r].encoded.num_tokens
            free -= len(now)
            del indices[: len(now)]
            if not indices:
                del self._waiting[r]
        return taken


def passes(lengths: Sequence[int], limit: int, cost: CostModel) -> list[list[int]]:
    """Indices by forward pass, longest first, with at most `limit` padded tokens each.

    A pass takes shorter ones in until their padding costs more than one more pass would. One that is longer than the
    limit makes a pass of its own.
    """
    found: list[list[int]] = []
    width, padding = 0, 0.0
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        padding += cost.language_flops(width) - cost.language_flops(lengths[i])
        if not found or width * (len(found[-1]) + 1) > limit or padding > cost.call_flops():
            found.append([])
            width, padding = lengths[i], 0.0
        found[-1].append(i)
    return found


def begun(request: Request, index: int) -> Rollout:
    """Response `index` as an earlier call left it."""
    assert request.resume_from is not None
    return request.resume_from[index]


def resumed(request: Request) -> list[int]:
    """Indices of a request's responses that earlier calls began and this one goes on with."""
    return [i for i in range(request.num_rollouts) if request.room(i) and request.written(i)]

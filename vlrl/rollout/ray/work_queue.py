"""Who still has to write what: pieces of one call's requests, each request delivered exactly once.

Neither Ray nor torch in here: every actor's process reads this at its start. A piece is a tuple of request numbers that
one actor answers at a time.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vlrl.errors import EngineError
from vlrl.types import Rollout

Piece = tuple[int, ...]


@dataclass(frozen=True)
class Answer:
    """Responses to the requests of a piece, the transfer whose weights wrote them (0: those of the model folder), and
    the engine's figures.
    """

    responses: tuple[tuple[Rollout, ...], ...]
    serial: int
    version: int
    figures: Mapping[str, float] = field(default_factory=dict)


def pieces(costs: Sequence[float], count: int) -> list[Piece]:
    """At most `count` pieces of like cost, the costliest first.

    Longest processing time first (Graham 1969): each request in turn, costliest first, joins the lightest piece.
    """
    heap: list[tuple[float, int, list[int]]] = [(0.0, p, []) for p in range(min(count, len(costs)))]
    for number in sorted(range(len(costs)), key=lambda r: (-costs[r], r)):
        load, place, held = heapq.heappop(heap)
        held.append(number)
        heapq.heappush(heap, (load + costs[number], place, held))
    return [tuple(sorted(held)) for _, _, held in sorted(heap, key=lambda one: (-one[0], one[1]))]


class WorkQueue:
    """One call of `generate`: what waits, what was delivered, what was lost and by whom.

    names  of the requests, for messages
    tries  how many actors a request may lose when it is alone; then it is named and the call fails
    """

    def __init__(self, names: Sequence[str], waiting: Sequence[Piece], tries: int) -> None:
        self._names, self._tries = list(names), tries
        self._waiting = deque(waiting)
        self._alone: Counter[int] = Counter()
        self._answers: dict[int, tuple[Rollout, ...]] = {}
        self.redone = 0  # requests that were handed out again

    def next(self) -> Piece | None:
        """A piece to hand out, or None where nothing waits."""
        return self._waiting.popleft() if self._waiting else None

    @property
    def waiting(self) -> bool:
        """Whether a piece waits to be handed out."""
        return bool(self._waiting)

    def lost(self, piece: Piece, why: str) -> None:
        """The actor that had the piece is gone. Two halves wait instead, so that a deadly request is soon alone.

        Raises EngineError for a request that lost `tries` actors while it was alone with them.
        """
        self.redone += len(piece)
        if len(piece) > 1:
            self._waiting.extendleft((piece[len(piece) // 2 :], piece[: len(piece) // 2]))
            return
        (number,) = piece
        self._alone[number] += 1
        if self._alone[number] >= self._tries:
            raise EngineError(
                f"request {number}, problem {self._names[number]}",
                f"lost {self._tries} actors in a row that had nothing else to do: {why}",
                "look at this problem's images and length, or at the memory of an actor",
            )
        self._waiting.appendleft(piece)

    def deliver(self, piece: Piece, answers: Sequence[tuple[Rollout, ...]]) -> None:
        """Answers to the piece's requests, in its order. Raises EngineError for one that was delivered before."""
        if len(answers) != len(piece):
            raise EngineError(
                "ray pool", f"an actor gave {len(answers)} answers to {len(piece)} requests", "report this"
            )
        for number, answer in zip(piece, answers, strict=True):
            if number in self._answers:
                raise EngineError("ray pool", f"request {number} was answered twice", "report this")
            self._answers[number] = answer

    @property
    def done(self) -> bool:
        """Whether every request has its answer."""
        return len(self._answers) == len(self._names)

    def answers(self) -> list[tuple[Rollout, ...]]:
        """All answers in request order."""
        return [self._answers[number] for number in range(len(self._names))]

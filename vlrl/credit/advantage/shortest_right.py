"""ICR: while longer responses are wrong more often, each group's shortest right response is worth more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from vlrl.credit.advantage.advantages import State
from vlrl.credit.credit_context import CreditContext
from vlrl.credit.tokens.token_parts import Adjust, adjusts
from vlrl.provenance import Mark
from vlrl.types import ScoredGroup


@adjusts.register("icr")
class ShortestRight(Adjust):
    """A ← A + λ for a group's shortest right response that ended by itself, while c < 0; off once c ≥ 0.

    c is a moving average over steps of the correlation of length and correctness within groups: below 0 the policy
    overthinks. With a loss whose gradient is −A·∇log π this adds λ·NLL of that response. Our form of a paper known by
    its abstract, which regularises towards the shortest right rollouts.

    weight  λ; 0 changes nothing
    decay   of the moving average; 0 goes by each step alone
    """

    paper: ClassVar[str] = "ICR"
    mark: ClassVar[Mark] = "D"

    weight: float = Field(default=0.1, ge=0.0)
    decay: float = Field(default=0.9, ge=0.0, lt=1.0)

    def over(self, groups: Sequence[ScoredGroup], context: CreditContext, state: State) -> list[tuple[float, ...]]:
        """Per group (n,). Remembers `correlation`; a step in which nothing varies leaves it as it is."""
        now = length_correctness(groups)
        if now is not None:
            before = state.get("correlation", now)
            state["correlation"] = self.decay * before + (1 - self.decay) * now
        if state.get("correlation", 0.0) >= 0.0:
            return [group.advantages for group in groups]
        return [self._lifted(group) for group in groups]

    def _lifted(self, group: ScoredGroup) -> tuple[float, ...]:
        ended = zip(group.correct, group.finished, strict=True)
        right = [i for i, (correct, finished) in enumerate(ended) if correct and finished]
        if not right:
            return group.advantages
        shortest = min(right, key=lambda i: (group.lengths[i], i))
        return tuple(a + self.weight if i == shortest else a for i, a in enumerate(group.advantages))


def length_correctness(groups: Sequence[ScoredGroup]) -> float | None:
    """Correlation of length and correctness within groups, in [−1, 1]; None where one of them never varies."""
    product = length_square = correct_square = 0.0
    for group in groups:
        lengths, correct = group.lengths, group.correct
        if not lengths:
            continue
        mean_length, mean_correct = sum(lengths) / len(lengths), sum(correct) / len(correct)
        for length, right in zip(lengths, correct, strict=True):
            product += (length - mean_length) * (right - mean_correct)
            length_square += (length - mean_length) ** 2
            correct_square += (right - mean_correct) ** 2
    scale = math.sqrt(length_square * correct_square)
    return product / scale if scale > 0 else None

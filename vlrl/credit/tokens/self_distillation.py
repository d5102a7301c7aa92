"""Learning away from what a hint makes likely: the policy that knows the answer is its own counter-example."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from vlrl.credit.advantage.advantages import State
from vlrl.credit.credit_context import CreditContext
from vlrl.credit.tokens.token_parts import TokenPart, token_credits
from vlrl.provenance import Mark
from vlrl.types import PerToken, ScoredGroup


@token_credits.register("antisd")
class AntiSelfDistillation(TokenPart):
    """−½·weight·(softplus(u) − ln 2), u = log π_T − log π_S: tokens that only a policy with the solution finds likely
    lose, those that it finds less likely gain, ½·ln 2 at most (AntiSD).

    π_T is the policy itself behind a prompt that says answer and verdict (`rl.self_teacher`). A step in which the
    teacher is too sure has no such credit: its mean entropy over all tokens is below `least_entropy` of the policy's.
    A response that has no room behind the hint has none.

    least_entropy  share of the policy's mean entropy (ours: the source gives no number)
    """

    paper: ClassVar[str] = "AntiSD"
    mark: ClassVar[Mark] = "R"
    needs: ClassVar[frozenset[str]] = frozenset({"logprobs", "entropy", "self_teacher", "self_teacher_entropy"})

    weight: float = Field(default=1.0, ge=0.0)
    least_entropy: float = Field(default=0.1, ge=0.0)

    def over(self, groups: Sequence[ScoredGroup], context: CreditContext, state: State) -> list[PerToken]:
        """Per group, per response (T_j,)."""
        weight = 0.0 if self.collapsed(groups) else self.weight
        return [self._of_group(group, weight) for group in groups]

    def collapsed(self, groups: Sequence[ScoredGroup]) -> bool:
        """Whether the teacher's mean entropy, over what it has read, is below the policy's by that much."""
        teacher = student = 0.0
        for group in groups:
            pairs = zip(group.statistics["self_teacher_entropy"], group.statistics["entropy"], strict=True)
            for theirs, ours in pairs:
                if theirs:
                    teacher, student = teacher + sum(theirs), student + sum(ours)
        return teacher < self.least_entropy * student

    def _of_group(self, group: ScoredGroup, weight: float) -> PerToken:
        pairs = zip(group.statistics["self_teacher"], group.statistics["logprobs"], strict=True)
        return tuple(
            tuple(weight * anti_credit(t - s) for t, s in zip(theirs, ours, strict=True))
            if theirs
            else (0.0,) * len(ours)
            for theirs, ours in pairs
        )


def anti_credit(u: float) -> float:
    """−½(softplus(u) − ln 2): 0 at 0, falling, below ½·ln 2 everywhere."""
    return -0.5 * (max(u, 0.0) + math.log1p(math.exp(-abs(u))) - math.log(2.0))

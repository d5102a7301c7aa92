"""On-policy distillation: every token of the student's own response is judged by a teacher's probability of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from vlrl.credit.advantage.advantages import State
from vlrl.credit.credit_context import CreditContext
from vlrl.credit.tokens.token_parts import TokenPart, token_credits
from vlrl.provenance import Mark
from vlrl.types import PerToken, ScoredGroup


def teacher_credit(teacher: PerToken, student: PerToken, weight: float) -> PerToken:
    """Per response (T_j,) log π_T and log π_S → weight·(log π_T − log π_S)."""
    return tuple(
        tuple(weight * (theirs - ours) for theirs, ours in zip(of_teacher, of_student, strict=True))
        for of_teacher, of_student in zip(teacher, student, strict=True)
    )


@token_credits.register("opd")
class Distillation(TokenPart):
    """weight·(log π_T − log π_S) at every token: minus the gradient of KL(π_S‖π_T), one sample a token (OPD).

    The teacher is `rl.teacher`; with `credit.advantage: none` it is all that is learned from. π_S is the policy at the
    start of the step.
    """

    paper: ClassVar[str] = "On-policy distillation; Lightning OPD"
    mark: ClassVar[Mark] = "C"
    needs: ClassVar[frozenset[str]] = frozenset({"logprobs", "teacher"})

    weight: float = Field(default=1.0, ge=0.0)

    def over(self, groups: Sequence[ScoredGroup], context: CreditContext, state: State) -> list[PerToken]:
        """Per group, per response (T_j,)."""
        return [self._of_group(group) for group in groups]

    def _of_group(self, group: ScoredGroup) -> PerToken:
        return teacher_credit(group.statistics["teacher"], group.statistics["logprobs"], self.weight)


@token_credits.register("vopd")
class DistillationWithValue(Distillation):
    """weight·(log π_T − log π_S + KL(π_S‖π_T)) at every token: the same gradient, as a rule with less noise (vOPD).

    The mean of log π_T − log π_S under the student is −KL, so with it as a baseline the mean is 0. Where few tokens are
    likely this is not the baseline of least noise.
    """

    paper: ClassVar[str] = "vOPD"
    mark: ClassVar[Mark] = "A"
    needs: ClassVar[frozenset[str]] = frozenset({"logprobs", "teacher", "kl_teacher"})

    def _of_group(self, group: ScoredGroup) -> PerToken:
        plain = super()._of_group(group)
        return tuple(
            tuple(value + self.weight * kl for value, kl in zip(values, kls, strict=True))
            for values, kls in zip(plain, group.statistics["kl_teacher"], strict=True)
        )

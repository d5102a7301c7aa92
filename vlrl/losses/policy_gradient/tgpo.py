"""TGPO: besides judging the student's tokens, a teacher says what it would have written there."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field

from vlrl.losses.aggregate import Aggregate, TokenLoss
from vlrl.losses.auxiliary import additions
from vlrl.losses.loss_inputs import LossInputs
from vlrl.provenance import Mark


@additions.register("tgpo")
class TeacherGuidance(TokenLoss):
    """−β · log π(ŷ_t), ŷ_t the teacher's likeliest token after the student's own prefix: added to any loss (TGPO).

    Where student and teacher are far apart, the tokens that the student draws only ever hear "no" from a teacher (the
    reverse KL of `opd`); this names the token that would have heard "yes". Our form of a paper known by its abstract.

    beta  0 adds nothing
    """

    paper: ClassVar[str] = "TGPO"
    mark: ClassVar[Mark] = "D"
    needs: ClassVar[frozenset[str]] = frozenset({"teacher_token"})

    aggregate: Aggregate = "token"
    beta: float = Field(default=0.1, ge=0.0)

    def __call__(self, inputs: LossInputs) -> torch.Tensor:
        """A scalar to add up over micro-batches. Raises ValueError where nothing says what the teacher would write."""
        if inputs.teacher_logprobs is None:
            raise ValueError("tgpo: the examples carry no tokens of a teacher")
        return self.average(-self.beta * inputs.teacher_logprobs, inputs)

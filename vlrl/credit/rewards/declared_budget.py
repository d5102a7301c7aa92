"""BET: a response says first whether it will succeed and what it will cost, and may give up at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from vlrl.credit.credit_context import CreditContext
from vlrl.credit.rewards.shapes import Shape, shapes
from vlrl.provenance import Mark
from vlrl.types import ScoredGroup

_PREDICT = re.compile(r"<predict>\s*([01](?:\.\d+)?|\.\d+)\s*,\s*(\d{1,9})\s*</predict>", re.ASCII)
FOLDED = "<answer>fold</answer>"
_FOLD = re.compile(r"<answer>\s*fold\s*</answer>|\\boxed\{\s*(?:\\text\{)?\s*fold\s*\}?\s*\}", re.IGNORECASE)
SHORTEST = 0.3  # share of the right responses whose mean length is what a problem costs
SOLVABLE = 0.25  # pass rate from above which brevity is paid


@dataclass(frozen=True)
class Declaration:
    """What a response says of itself: the chance that it is right, in [0, 1], and tokens."""

    solvability: float
    tokens: int


def declaration_of(text: str) -> Declaration | None:
    """`<predict>0.8, 120</predict>`; None where it isn't there, isn't in range, or is there twice."""
    found = _PREDICT.findall(text)
    if len(found) != 1 or text.lower().count("<predict>") != 1 or float(found[0][0]) > 1.0:
        return None
    return Declaration(float(found[0][0]), int(found[0][1]))


def declaration_text(said: Declaration) -> str:
    """As `declaration_of` reads it; the chance to two digits."""
    return f"<predict>{said.solvability:.2f}, {said.tokens}</predict>"


def folds(text: str) -> bool:
    """Whether the answer is to give up: `fold`."""
    return _FOLD.search(text) is not None


@shapes.register("bet")
class DeclaredBudget(Shape):
    """Makes the reward R_val + R_eff + R_cal out of the score (BET). The part is that less the score, so that weight 1
    is the paper's reward.

    s is the group's pass rate, c* the mean length of the shortest 30 % of its right responses, L the response budget,
    ŝ and b what `<predict>ŝ, tokens</predict>` declares, b and b* = c*/L as shares of L:

        R_val   1 right; `<answer>fold</answer>` +0.1 where the group has no success, else −0.8; wrong −0.2·len/L
        R_eff   0.3·max(0, 1 − len/c*) of right responses where s > 0.25
        R_cal   −0.1·|s − ŝ| − 0.2·|b − b*|, the last twice where b < b*; without a success −0.2·ŝ − 0.1·b

    A response without a readable declaration has the lowest R_cal (ours).
    """

    paper: ClassVar[str] = "BET"
    mark: ClassVar[Mark] = "C"

    weight: float = Field(default=1.0, ge=0.0)

    def of(self, group: ScoredGroup, context: CreditContext) -> tuple[float, ...]:
        """(n,) R − score."""
        budget = context.max_tokens
        cost = cost_of([length for length, correct in zip(group.lengths, group.correct, strict=True) if correct])
        rate = sum(group.correct) / len(group.correct) if group.correct else 0.0
        values = []
        for rollout, verdict, length in zip(group.rollouts, group.verdicts, group.lengths, strict=True):
            value = self.worth(verdict.correct, folds(rollout.text), length / budget, solved=cost is not None)
            if verdict.correct and cost is not None and rate > SOLVABLE:
                value += 0.3 * max(0.0, 1 - length / cost) if cost else 0.0
            target = None if cost is None else min(1.0, cost / budget)
            values.append(value + calibration(declaration_of(rollout.text), rate, target, budget) - verdict.score)
        return tuple(values)

    @staticmethod
    def worth(right: bool, fold: bool, share: float, solved: bool) -> float:
        """R_val; `share` is the length as a share of the response budget."""
        if right:
            return 1.0
        if fold:
            return -0.8 if solved else 0.1
        return -0.2 * min(1.0, share)


def cost_of(lengths: Sequence[int]) -> float | None:
    """c*, the mean of the shortest 30 % of the right responses' lengths; None where there is none."""
    counted = sorted(lengths)[: max(1, round(SHORTEST * len(lengths)))]
    return sum(counted) / len(counted) if counted else None


def calibration(said: Declaration | None, rate: float, target: float | None, budget: int) -> float:
    """R_cal; `target` is b*, None where nothing is right."""
    if said is None:
        return -0.3 if target is None else -0.5
    share = min(1.0, said.tokens / budget)
    if target is None:
        return -0.2 * said.solvability - 0.1 * share
    away = share - target
    return -0.1 * abs(rate - said.solvability) - 0.2 * (away if away >= 0 else -2 * away)

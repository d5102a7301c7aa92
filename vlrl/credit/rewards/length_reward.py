"""The length reward of Kimi k1.5 (§2.3.3): among a problem's k responses, short and right is best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from vlrl.credit.credit_context import CreditContext
from vlrl.credit.rewards.shapes import Shape, shapes
from vlrl.provenance import Mark
from vlrl.types import ScoredGroup


@shapes.register("length")
class LengthReward(Shape):
    """λ_i = 0.5 − (len_i − min_len) / (max_len − min_len); λ_i if correct, min(0, λ_i) if wrong; all equal: 0.

    The paper gives no weight; it has no penalty before `start_step`, then a constant one: `ramp_steps` is ours.

    only_if_any_correct    all-wrong groups get no length reward (ours; the paper's form still prefers short wrong ones)
    """

    paper: ClassVar[str] = "Kimi k1.5, 2501.12599 §2.3.3"
    mark: ClassVar[Mark] = "P"

    only_if_any_correct: bool = False

    def of(self, group: ScoredGroup, context: CreditContext) -> tuple[float, ...]:
        """(n,) rewards; cut responses get 0 and take no part in the extremes."""
        return self(group.lengths, group.correct, group.finished)

    def __call__(self, lengths: Sequence[int], correct: Sequence[bool], counted: Sequence[bool]) -> tuple[float, ...]:
        """(k,) rewards in [−0.5, 0.5] from lengths in tokens.

        `counted` is False for responses that did not end by themselves or could not be judged: they get 0 and take no
        part in the minimum and maximum (k1.5 §2.3.3: a cut response is neither short nor finished).
        """
        kept = [length for length, use in zip(lengths, counted, strict=True) if use]
        if not kept or min(kept) == max(kept):
            return (0.0,) * len(lengths)
        if self.only_if_any_correct and not any(c and use for c, use in zip(correct, counted, strict=True)):
            return (0.0,) * len(lengths)
        shortest, longest = min(kept), max(kept)
        rewards = []
        for length, right, use in zip(lengths, correct, counted, strict=True):
            value = 0.5 - (length - shortest) / (longest - shortest)
            rewards.append((value if right else min(0.0, value)) if use else 0.0)
        return tuple(rewards)

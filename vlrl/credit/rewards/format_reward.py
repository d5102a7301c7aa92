"""A reward for the form of a response, whatever it answers (DeepSeek-R1 §2.2.2: thinking and answer between tags)."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from vlrl.credit.credit_context import CreditContext
from vlrl.credit.rewards.shapes import Shape, shapes
from vlrl.provenance import Mark
from vlrl.types import ScoredGroup

_PATTERNS = {
    "think_answer": r"\s*<think>(?:(?!</?think>).)*</think>\s*<answer>(?:(?!</?answer>).)*</answer>\s*",
    "think": r"\s*<think>(?:(?!</?think>).)*</think>(?:(?!</?think>).)*",
    "answer": r"(?:(?!</?answer>).)*<answer>(?:(?!</?answer>).)*</answer>\s*",
    "boxed": r"(?:(?!\\boxed).)*\\boxed\s*\{(?:(?!\\boxed).)*\}(?:(?!\\boxed).)*",
}
FORMS = {name: re.compile(pattern, re.DOTALL) for name, pattern in _PATTERNS.items()}


@shapes.register("format")
class FormatReward(Shape):
    r"""1 for a response of the form, else 0.

    form  `think_answer` (<think>…</think><answer>…</answer> and nothing else, each once), `think` (a thought, then
          something outside of it), `answer` (ends in one <answer>…</answer>), `boxed` (one \boxed{…})
    """

    paper: ClassVar[str] = "DeepSeek-R1, 2501.12948 §2.2.2"
    mark: ClassVar[Mark] = "P"

    form: Literal["think_answer", "think", "answer", "boxed"] = "think_answer"

    def of(self, group: ScoredGroup, context: CreditContext) -> tuple[float, ...]:
        """(n,) in {0, 1}."""
        pattern = FORMS[self.form]
        return tuple(float(pattern.fullmatch(rollout.text.rstrip()) is not None) for rollout in group.rollouts)

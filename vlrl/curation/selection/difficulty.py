"""Difficulty by pass rate: n answers at a high temperature, the fewer are right the harder (k1.5 §2.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from vlrl.curation.asked_prompts import check_template, wrapped
from vlrl.curation.stage import Answered, Context, Decision, Question, Stage, stage_name, stages
from vlrl.rollout.engine import Sampling
from vlrl.types import Problem

HARD_POOL = "hard"
UNJUDGED = "the verifier broke"


@stages.register("difficulty")
class Difficulty(Stage):
    """Ask `samples` times; drop what is solved too often. What is never solved is kept, dropped, or put into a pool.

    A problem of which fewer than half of the responses could be judged is a fault: its rate is not known.
    """

    samples: int = Field(default=10, ge=1, description="responses a problem")
    sampling: Sampling = Sampling(temperature=1.0, max_tokens=1024)
    prompt: str = Field(default="{question}", description="template around the question; must hold {question}")
    drop_from: float = Field(default=1.0, gt=0.0, le=1.0, description="pass rates from this one up are too easy")
    never_solved: Literal["keep", "drop", "pool"] = Field(
        default="keep", description="keep, drop, or pool: written to hard.jsonl instead"
    )
    write_difficulty: bool = Field(default=True, description="the problem's difficulty becomes 1 − pass rate")
    _template = check_template("prompt")

    def asks(self) -> tuple[str, int]:
        """The template and the most tokens of an answer."""
        return self.prompt, self.sampling.max_tokens

    def decide(self, problems: Sequence[Problem], context: Context) -> list[Decision]:
        """One decision for every problem, in order."""
        questions = [Question(problem, wrapped(problem, self.prompt)) for problem in problems]
        answers = context.model(stage_name(self), questions, self.sampling, self.samples)
        return [self._decide(p, a, context.model.model_hash) for p, a in zip(problems, answers, strict=True)]

    def _decide(self, problem: Problem, answered: Answered, model_hash: str) -> Decision:
        measured: dict[str, Any] = {
            "correct": answered.correct,
            "judged": answered.judged,
            "faults": len(answered.faults),
        }
        if too_few_judged(answered):
            return Decision(problem, "fault", UNJUDGED, answered.faults[0], measured)
        rate = answered.correct / answered.judged
        measured |= {"pass_rate": rate, "model_hash": model_hash, "temperature": self.sampling.temperature}
        said = f"{answered.correct} of {answered.judged} right"
        if rate >= self.drop_from:
            return Decision(problem, "dropped", "too easy", said, measured)
        if rate == 0 and self.never_solved != "keep":
            pool = HARD_POOL if self.never_solved == "pool" else None
            reason = "never solved" if pool is None else "never solved: in hard.jsonl"
            return Decision(self._rated(problem, rate), "dropped", reason, said, measured, pool)
        return Decision(self._rated(problem, rate), measured=measured)

    def _rated(self, problem: Problem, rate: float) -> Problem:
        return replace(problem, difficulty=1.0 - rate) if self.write_difficulty else problem


def too_few_judged(answered: Answered) -> bool:
    """Whether more than half of the verdicts are faults, which say nothing of the problem."""
    return 2 * answered.judged < len(answered.verdicts)

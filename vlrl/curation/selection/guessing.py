"""What can be guessed: right without reasoning (k1.5 §2.1), or right without the image.

Both ask N = 8 times and drop a problem that is right at least once. With a chance g of one right guess, a problem is
dropped with probability 1 − (1 − g)^8: 57% at .1, 90% at .25, 99.6% at .5. Where answers are few (small counts,
options), `min_correct` above 1 separates what is guessed by luck from what is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field, model_validator

from vlrl.curation.asked_prompts import check_template, without_images, wrapped
from vlrl.curation.selection.difficulty import UNJUDGED, too_few_judged
from vlrl.curation.stage import Answered, Context, Decision, Question, Stage, stage_name, stages
from vlrl.rollout.engine import Sampling
from vlrl.types import Problem

NO_REASONING = "{question}\n\nGuess at once. Write no reasoning and no steps, only <answer>your guess</answer>."


class _Guess(Stage):
    """What both guessing stages share."""

    reason: ClassVar[str]
    samples: int = Field(default=8, ge=1, description="guesses a problem")
    min_correct: int = Field(default=1, ge=1, description="right guesses from which the problem is dropped")
    sampling: Sampling
    prompt: str
    _template = check_template("prompt")

    def asks(self) -> tuple[str, int]:
        """The template and the most tokens of an answer."""
        return self.prompt, self.sampling.max_tokens

    @model_validator(mode="after")
    def _reachable(self) -> _Guess:
        if self.min_correct > self.samples:
            raise ValueError(f"min_correct {self.min_correct} of {self.samples} samples can't be reached")
        return self

    def _asked(self, problem: Problem) -> Problem | None:
        """What is asked; None for a problem that this stage passes on."""
        raise NotImplementedError

    def decide(self, problems: Sequence[Problem], context: Context) -> list[Decision]:
        """One decision for every problem, in order."""
        asked = [self._asked(problem) for problem in problems]
        questions = [
            Question(p, wrapped(a, self.prompt)) for p, a in zip(problems, asked, strict=True) if a is not None
        ]
        answers = iter(context.model(stage_name(self), questions, self.sampling, self.samples) if questions else [])
        return [
            Decision(p, measured={"not_asked": 1}) if a is None else self._decide(p, next(answers))
            for p, a in zip(problems, asked, strict=True)
        ]

    def _decide(self, problem: Problem, answered: Answered) -> Decision:
        measured = {"correct": answered.correct, "judged": answered.judged, "faults": len(answered.faults)}
        if answered.correct >= self.min_correct:
            right = next(r.text for r, v in zip(answered.rollouts, answered.verdicts, strict=True) if v.correct)
            said = f"{answered.correct} of {answered.judged} right, e.g. {right[:300]!r}"
            return Decision(problem, "dropped", self.reason, said, measured)
        if too_few_judged(answered):
            return Decision(problem, "fault", UNJUDGED, answered.faults[0], measured)
        return Decision(problem, measured=measured)


@stages.register("easy_to_hack")
class EasyToHack(_Guess):
    """Right without reasoning: the prompt forbids it and there is no room for it."""

    reason: ClassVar[str] = "guessed without reasoning"
    sampling: Sampling = Sampling(temperature=1.0, max_tokens=24)
    prompt: str = Field(default=NO_REASONING, description="template that forbids reasoning; must hold {question}")

    def _asked(self, problem: Problem) -> Problem | None:
        return problem


@stages.register("image_blind")
class ImageBlind(_Guess):
    """Right with the images taken away, reasoning allowed. Problems without images, or without text, pass on."""

    reason: ClassVar[str] = "solved without the image"
    sampling: Sampling = Sampling(temperature=1.0, max_tokens=1024)
    prompt: str = Field(default="{question}", description="template around what is left; must hold {question}")

    def _asked(self, problem: Problem) -> Problem | None:
        return without_images(problem) if problem.images else None

"""The verifier `reward_model`: a trained reward model decides whether an answer means the same as the reference.

For answers that no rule can compare (Kimi k1.5 §2.3.5). Which model decides is said by the run (`reward_model:` in its
config, vlrl/reward_models/learned_verifier.py), and given here as a function over many answers, so that those of a
step are judged together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from vlrl.errors import ConfigError
from vlrl.types import Problem, Verdict
from vlrl.verify.judge import verifier
from vlrl.verify.learned.asked_answer import MAX_ANSWER_CHARS, answer_to_judge

NAME = "reward_model"


@dataclass(frozen=True)
class AskedAnswer:
    """An answer to judge, tamed, with the problem that it answers; the problem's gold is the reference."""

    problem: Problem
    answer: str


@dataclass(frozen=True)
class Judgement:
    """What a reward model says of one answer.

    correct      None where its reply has no verdict: a fault, never a zero
    probability  that the answer is right, where the model gives one
    note         why, or what it said instead
    """

    correct: bool | None
    probability: float | None = None
    note: str = ""


JudgeAnswers: TypeAlias = Callable[[Sequence[AskedAnswer]], Sequence[Judgement]]

_model: tuple[JudgeAnswers, int] | None = None


def use_reward_model(judges: JudgeAnswers | None, max_answer_chars: int = MAX_ANSWER_CHARS) -> None:
    """Gives the verifier its model; None takes it away.

    judges            a judgement for each answer, in order; what it raises is a fault of all of them
    max_answer_chars  longer answers are wrong, and the model isn't asked
    """
    global _model
    _model = None if judges is None else (judges, max_answer_chars)


def judge_together(asked: Sequence[tuple[Problem, str]]) -> list[Verdict]:
    """Verdicts on pairs of a problem and a response, in order; the model is called once for all of them."""
    if _model is None:
        raise ConfigError(
            "verifier reward_model", "no reward model was given", "name its folder: `reward_model: {path: …}`"
        )
    judges, max_chars = _model
    heard = [answer_to_judge(response, max_chars) for _, response in asked]
    given = [AskedAnswer(p, answer) for (p, _), answer in zip(asked, heard, strict=True) if isinstance(answer, str)]
    judgements = iter(judges(given) if given else ())
    return [one if isinstance(one, Verdict) else _verdict(one, next(judgements)) for one in heard]


def _verdict(answer: str, judgement: Judgement) -> Verdict:
    if judgement.correct is None:
        return Verdict.broken(f"unparsed: {judgement.note}")
    note = "by the reward model" + (f", {judgement.note}" if judgement.note else "")
    parts = {} if judgement.probability is None else {"probability": judgement.probability}
    return Verdict(float(judgement.correct), judgement.correct, answer, note, None, parts)


@verifier(NAME, gold=None, together=judge_together)
def reward_model(problem: Problem, response: str) -> Verdict:
    """The run's reward model decides. Rejects what declares no answer, several answers, or one that is too long.

    An unset model and a reply without a verdict are faults.
    """
    return judge_together([(problem, response)])[0]

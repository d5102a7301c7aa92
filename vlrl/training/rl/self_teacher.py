"""The policy as its own teacher: it reads its responses once more, behind a prompt that says answer and verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import Field, field_validator

from vlrl.config import Settings
from vlrl.errors import DataError
from vlrl.model.batch.example import read_rollouts
from vlrl.model.prompts.encode import Encoded
from vlrl.model.training.policy import Policy
from vlrl.training.session.model_runtime import ModelRuntime
from vlrl.types import Group, PerToken, Problem, Text, Verdict

NAMES = {"self_teacher": "logprobs", "self_teacher_entropy": "entropy"}  # of the statistics, by what is measured
HINT = "\n\nThe right answer is {answer}. The response that follows is {verdict}."


class SelfTeacherSettings(Settings):
    """What the self-teacher's prompt says behind the problem's own.

    hint  with {answer}, the problem's gold, and {verdict}, `right` or `wrong`
    """

    hint: str = Field(default=HINT, min_length=1)

    @field_validator("hint")
    @classmethod
    def _says_both(cls, hint: str) -> str:
        try:
            told = {hint.format(answer=answer, verdict=verdict) for answer in "xy" for verdict in "vw"}
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(f"{hint!r} can't be filled in: {error}; write {{answer}} and {{verdict}}") from error
        if len(told) < 4:
            raise ValueError(f"{hint!r} doesn't say both; write {{answer}} and {{verdict}}")
        return hint


def hinted(problem: Problem, right: bool, hint: str) -> Problem:
    """The problem with answer and verdict behind its prompt."""
    text = hint.format(answer=problem.answer, verdict="right" if right else "wrong")
    return replace(problem, prompt=(*problem.prompt, Text(text)))


def read_as_teacher(
    settings: SelfTeacherSettings,
    model: ModelRuntime,
    policy: Policy,
    temperature: float,
    groups: Sequence[Group],
    verdicts: Sequence[Sequence[Verdict]],
) -> list[dict[str, PerToken]]:
    """By group: `self_teacher`, log π of every token behind the hinted prompt, and `self_teacher_entropy`. Empty for a
    response that has no tokens, or doesn't fit into the context behind its hint.
    """
    found: list[dict[str, Any]] = [{name: [()] * len(group.rollouts) for name in NAMES} for group in groups]
    places: list[tuple[int, list[int]]] = []
    rows = []
    for i, (group, of_group) in enumerate(zip(groups, verdicts, strict=True)):
        for right in (True, False):
            asked = [j for j, one in enumerate(of_group) if one.correct == right and group.rollouts[j].num_tokens]
            prompt = _encoded(model, hinted(group.problem, right, settings.hint)) if asked else None
            room = 0 if prompt is None else model.loaded.context - prompt.num_tokens
            fitting = [j for j in asked if len(group.rollouts[j].token_ids) <= room]
            if prompt is not None and fitting:
                places.append((i, fitting))
                rows.append(read_rollouts(prompt, [group.rollouts[j] for j in fitting]))
    measured = policy.statistics(rows, temperature, sorted(set(NAMES.values())))
    for (i, indices), values in zip(places, measured, strict=True):
        for name, held in NAMES.items():
            for j, value in zip(indices, values[held], strict=True):
                found[i][name][j] = value
    return [{name: tuple(values) for name, values in of_group.items()} for of_group in found]


def _encoded(model: ModelRuntime, problem: Problem) -> Encoded | None:
    """None where the prompt with its hint fills the context."""
    try:
        return model.encoder.encode([problem])[0]
    except DataError:
        return None

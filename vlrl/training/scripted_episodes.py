"""A cold start: demonstrations of several turns, their calls answered by the environment, as examples to imitate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from vlrl.errors import ConfigError, DataError
from vlrl.model.batch.example import Example, read_rollouts
from vlrl.model.load import LoadedModel
from vlrl.model.prompts.encode import Encoder
from vlrl.rollout.environments.environment import environments
from vlrl.rollout.environments.episodes.episode_environment import EpisodeEnvironment
from vlrl.types import Demonstration, Group


def scripted_examples(
    loaded: LoadedModel, encoder: Encoder, environment: Any, demos: Sequence[Demonstration], place: str
) -> list[Example]:
    """Demonstrations as update examples, in order; what tools returned has weight 0.

    Raises ConfigError at `place` where the environment has no tools, DataError for a demonstration whose calls it
    doesn't answer.
    """
    if not isinstance(environment, EpisodeEnvironment):
        name = environments.name_of(environment)
        raise ConfigError(
            f"{place}.demonstrations",
            f"call tools, and environment {name!r} has none",
            "name an environment with the tools that they call, e.g. environment: {name: tools, tools: [zoom]}",
        )
    problems = [demo.problem for demo in demos]
    groups = environment.scripted(encoder, loaded, problems, [(*demo.turns, demo.response) for demo in demos])
    for demo, group in zip(demos, groups, strict=True):
        _check(demo, group)
    return [_example(group) for group in groups]


def _example(group: Group) -> Example:
    read = read_rollouts(group.encoded, group.rollouts)
    written = read.written or tuple((True,) * len(response) for response in read.responses)
    weights = tuple(tuple(float(wrote) for wrote in response) for response in written)
    return replace(read, advantages=(1.0,), token_weights=weights)


def _check(demo: Demonstration, group: Group) -> None:
    (rollout,), place = group.rollouts, f"demonstration of problem {demo.problem.id}"
    episode = rollout.episode
    assert episode is not None
    if episode.over_limit is not None:
        raise DataError(
            place, f"is longer than {episode.over_limit}", "raise model.context or the limits of environment"
        )
    wrong = [call for call in episode.calls if call.outcome != "done"]
    if wrong or episode.turns != len(demo.turns) + 1:
        said = next((s.text for s in rollout.segments if s.author == "observation" and s.text.startswith("error")), "")
        raise DataError(
            place,
            f"was played for {episode.turns} of its {len(demo.turns) + 1} turns, {len(wrong)} of its "
            f"{len(episode.calls)} calls failed{f': {said}' if said else ''}",
            "let every turn but the last call a tool of the environment, with arguments that it takes",
        )

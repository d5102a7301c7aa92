"""An environment: how k responses to a problem come about, and what is said of them.

    environment: single_turn        # a config's default: one response each, judged by the problem's verifier

RL, validation and the held-out test ask the environment and nothing else. One of your own is a class in a plugin file,
filed by `@environments.register("name")`; its fields are its settings. One of several turns, whose tools answer with
texts and images, derives from `EpisodeEnvironment` (rollout/environments/episodes/episode_environment.py);
docs/episodes.md.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from vlrl import dist
from vlrl.config import Settings, declared_effect
from vlrl.errors import ConfigError
from vlrl.model.prompts.encode import EncodesTurns
from vlrl.registry import Registry
from vlrl.rollout.engine import Generates, Sampling
from vlrl.rollout.engine_registry import EngineSettings, name_of
from vlrl.rollout.partial_rollouts import PartialBuffer, RolloutBuffer
from vlrl.types import Group, Problem, Verdict, content_digest


class Environment(Settings):
    """The base of every environment; it keeps nothing from call to call.

    partial_rollouts  whether responses may be cut over iterations (`rl.partial`), which `buffer` then holds:
                      `roll_out` isn't asked. So it is never inherited by a class with a `roll_out` of its own, which
                      says True in its own body if its responses are the buffer's all the same.
    several_turns     whether responses hold observations, behind which the engine goes on
    """

    partial_rollouts: ClassVar[bool] = False
    several_turns: ClassVar[bool] = False

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        writes = next(one for one in cls.__mro__ if "roll_out" in vars(one))
        said = next(one for one in cls.__mro__ if "partial_rollouts" in vars(one))
        if cls.__mro__.index(writes) < cls.__mro__.index(said):
            cls.partial_rollouts = False

    @property
    def turns_apart(self) -> bool:
        """Whether turns of a call begin one by one (`GeneratesTurns`)."""
        return False

    def warm_up(self, problems: Sequence[Problem]) -> None:
        """Begin what the verdicts on these problems will need, and return at once."""

    def tool_schemas(self) -> tuple[Mapping[str, Any], ...]:
        """JSON schemas of the tools that every prompt describes; none by default."""
        return ()

    def files(self) -> tuple[str, ...]:
        """Files that it reads: another content is another run."""
        return ()

    def for_evaluation(self) -> Environment:
        """The environment of validation and test, where it differs."""
        return self

    def check_partial(self) -> None:
        """Raises ConfigError where responses can't be cut over iterations (`rl.partial`)."""
        if not self.partial_rollouts:
            raise ConfigError(
                "rl.partial",
                f"the environment {type(self).__name__} writes its responses in one iteration",
                "leave it out, or environment: single_turn",
            )

    def buffer(self) -> PartialBuffer:
        """What holds unfinished responses between iterations."""
        return RolloutBuffer()

    @abstractmethod
    def roll_out(
        self,
        encode: EncodesTurns,
        engine: Generates,
        problems: Sequence[Problem],
        sampling: Sampling,
        k: int,
        seed: int,
    ) -> list[Group]:
        """k responses to each problem, in order, with the prompt that they were written for (`Group.encoded`).

        The same arguments and weights give the same responses.
        """

    @abstractmethod
    def verdicts(self, groups: Sequence[Group]) -> list[tuple[Verdict, ...]]:
        """A verdict for every response. What breaks in the environment itself is a fault, never a zero."""


environments: Registry[Any] = Registry("environment", base=Environment)


def described(environment: Environment) -> str:
    """All of an environment that changes results, in one line: its settings, and digests of the files that it reads;
    "" for single turns.
    """
    name = environments.name_of(environment)
    if name == "single_turn":
        return ""
    held = {key for key in type(environment).model_fields if declared_effect(type(environment), key) == "pace"}
    text = json.dumps({"name": name, **environment.model_dump(mode="json", exclude=held)}, sort_keys=True)
    for file in environment.files():
        text = text.replace(file, f"{Path(file).name} {content_digest(Path(file).read_bytes())}")
    return text


def check_plays(environment: Environment, engine: EngineSettings, place: str = "environment") -> None:
    """Raises ConfigError at `place` for an engine that can't go on behind what the environment says."""
    can, name = engine.capabilities, name_of(engine.inner or engine)
    if environment.several_turns and not (can.partial_rollouts and can.observed_images):
        raise ConfigError(
            place,
            f"{environments.name_of(environment)} has several turns, and engine {name!r} does not go on "
            "behind what tools return",
            "environment: single_turn, or engine: transformers",
        )
    if environment.turns_apart and (not can.next_turns or dist.world() > 1):
        where = f"engine {name!r}" if not can.next_turns else f"an engine of {dist.world()} ranks"
        raise ConfigError(f"{place}.next_turn", f"{where} writes all turns together", "next_turn: together")

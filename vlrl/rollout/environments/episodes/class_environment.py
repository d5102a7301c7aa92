"""An environment as TRL's users write it: a class without a base, in a file of its own.

    environment: {name: class, path: "my_env.py:MazeEnv"}

Its methods are the tools, `reset(**row)` begins an episode and may add to the prompt (None, a text or blocks), and
`get_reward()`, where it has one, says at the end what was reached. One object plays one episode at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from vlrl.errors import ConfigError
from vlrl.registry import load_plugin
from vlrl.rollout.environments.calls.toolbox import schemas_of
from vlrl.rollout.environments.environment import environments
from vlrl.rollout.environments.episodes.episode_environment import EpisodeEnvironment
from vlrl.types import Problem


@environments.register("class")
class ClassEnvironment(EpisodeEnvironment):
    """The class of a user's file, by `path: file.py:Class`; `arguments` are those of its constructor."""

    path: str = Field(description="file.py:Class")
    arguments: Mapping[str, Any] = Field(default={}, description="keyword arguments of the constructor")

    @model_validator(mode="after")
    def _has_tools(self) -> ClassEnvironment:
        self.schemas()
        return self

    @property
    def kind(self) -> type:
        """The class. Raises ConfigError for a file or a class that isn't there."""
        file, separator, name = self.path.rpartition(":")
        if not separator or not file or not name:
            raise ConfigError(
                "environment.path", f"is {self.path!r}", "write the file and the class: my_env.py:MazeEnv"
            )
        module = load_plugin(file)
        kind = getattr(module, name, None)
        if not isinstance(kind, type):
            known = [key for key, value in vars(module).items() if isinstance(value, type)]
            raise ConfigError(
                "environment.path", f"{file} has no class {name!r}", f"it has {', '.join(known) or 'none'}"
            )
        return kind

    def open(self, problem: Problem) -> Any:
        """A new object; `reset` follows."""
        return self.kind(**self.arguments)

    def schemas(self) -> Mapping[str, Mapping[str, Any]]:
        """Of its public methods."""
        return schemas_of(self.kind)

    def files(self) -> tuple[str, ...]:
        """The file of the class."""
        return (self.path.rpartition(":")[0],)

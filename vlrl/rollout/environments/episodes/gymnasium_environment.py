"""A Gymnasium environment by its id: the policy acts by a tool, and every step answers with an image.

environment: {name: gymnasium, id: FrozenLake-v1, actions: [left, down, right, up], turns: 20}
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from vlrl.installation.extras import install, require_library
from vlrl.rollout.environments.calls.toolbox import schemas_of
from vlrl.rollout.environments.environment import environments
from vlrl.rollout.environments.episodes.episode_environment import EpisodeEnvironment
from vlrl.seeding import derive_seed
from vlrl.types import Problem


class Steps:
    """One Gymnasium environment as an object with a tool; its own reset begins with a seed that the problem fixes."""

    def __init__(self, make: Any, actions: Sequence[str]) -> None:
        self._make, self._actions = make, list(actions)
        self.over, self.total, self.last = False, 0.0, 0.0

    def reset(self, **row: Any) -> Any:
        """Begin; what is seen first, for the prompt."""
        self._environment = self._make()
        seed = row["seed"] if "seed" in row else derive_seed(0, "gymnasium", str(row["id"])) % 2**31
        observation, _ = self._environment.reset(seed=int(seed))
        return self._seen(observation)

    def act(self, action: int | str | list[float]) -> Any:
        """Do one step.

        Args:
            action: A name or a number, or a list of numbers, as the task says.
        """
        if self.over:
            raise ValueError("the episode is over")
        observation, reward, ended, cut, _ = self._environment.step(self._action(action))
        self.last, self.over = float(reward), bool(ended or cut)
        self.total += self.last
        return self._seen(observation)

    def get_reward(self) -> float:
        """The sum over all steps."""
        return self.total

    def _close(self) -> None:
        self._environment.close()

    def _action(self, action: Any) -> Any:
        """As the action space takes it. Raises ValueError, for the policy, for one that it doesn't."""
        space = self._environment.action_space
        if action in self._actions:
            action = self._actions.index(action)
        elif isinstance(action, str):
            try:
                action = json.loads(action)
            except ValueError:
                known = f"known are {', '.join(self._actions)}" if self._actions else f"write one of {space}"
                raise ValueError(f"there is no action {action[:40]!r}; {known}") from None
        if isinstance(action, list):
            action = np.asarray(action, getattr(space, "dtype", None)).reshape(space.shape)
        elif isinstance(action, int | float) and not isinstance(action, bool):
            action = int(action)
        if not space.contains(action):
            raise ValueError(f"{action!r:.80} is none of {space}")
        return action

    def _seen(self, observation: Any) -> list[Any]:
        """An observation that is an image, else what the environment draws of itself."""
        frame = np.asarray(observation) if isinstance(observation, np.ndarray) else None
        if frame is None or frame.dtype != np.uint8 or frame.ndim != 3:
            frame = self._environment.render()
        return [{"type": "image", "image": np.asarray(frame, np.uint8)}]


@environments.register("gymnasium")
class GymnasiumEnvironment(EpisodeEnvironment):
    """The environment of this id, with `render_mode: rgb_array`. Rewards are added up; `reward_range` is their sum's.

    A problem's metadata may name a `seed`; else its id is one.
    """

    id: str = Field(description="as Gymnasium registers it; module:Name-v0 imports the module first")
    arguments: Mapping[str, Any] = Field(default={}, description="keyword arguments of gymnasium.make")
    actions: tuple[str, ...] = Field(default=(), description="names of a discrete space's actions, in order")

    @model_validator(mode="after")
    def _is_installed(self) -> GymnasiumEnvironment:
        require_library("gymnasium", install("gymnasium"), "environment")
        return self

    def open(self, problem: Problem) -> Any:
        """Made when the episode begins."""
        return Steps(self._make, self.actions)

    def _make(self) -> Any:
        import gymnasium

        return gymnasium.make(self.id, **{"render_mode": "rgb_array", **self.arguments})

    def schemas(self) -> Mapping[str, Mapping[str, Any]]:
        """`act` alone."""
        return schemas_of(Steps, ("act",))

    def is_over(self, played: Any) -> bool:
        """Terminated or truncated."""
        return bool(played.over)

    def turn_reward(self, played: Any) -> float | None:
        """Of the last step."""
        return float(played.last)

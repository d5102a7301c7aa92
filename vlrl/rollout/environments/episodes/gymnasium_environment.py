"""A Gymnasium environment by its id: the policy acts by a tool, and every step answers with an image.

environment: {name: gymnasium, id: FrozenLake-v1, actions: [left, down, right, up], turns: 20}

Interfaces read: https://gymnasium.farama.org/api/env/, and VisGym's (https://github.com/visgym/VisGym), whose
environments parse actions from text, tell the task by `get_prompt` and what became of a step by `info["env_feedback"]`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from vlrl.errors import ConfigError
from vlrl.installation.extras import install, require_library
from vlrl.rollout.environments.calls.toolbox import schemas_of
from vlrl.rollout.environments.environment import environments
from vlrl.rollout.environments.episodes.episode_environment import EpisodeEnvironment
from vlrl.seeding import derive_seed
from vlrl.types import Problem


class Steps:
    """One Gymnasium environment as an object with a tool; its own reset begins with a seed that the problem fixes."""

    def __init__(self, settings: GymnasiumEnvironment) -> None:
        self._settings, self._actions = settings, list(settings.actions)
        self.over, self.total, self._of_turn = False, 0.0, 0.0

    def reset(self, **row: Any) -> Any:
        """Begin; what is seen first, for the prompt."""
        self._environment = self._settings.make()
        seed = row["seed"] if "seed" in row else derive_seed(0, "gymnasium", str(row["id"])) % 2**31
        observation, info = self._environment.reset(seed=int(seed))
        task = self._settings.task
        told = [] if task is None else [str(self._environment.get_wrapper_attr(task)())]
        return [*map(_text, told), *self._seen(observation, info)]

    def act(self, action: int | str | list[float]) -> Any:
        """Do one step.

        Args:
            action: A name or a number, or a list of numbers, as the task says.
        """
        if self.over:
            raise ValueError("the episode is over")
        taken = str(action) if self._settings.text_actions else self._action(action)
        observation, reward, ended, cut, info = self._environment.step(taken)
        self.over = bool(ended or cut)
        self.total += float(reward)
        self._of_turn += float(reward)
        return self._seen(observation, info)

    def get_reward(self) -> float:
        """The sum over all steps."""
        return self.total

    def _pop_turn_reward(self) -> float:
        """The sum over the steps since it was asked last."""
        found, self._of_turn = self._of_turn, 0.0
        return found

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

    def _seen(self, observation: Any, info: Mapping[str, Any]) -> list[Any]:
        """What the observation says in words and what `info` says, and an image: the observation, where it is one, else
        what the environment draws of itself.
        """
        parts = list(observation.values()) if isinstance(observation, Mapping) else [observation]
        texts = [part for part in parts if isinstance(part, str)]
        texts += [str(info[name]) for name in self._settings.shown_info if info.get(name) is not None]
        frame = np.asarray(observation) if isinstance(observation, np.ndarray) else None
        if frame is None or frame.dtype != np.uint8 or frame.ndim != 3:
            frame = self._environment.render()
        return [*map(_text, texts), {"type": "image", "image": np.asarray(frame, np.uint8)}]


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


@environments.register("gymnasium")
class GymnasiumEnvironment(EpisodeEnvironment):
    """The environment of this id, with `render_mode: rgb_array`. Rewards are added up; `reward_range` is their sum's.

    A problem's metadata may name a `seed`; else its id is one. Texts in its observations are shown beside the image.

    text_actions  an action is the text that the policy writes; the environment reads it
    task          a method of the environment whose text goes into the prompt, once it is reset
    shown_info    keys of `info` whose text is shown with an observation
    """

    id: str = Field(description="as Gymnasium registers it; module:Name-v0 imports the module first")
    arguments: Mapping[str, Any] = Field(default={}, description="keyword arguments of gymnasium.make")
    actions: tuple[str, ...] = Field(default=(), description="names of a discrete space's actions, in order")

    text_actions: bool = Field(default=False, description="whether it parses actions itself, from text")
    task: str | None = Field(default=None, description="its method that tells the task: get_prompt in VisGym")
    shown_info: tuple[str, ...] = Field(default=(), description="keys of info that are shown: env_feedback in VisGym")

    @model_validator(mode="after")
    def _is_installed(self) -> GymnasiumEnvironment:
        require_library("gymnasium", install("gymnasium"), "environment")
        if self.text_actions and self.actions:
            raise ConfigError(
                "environment.actions", "names actions that text_actions hands on as text", "leave one of them out"
            )
        return self

    def open(self, problem: Problem) -> Any:
        """Made when the episode begins."""
        return Steps(self)

    def make(self) -> Any:
        """The environment as the library makes it."""
        import gymnasium

        return gymnasium.make(self.id, **{"render_mode": "rgb_array", **self.arguments})

    def schemas(self) -> Mapping[str, Mapping[str, Any]]:
        """`act` alone."""
        return schemas_of(Steps, ("act",))

    def is_over(self, played: Any) -> bool:
        """Terminated or truncated."""
        return bool(played.over)

    def turn_reward(self, played: Any) -> float | None:
        """The sum over the turn's steps: 0 where none was done."""
        return float(played._pop_turn_reward())

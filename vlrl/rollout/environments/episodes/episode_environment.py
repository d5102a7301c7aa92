"""The base of every environment of several turns: an object with tools for each episode, and what it earns."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from vlrl.data.images.open_images import open_image
from vlrl.errors import ConfigError, RunError
from vlrl.model.load import LoadedModel
from vlrl.model.prompts.encode import EncodesTurns
from vlrl.rollout.boundaries.boundary import boundary_hooks
from vlrl.rollout.engine import Generates, Sampling
from vlrl.rollout.environments.calls.call_formats import call_formats
from vlrl.rollout.environments.environment import environments
from vlrl.rollout.environments.episodes.episode_buffer import EpisodeBuffer
from vlrl.rollout.environments.episodes.episode_group import new_groups
from vlrl.rollout.environments.episodes.episode_settings import EpisodeSettings
from vlrl.rollout.environments.episodes.next_turns import PlayAsAnswered
from vlrl.rollout.environments.episodes.play import OpenWorld, Play
from vlrl.rollout.environments.episodes.scripted_turns import ScriptedTurns
from vlrl.rollout.environments.episodes.world import World, WorldLimits
from vlrl.rollout.environments.episodes.world_process import WorldProcess, server_of, wait_until_loaded
from vlrl.types import Group, Problem, Rollout, Text, Verdict
from vlrl.verify.judge import judge_all, warm_up_verifiers
from vlrl.verify.sandbox.worker_client import ForkServer, WorkerFault


class EpisodeEnvironment(EpisodeSettings):
    """Episodes of one kind. A subclass says which object plays a problem (`open`), and its tools (`schemas`)."""

    partial_rollouts: ClassVar[bool] = True
    several_turns: ClassVar[bool] = True

    @abstractmethod
    def open(self, problem: Problem) -> Any:
        """A new object for one episode, with `reset`, tools for methods and, where it judges, `get_reward`."""

    @abstractmethod
    def schemas(self) -> Mapping[str, Mapping[str, Any]]:
        """JSON schemas of the tools by name. Raises ConfigError for a class that can't be used."""

    def is_over(self, played: Any) -> bool:
        """Whether the environment has ended the episode; asked after each turn."""
        return False

    def turn_reward(self, played: Any) -> float | None:
        """Its reward for the turn that was just played; None where it gives none."""
        return None

    def tool_schemas(self) -> tuple[Mapping[str, Any], ...]:
        """Those that prompts describe."""
        return tuple(self.schemas().values()) if self.describe_tools else ()

    def for_evaluation(self) -> EpisodeEnvironment:
        """The same with `evaluation_turns`."""
        if self.evaluation_turns is None:
            return self
        return self.model_copy(update={"turns": self.evaluation_turns})

    def row(self, problem: Problem) -> dict[str, object]:
        """A problem as `reset` is given it: its metadata by key, `question`, `answer`, `id`, `images` (Pillow) and
        `prompt` as a list of messages.
        """
        images = [open_image(image) for image in problem.images]
        rest = iter(images)
        content = [
            {"type": "text", "text": piece.text} if isinstance(piece, Text) else {"type": "image", "image": next(rest)}
            for piece in problem.prompt
        ]
        return {
            **problem.metadata,
            "id": problem.id,
            "question": problem.question,
            "answer": problem.answer,
            "images": images,
            "prompt": [{"role": "user", "content": content}],
        }

    def warm_up(self, problems: Sequence[Problem]) -> None:
        """Worker processes of the problems' verifiers, and the one that episodes are forked from."""
        warm_up_verifiers(problems)
        if self.episode_memory_mib is not None:
            self._server()

    def roll_out(
        self,
        encode: EncodesTurns,
        engine: Generates,
        problems: Sequence[Problem],
        sampling: Sampling,
        k: int,
        seed: int,
    ) -> list[Group]:
        """k episodes of each problem. Raises EngineError if the content that the engine read differs from the
        encoder's, RunError where `reset` gives episodes of one problem different prompts.
        """
        kind = PlayAsAnswered if self.turns_apart else Play
        return kind(new_groups(problems, k, seed), self, self.opening(), self.row).whole(encode, engine, sampling)

    def check_partial(self) -> None:
        """Raises ConfigError where turns begin one by one."""
        super().check_partial()
        if self.turns_apart:
            raise ConfigError(
                "rl.partial",
                "episodes that wait are cut between turns that all wait",
                "environment.next_turn: together",
            )

    def buffer(self) -> EpisodeBuffer:
        """With the environments of what waits."""
        return EpisodeBuffer(self)

    def scripted(
        self, encode: EncodesTurns, loaded: LoadedModel, problems: Sequence[Problem], scripts: Sequence[Sequence[str]]
    ) -> list[Group]:
        """One episode of each problem whose turns are given, e.g. by demonstrations; hooks aren't asked."""
        most = max((len(script) for script in scripts), default=1)
        limits = {"turns": max(most, 1), "tokens_per_turn": loaded.context, "on_boundary": ()}
        longest = self.model_copy(update=limits)
        engine, sampling = ScriptedTurns(loaded, scripts), Sampling(max_tokens=loaded.context)
        play = Play(new_groups(problems, 1, range(len(problems))), longest, self.opening(), self.row)
        return play.whole(encode, engine, sampling)

    def verdicts(self, groups: Sequence[Group]) -> list[tuple[Verdict, ...]]:
        """The environment's own; where it has none, those of each problem's verifier on the policy's last turn. What
        broke in the environment is a fault, and `over_limit` says what an episode over a limit earns.
        """
        known = [[self._known(rollout) for rollout in group.rollouts] for group in groups]
        asked = [
            (group.problem, [r.text for r, held in zip(group.rollouts, of_group, strict=True) if held is None])
            for group, of_group in zip(groups, known, strict=True)
        ]
        judged = [iter(verdicts) for verdicts in judge_all(asked)]
        return [
            tuple(next(rest) if held is None else held for held in of_group)
            for of_group, rest in zip(known, judged, strict=True)
        ]

    def _known(self, rollout: Rollout) -> Verdict | None:
        """What is said of an episode without its problem's verifier."""
        episode = rollout.episode
        if episode is None:
            return None
        if episode.verdict is not None:
            return episode.verdict
        if episode.over_limit is None:
            return None
        why = f"over its limit: {episode.over_limit}"
        return Verdict.wrong(why) if self.over_limit == "zero" else Verdict(0.0, False, left_out=why)

    def _server(self) -> ForkServer:
        return server_of(
            self, self.episode_memory_mib or 0, self.tool_seconds, environments, call_formats, boundary_hooks
        )

    def opening(self) -> OpenWorld:
        """What opens an episode's world: here, or in a process of its own once its fork server has loaded. Raises
        RunError where it can't.
        """
        if self.episode_memory_mib is None:
            return self.world
        server = self._server()
        try:
            wait_until_loaded(server)
        except WorkerFault as error:
            raise RunError(
                "environment", str(error), "what the environment imports must load in a new process"
            ) from None
        return lambda problem: WorldProcess(server, problem, self.tool_seconds)

    def world(self, problem: Problem) -> World:
        """A new one in this process."""
        limits = WorldLimits(
            self.calls_per_turn,
            self.image.per_turn,
            self.image.per_episode,
            self.result_characters,
            self.duplicate_iou,
            self.reward_range,
        )
        return World(
            partial(self.open, problem), self.schemas(), self.call_format, limits, self.is_over, self.turn_reward
        )

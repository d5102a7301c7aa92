"""Partial rollouts of episodes: what an iteration did not finish waits here, cut in a turn or between two.

Environments live on while their episodes wait. A checkpoint holds tokens, images and what each environment was told and
said; after a resume a new one is told the same again and must say the same. Whether that works is tried once, on the
first episode that waits, so that a run whose environment can't be restored ends in its first iterations.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from vlrl.errors import EngineError, RunError
from vlrl.model.prompts.encode import EncodesTurns
from vlrl.model.prompts.observation_text import Observation
from vlrl.rollout.boundaries.rewriting import Rewritten
from vlrl.rollout.collector import check_same_content
from vlrl.rollout.engine import Generates, Sampling
from vlrl.rollout.environments.environment import environments
from vlrl.rollout.environments.episodes.episode_group import EpisodeGroup, Heard, Progress, digest_of, new_groups
from vlrl.rollout.environments.episodes.play import Place, Play
from vlrl.rollout.environments.episodes.world import Plays, Reply
from vlrl.rollout.partial_rollouts import PartialRollouts, Served, partial_metrics
from vlrl.runlog.codecs import image_state, problem_from, problem_state
from vlrl.types import Group, Image, Problem, Rollout, Segment, ToolCall, Verdict

if TYPE_CHECKING:
    from vlrl.rollout.environments.episodes.episode_environment import EpisodeEnvironment

_SEGMENT = ("token_ids", "sampler_logprobs", "policy_version", "author", "token_types", "text")
_PROGRESS = ("turns", "over_limit", "fault", "going", "discarded_calls", "began", "closed")


class EpisodeBuffer:
    """Unfinished groups of episodes between iterations, oldest first. Part of the checkpoint."""

    def __init__(self, environment: EpisodeEnvironment) -> None:
        self._environment = environment
        self.waiting: list[EpisodeGroup] = []
        self._unread: list[Mapping[str, Any]] = []  # of a checkpoint, until there is an encoder
        self._count, self._tried = 0, False

    def serve(
        self,
        encode: EncodesTurns,
        engine: Generates,
        problems: Sequence[Problem],
        sampling: Sampling,
        k: int,
        seed: int,
        settings: PartialRollouts,
        step: int,
    ) -> tuple[list[Group], dict[str, float]]:
        """Play on every waiting episode, and k episodes of each new problem, until they end or the policy has written
        `budget` tokens of each.

        Returns the groups that have ended, oldest first, and the metrics `rollout/…`. Raises as `Play.run` does;
        RunError for an environment that says something else when it is told the same again; EngineError for a prompt or
        an image that is read otherwise after a resume.
        """
        restored, self._unread = [self._restored(one, encode) for one in self._unread], []
        fresh = new_groups(problems, k, seed)
        for group in fresh:
            group.drawn, group.number, self._count = step, self._count, self._count + 1
        play = self._play([*restored, *self.waiting, *fresh])
        self.waiting = play.groups
        waited = [(g, j) for g in range(len(restored)) for j, one in enumerate(restored[g].progress) if one.going]
        for (g, j), world in replayed(play, waited).items():
            restored[g].worlds[j] = world
        before = [group.rollouts for group in play.groups]
        play.run(encode, engine, sampling, settings.budget, settings.early_exit_below)
        served = [Served(g.drawn, old, g.rollouts) for g, old in zip(play.groups, before, strict=True)]
        self.waiting = [group for group in play.groups if not group.ended]
        if not self._tried:
            self._try_to_restore(play)
        return [group.group for group in play.groups if group.ended], partial_metrics(served, step)

    def close(self) -> None:
        """End the environments of all that waits."""
        self._play(self.waiting).close()

    def _play(self, groups: Sequence[EpisodeGroup]) -> Play:
        return Play(groups, self._environment, self._environment.opening(), self._environment.row)

    def _try_to_restore(self, play: Play) -> None:
        told = [place for place in play.places if play.progress(place).going and play.progress(place).heard]
        for world in replayed(play, told[:1]).values():
            world.close()
        self._tried = bool(told)

    # -- checkpoints --------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """All waiting groups as plain values; prompts and images are read again after a resume."""
        return {"waiting": [*self._unread, *map(_group_state, self.waiting)], "count": self._count}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.waiting, self._unread, self._count = [], list(state["waiting"]), state["count"]

    def _restored(self, state: Mapping[str, Any], encode: EncodesTurns) -> EpisodeGroup:
        """A group as it was, without its environments."""
        asked = problem_from(state["problem"])
        place = f"problem {asked.id}, begun before the resume"
        (encoded,) = encode([asked])
        check_same_content(place, state["content_hash"], encoded)
        progress = [_progress_from(one) for one in state["progress"]]
        rollouts = tuple(self._rollout(one, encode, place) for one in state["rollouts"])
        return EpisodeGroup(
            replace(asked, prompt=asked.prompt[: state["pieces"]]),
            state["seed"],
            state["number"],
            progress,
            state["drawn"],
            asked,
            encoded,
            tuple(replace(r, episode=one.episode) for r, one in zip(rollouts, progress, strict=True)),
        )

    def _rollout(self, state: Mapping[str, Any], encode: EncodesTurns, place: str) -> Rollout:
        segments = []
        for one in state["segments"]:
            images = tuple(Image(**image) for image in one["images"])
            read = self._read_again(images, one["digests"], encode, place) if images else ()
            segments.append(Segment(**{name: one[name] for name in _SEGMENT}, images=images, encoded_images=read))
        return Rollout(tuple(segments), state["text"], state["finish_reason"], state["content_hash"])

    def _read_again(
        self, images: tuple[Image, ...], digests: Sequence[str], encode: EncodesTurns, place: str
    ) -> tuple[Any, ...]:
        """Images of one observation as the vision tower reads them. Raises EngineError where that has changed."""
        (segment,) = encode.observe([Observation((images,), place)], self._environment.image.budget)
        again = [one.digest for one in segment.encoded_images]
        if again != list(digests):
            raise EngineError(
                place,
                f"an image of a tool, read again, is {', '.join(again)}; it was {', '.join(digests)}",
                "look for an image budget or a processor that has changed, or start a new run",
            )
        return segment.encoded_images


def replayed(play: Play, places: Sequence[Place]) -> dict[Place, Plays]:
    """New environments of these episodes where theirs stand, those of this rank: they are told again what theirs were
    told. Raises RunError where one says something else than before.
    """
    worlds: dict[Place, Plays] = {}
    rows = {g: play.row_of(play.groups[g].problem) for g in sorted({g for g, _ in places})}

    def begin(place: Place) -> Reply:
        worlds[place] = play.open_world(play.groups[place[0]].problem)
        return worlds[place].begin(copy.deepcopy(rows[place[0]]))

    try:
        began = play.on_owners(places, begin)
        _check_same(play, places, [play.progress(place).began for place in places], began, "reset")
        turn = 0
        while some := [place for place in places if turn < len(play.progress(place).heard)]:
            told = {place: play.progress(place).heard[turn] for place in some}

            def again(place: Place, told: Mapping[Place, Heard] = told) -> Reply:
                return worlds[place].answer(told[place].text, told[place].turn)

            replies = play.on_owners(some, again)
            _check_same(play, some, [told[place].reply for place in some], replies, f"turn {turn + 1}")
            turn += 1
    except RunError:
        for world in worlds.values():
            world.close()
        raise
    return worlds


def _check_same(play: Play, places: Sequence[Place], before: Sequence[str], replies: Sequence[object], at: str) -> None:
    for (g, j), digest, reply in zip(places, before, replies, strict=True):
        if isinstance(reply, Reply) and digest_of(reply) == digest:
            continue
        fault = reply.fault if isinstance(reply, Reply) else "no answer in time"
        raise RunError(
            f"environment {environments.name_of(play.settings)}, problem {play.groups[g].problem.id}, episode {j}",
            f"told again what it was told, it {f'breaks ({fault})' if fault else 'says something else'} at {at}: an "
            "episode that waits could not be restored after a resume",
            "let what it says depend on the row and the calls alone, e.g. on a seed column; or leave rl.partial out",
        )


def _group_state(group: EpisodeGroup) -> dict[str, Any]:
    assert group.asked is not None, "it was begun"
    assert group.encoded is not None, "it was begun"
    return {
        "problem": problem_state(group.asked),
        "pieces": len(group.problem.prompt),
        "seed": group.seed,
        "number": group.number,
        "drawn": group.drawn,
        "content_hash": group.encoded.content_hash,
        "progress": [_progress_state(one) for one in group.progress],
        "rollouts": [_rollout_state(one) for one in group.rollouts],
    }


def _rollout_state(rollout: Rollout) -> dict[str, Any]:
    segments = [
        {name: getattr(one, name) for name in _SEGMENT}
        | {"images": [image_state(image) for image in one.images], "digests": [e.digest for e in one.encoded_images]}
        for one in rollout.segments
    ]
    return {
        "segments": segments,
        **{name: getattr(rollout, name) for name in ("text", "finish_reason", "content_hash")},
    }


def _progress_state(progress: Progress) -> dict[str, Any]:
    return {
        **{name: getattr(progress, name) for name in _PROGRESS},
        "calls": [asdict(call) for call in progress.calls],
        "rewards": list(progress.rewards),
        "verdict": None if progress.verdict is None else asdict(progress.verdict),
        "rewritten": progress.rewritten.state_dict(),
        "heard": [asdict(one) for one in progress.heard],
    }


def _progress_from(state: Mapping[str, Any]) -> Progress:
    return Progress(
        **{name: state[name] for name in _PROGRESS},
        calls=[ToolCall(**call) for call in state["calls"]],
        rewards=list(state["rewards"]),
        verdict=None if state["verdict"] is None else Verdict(**state["verdict"]),
        rewritten=Rewritten.from_state(state["rewritten"]),
        heard=[Heard(**one) for one in state["heard"]],
    )

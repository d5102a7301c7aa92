"""Episodes from prompt to end: the engine writes a turn, tools answer, their results are appended, the engine goes on.

k episodes of a problem share its prompt as k single responses do: they are the rollouts of one request, which is asked
again (`Request.resume_from`) until all of them have ended, or have the tokens that an iteration gives them. A single
turn without a call is a call of `collect`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace

from vlrl import dist
from vlrl.errors import RunError
from vlrl.model.prompts.encode import Encoded, EncodesTurns
from vlrl.model.prompts.observation_text import Observation
from vlrl.rollout.boundaries.boundary import Action, Boundary, Continue, Inject, Stop, Truncate
from vlrl.rollout.boundaries.edited_rollout import kept_turns
from vlrl.rollout.boundaries.rewriting import Rewriter
from vlrl.rollout.boundaries.turn_writer import TurnWriter
from vlrl.rollout.engine import Generates, Request, Sampling
from vlrl.rollout.environments.calls.deadlines import Late, side_by_side
from vlrl.rollout.environments.calls.results import Pieces
from vlrl.rollout.environments.episodes.episode_group import EpisodeGroup, Heard, Progress, digest_of
from vlrl.rollout.environments.episodes.episode_settings import EpisodeSettings
from vlrl.rollout.environments.episodes.world import Plays, Reply, late
from vlrl.types import Group, Problem, Rollout, Segment, ToolCall, Verdict

Place = tuple[int, int]  # which group, which of its k episodes
OpenWorld = Callable[[Problem], Plays]


class Play:
    """Groups of episodes that begin or go on, with one environment for each episode."""

    def __init__(
        self,
        groups: Sequence[EpisodeGroup],
        settings: EpisodeSettings,
        open_world: OpenWorld,
        row_of: Callable[[Problem], dict[str, object]],
    ) -> None:
        self.groups, self.settings = list(groups), settings
        self.open_world, self.row_of = open_world, row_of

    @property
    def places(self) -> list[Place]:
        """Of all episodes, in order."""
        return [(g, j) for g, group in enumerate(self.groups) for j in range(len(group.progress))]

    def whole(self, encode: EncodesTurns, engine: Generates, sampling: Sampling) -> list[Group]:
        """Play all episodes to their end. Raises as `run` does."""
        try:
            self.run(encode, engine, sampling)
        finally:
            self.close()
        return [group.group for group in self.groups]

    def run(
        self,
        encode: EncodesTurns,
        engine: Generates,
        sampling: Sampling,
        budget: int | None = None,
        early_exit_below: float = 0.0,
    ) -> None:
        """Play on until every episode has ended or rests: the policy has written `budget` tokens of it in this call, or
        the engine left it early (`Request.early_exit_below`).

        Raises EngineError as `collect` does, RunError where `reset` says different things of one problem.
        """
        self.begin(encode)
        left: dict[Place, int | None] = dict.fromkeys(self.places, budget)
        writer = TurnWriter(engine, encode, self.settings.on_boundary, self.settings.tokens_per_turn)
        while True:
            writes = {place for place in self.places if self.progress(place).going and left[place] != 0}
            chosen = sorted({g for g, _ in writes})
            if not chosen:
                break
            rooms: list[list[int | None]] = [[left[g, j] for j in range(len(self.groups[g].progress))] for g in chosen]
            requests = [self.request(g, writes, sampling, early_exit_below) for g in chosen]
            states = [[one.rewritten for one in self.groups[g].progress] for g in chosen]
            written = writer.write(requests, [self.groups[g].problem for g in chosen], states, rooms)
            ended = []
            for g, responses, room in zip(chosen, written, rooms, strict=True):
                rollouts = list(responses if not self.groups[g].rollouts else self.groups[g].rollouts)
                for j in (j for j in range(len(rollouts)) if (g, j) in writes):
                    rollouts[j], left[g, j] = responses[j], room[j]
                    if self._rests(responses[j]):
                        left[g, j] = 0
                    else:
                        rollouts[j] = self.ended_turn(self.progress((g, j)), responses[j])
                        ended.append((g, j))
                self.groups[g].rollouts = tuple(rollouts)
            self._answer([place for place in ended if self.progress(place).going], encode, sampling, writer.rewriter)
        self.finish()

    def close(self) -> None:
        """End every environment that is still open."""
        self._close(self.places)

    def progress(self, place: Place) -> Progress:
        """Of one episode."""
        return self.groups[place[0]].progress[place[1]]

    def request(self, g: int, writes: set[Place], sampling: Sampling, early_exit_below: float) -> Request:
        """What the engine is asked of a group; episodes that don't write now are shown as ended."""
        group, encoded = self.groups[g], self._encoded((g, 0))

        def ended(one: Rollout) -> Rollout:  # nobody has read yet what its tools returned last
            images = one.encoded_images
            content = encoded.hash_again(images) if images else encoded.content_hash
            return replace(one, finish_reason="stop", content_hash=content)

        shown = tuple(one if (g, j) in writes else ended(one) for j, one in enumerate(group.rollouts))
        return Request(
            encoded,
            len(group.progress),
            sampling,
            group.seed,
            resume_from=shown or None,
            early_exit_below=early_exit_below,
        )

    # -- the environment's part ---------------------------------------------------------------------------------------

    def on_owners(self, places: Sequence[Place], work: Callable[[Place], Reply | Verdict | None]) -> list[object]:
        """`work` on each place by the rank that has its world, within the deadline; results on every rank."""
        owner = [self.groups[g].number % dist.world() for g, _ in places]
        shares = [[i for i, one in enumerate(owner) if one == r] for r in range(dist.world())]
        settings = self.settings

        def mine(some: Sequence[Place]) -> list[object]:
            calls = [lambda place=place: (work(place),) for place in some]
            found = side_by_side(calls, settings.patience_seconds, settings.workers)
            return [one if isinstance(one, Late) else one[0] for one in found]

        return dist.spread(places, shares, mine)

    def begin(self, encode: EncodesTurns) -> None:
        """Begin every episode that isn't; its prompt is read with what `reset` adds to it."""
        fresh = [g for g, group in enumerate(self.groups) if group.asked is None]
        rows = {g: self.row_of(self.groups[g].problem) for g in fresh}
        places = [(g, j) for g, j in self.places if g in rows]

        def begin(place: Place) -> Reply:
            g, j = place
            world = self.groups[g].worlds[j] = self.open_world(self.groups[g].problem)
            return world.begin(copy.deepcopy(rows[g]))  # no episode changes another's images

        added: dict[int, Pieces] = {}
        for (g, j), reply in zip(places, self.on_owners(places, begin), strict=True):
            said = reply if isinstance(reply, Reply) else late(self.settings.tool_seconds)
            progress = self.progress((g, j))
            progress.note(said)
            progress.began = digest_of(said)
            progress.going = True  # a fault is told when the first turn has been written
            if said.messages and added.setdefault(g, said.messages[0]) != said.messages[0]:
                raise RunError(
                    f"environment, problem {self.groups[g].problem.id}",
                    "reset gave its episodes different observations, but they share one prompt",
                    "let what is drawn in reset depend on the row alone, e.g. on a seed column",
                )
        asked = [
            replace(self.groups[g].problem, prompt=(*self.groups[g].problem.prompt, *added.get(g, ()))) for g in fresh
        ]
        for g, problem, encoded in zip(fresh, asked, encode(asked), strict=True):
            self.groups[g].asked, self.groups[g].encoded = problem, encoded

    def _answer(self, places: Sequence[Place], encode: EncodesTurns, sampling: Sampling, rewriter: Rewriter) -> None:
        """Every turn that was just written gets its answer, or its episode ends."""
        replies = self.on_owners(places, self.asked)
        self.heard(places, replies, encode, sampling, rewriter)

    def asked(self, place: Place) -> Reply:
        """What its environment says to the turn that was written last."""
        text = self.groups[place[0]].rollouts[place[1]].text
        return self.groups[place[0]].worlds[place[1]].answer(text, self.progress(place).turns - 1)

    def heard(
        self,
        places: Sequence[Place],
        replies: Sequence[object],
        encode: EncodesTurns,
        sampling: Sampling,
        rewriter: Rewriter,
    ) -> None:
        """Episodes go on behind what their environments said, or end; anything but a Reply is no answer in time."""
        rollouts = {place: self.groups[place[0]].rollouts[place[1]] for place in places}
        observations: dict[Place, Observation] = {}
        behind: dict[Place, Inject] = {}
        for place, reply in zip(places, replies, strict=True):
            progress, rollout = self.progress(place), rollouts[place]
            said = reply if isinstance(reply, Reply) else late(self.settings.tool_seconds)
            progress.heard.append(Heard(rollout.text, progress.turns - 1, digest_of(said)))
            if said.fault is not None and not said.calls:  # which of them broke it isn't known
                said = replace(said, calls=self._unanswered(rollout.text, progress.turns - 1))
            progress.note(said)
            if not progress.going:
                continue
            if said.over or not said.messages:
                progress.end()
                continue
            action = self._at_answer(place, rollout, rewriter)
            if isinstance(action, Inject):
                behind[place] = action
            elif not isinstance(action, Continue):
                rollout = self._rewritten(progress, rollout, action, self._encoded(place), rewriter)
                rollouts[place] = rollout
                if rollout.finish_reason == "unfinished":
                    continue  # the turn that called is gone, and what it was told with it
            if not progress.going:
                continue
            if progress.turns >= self.settings.turns:
                progress.end(f"{self.settings.turns} turns")
            else:
                name = f"problem {self.groups[place[0]].problem.id}, episode {place[1]}, turn {progress.turns}"
                version = rollout.segments[-1].policy_version
                ended = not any(rollout.text.endswith(s) for s in sampling.stop)
                observations[place] = Observation(said.messages, name, ended, version)
        segments = encode.observe(list(observations.values()), self.settings.image.budget)
        for place, segment in zip(observations, segments, strict=True):
            rollouts[place] = self._behind(place, rollouts[place], segment, behind.get(place), sampling, rewriter)
        for g in {g for g, _ in places}:
            kept = self.groups[g].rollouts
            self.groups[g].rollouts = tuple(rollouts.get((g, j), one) for j, one in enumerate(kept))

    def _encoded(self, place: Place) -> Encoded:
        encoded = self.groups[place[0]].encoded
        assert encoded is not None, "it was begun"
        return encoded

    def _at_answer(self, place: Place, rollout: Rollout, rewriter: Rewriter) -> Action:
        """What hooks say once the calls of the turn have been made."""
        progress = self.progress(place)
        turn, state, problem = progress.turns - 1, progress.rewritten, self.groups[place[0]].problem
        calls, again = tuple(progress.calls), dict(state.begun_again)
        return rewriter.ask(Boundary("answer", problem, rollout, turn, calls, again), state)

    @staticmethod
    def _rewritten(
        progress: Progress, rollout: Rollout, action: Action, encoded: Encoded, rewriter: Rewriter
    ) -> Rollout:
        """The response behind an action at `answer`; `unfinished` where its last turn is gone."""
        ended = rollout.finish_reason
        if isinstance(action, Stop):
            progress.end()
            return rewriter.done(action, rollout, encoded, 0, progress.rewritten)
        first, last = (action.first, action.last) if isinstance(action, Truncate) else (rollout.turn_start, None)
        kept = kept_turns(rollout, first, last)
        left = rewriter.done(action, rollout, encoded, 0, progress.rewritten)
        progress.keep_turns(kept)
        if last is None or last >= rollout.num_tokens:
            progress.turns = left.num_observations
            return left
        return replace(left, finish_reason=ended)

    def _unanswered(self, text: str, turn: int) -> tuple[ToolCall, ...]:
        """The calls of a turn to which nothing came back."""
        written = self.settings.call_format(text)[: self.settings.calls_per_turn]
        return tuple(
            ToolCall(turn, call.name, call.arguments, "invalid" if call.wrong is not None else "failed")
            for call in written
        )

    # -- the rollout's part -------------------------------------------------------------------------------------------

    def _rests(self, rollout: Rollout) -> bool:
        """Whether a turn was left before its end, and is written on later."""
        written = rollout.num_tokens - rollout.turn_start
        return rollout.finish_reason == "unfinished" and written < self.settings.tokens_per_turn

    def ended_turn(self, progress: Progress, rollout: Rollout) -> Rollout:
        """A turn as the engine left it; those that a limit or a loop ended end the episode."""
        progress.turns += 1
        *earlier, last = rollout.segments
        written = replace(rollout, segments=(*earlier, last if last.text else replace(last, text=rollout.text)))
        by_hook = progress.rewritten.stopped is not None
        if by_hook or progress.fault is not None or rollout.finish_reason == "repeat":
            progress.end()
        elif rollout.finish_reason == "length":
            progress.end("tokens of an episode")
        elif rollout.finish_reason == "unfinished":
            progress.end(f"{self.settings.tokens_per_turn} tokens of a turn")
            return replace(written, finish_reason="length")  # its group's others go on without it
        return written

    def _behind(
        self,
        place: Place,
        rollout: Rollout,
        segment: Segment,
        inject: Inject | None,
        sampling: Sampling,
        rewriter: Rewriter,
    ) -> Rollout:
        """The rollout goes on behind its observation, and what a hook puts there, unless that doesn't fit: then it is
        dropped whole.
        """
        progress = self.progress(place)
        if rollout.num_tokens + len(segment.token_ids) < sampling.max_tokens:
            longer = replace(rollout, segments=(*rollout.segments, segment), finish_reason="unfinished")
            if inject is not None:
                encoded = self._encoded(place)
                longer = rewriter.done(inject, longer, encoded, sampling.max_tokens, progress.rewritten)
            if longer.finish_reason == "unfinished":
                return longer
        progress.end("tokens of an episode")
        return rollout

    # -- the end ------------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Judge those that have ended, end their environments, and note what is known of all."""
        ended = [p for p in self.places if not self.progress(p).going and not self.progress(p).closed]
        judged = [p for p in ended if self.progress(p).fault is None and self.progress(p).over_limit is None]
        found = self.on_owners(judged, lambda place: self.groups[place[0]].worlds[place[1]].end())
        for place, verdict in zip(judged, found, strict=True):
            if isinstance(verdict, Late):
                self.progress(place).fault = late(self.settings.tool_seconds).fault
            elif isinstance(verdict, Verdict):
                self.progress(place).verdict = verdict
        self._close(ended)
        for group in self.groups:
            group.rollouts = tuple(map(_noted, group.progress, group.rollouts))

    def _close(self, places: Sequence[Place]) -> None:
        open_worlds = [self.groups[g].worlds.pop(j) for g, j in places if j in self.groups[g].worlds]
        calls = [lambda world=world: (world.close(),) for world in open_worlds]
        side_by_side(calls, self.settings.patience_seconds, self.settings.workers)
        for place in places:
            self.progress(place).closed = True


def _noted(progress: Progress, rollout: Rollout) -> Rollout:
    """The rollout with its episode; one that a limit ended says so."""
    reason = "length" if progress.over_limit is not None else rollout.finish_reason
    if not progress.going and reason == "unfinished":  # in a turn behind a fault
        reason = "length"
    return replace(rollout, finish_reason=reason, episode=progress.episode)

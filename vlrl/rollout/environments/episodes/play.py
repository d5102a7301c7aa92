"""Episodes from prompt to end: the engine writes a turn, tools answer, their results are appended, the engine goes on.

k episodes of a problem share its prompt as k single responses do: they are the rollouts of one request, which is asked
again (`Request.resume_from`) until all of them have ended. A single turn without a call is a call of `collect`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from vlrl import dist
from vlrl.errors import RunError
from vlrl.model.prompts.encode import Encoded, EncodesTurns
from vlrl.model.prompts.observation_text import Observation
from vlrl.rollout.boundaries.boundary import Action, Boundary, Continue, Inject, Stop, Truncate
from vlrl.rollout.boundaries.edited_rollout import kept_turns
from vlrl.rollout.boundaries.rewriting import Rewriter, Rewritten
from vlrl.rollout.boundaries.turn_writer import TurnWriter
from vlrl.rollout.engine import Generates, Request, Sampling
from vlrl.rollout.environments.calls.deadlines import Late, side_by_side
from vlrl.rollout.environments.calls.results import Pieces
from vlrl.rollout.environments.episodes.episode_settings import EpisodeSettings
from vlrl.rollout.environments.episodes.world import Plays, Reply, late
from vlrl.seeding import derive_seed
from vlrl.types import Episode, Group, Problem, Rollout, Segment, ToolCall, Verdict

Place = tuple[int, int]  # which problem, which of its k episodes
OpenWorld = Callable[[Problem], Plays]


@dataclass
class _Progress:
    """One episode so far, besides its tokens."""

    turns: int = 0
    calls: list[ToolCall] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    over_limit: str | None = None
    fault: str | None = None
    going: bool = True
    verdict: Verdict | None = None
    rewritten: Rewritten = field(default_factory=Rewritten)
    discarded_calls: int = 0

    def end(self, over_limit: str | None = None) -> None:
        """It goes on no more."""
        self.going, self.over_limit = False, over_limit

    def note(self, reply: Reply) -> None:
        """What the environment said."""
        self.calls += reply.calls
        if reply.reward is not None:
            self.rewards.append(reply.reward)
        if reply.fault is not None:
            self.fault = reply.fault
            self.end()

    def keep_turns(self, kept: Sequence[int]) -> None:
        """Of the turns so far these stay, in this order."""
        number = {turn: n for n, turn in enumerate(kept)}
        self.discarded_calls += sum(call.turn not in number for call in self.calls)
        self.calls = [replace(call, turn=number[call.turn]) for call in self.calls if call.turn in number]
        self.rewards = [reward for turn, reward in enumerate(self.rewards) if turn in number]
        self.turns = len(kept)

    @property
    def episode(self) -> Episode:
        """As the rollout keeps it."""
        verdict, by_hooks = self.verdict if self.fault is None else Verdict.broken(self.fault), self.rewritten
        return Episode(
            self.turns,
            tuple(self.calls),
            self.over_limit,
            verdict,
            tuple(self.rewards),
            dict(by_hooks.actions),
            by_hooks.discarded,
            self.discarded_calls,
            by_hooks.stopped,
        )


class Play:
    """k episodes of each problem, with one environment for each."""

    def __init__(
        self,
        problems: Sequence[Problem],
        k: int,
        settings: EpisodeSettings,
        open_world: OpenWorld,
        row_of: Callable[[Problem], dict[str, object]],
    ) -> None:
        self._problems, self._k, self._settings = problems, k, settings
        self._places = [(p, j) for p in range(len(problems)) for j in range(k)]
        self._progress = {place: _Progress() for place in self._places}
        self._open, self._row_of = open_world, row_of
        self._worlds: dict[Place, Plays] = {}  # those of this rank

    def run(
        self, encode: EncodesTurns, engine: Generates, sampling: Sampling, seed: int, seeds: Sequence[int] | None = None
    ) -> list[Group]:
        """Play all episodes to their end. Raises EngineError as `collect` does, RunError where `reset` says different
        things of one problem.
        """
        try:
            return self._run(encode, engine, sampling, seed, seeds)
        finally:
            calls = [lambda world=world: (world.close(),) for world in self._worlds.values()]
            side_by_side(calls, self._settings.patience_seconds, self._settings.workers)

    def _run(
        self, encode: EncodesTurns, engine: Generates, sampling: Sampling, seed: int, seeds: Sequence[int] | None
    ) -> list[Group]:
        encoded = encode(self._asked())
        roots = [derive_seed(seed, p.id, i) for i, p in enumerate(self._problems)] if seeds is None else list(seeds)
        rollouts: list[tuple[Rollout, ...]] = [()] * len(self._problems)
        writer = TurnWriter(engine, encode, self._settings.on_boundary, self._settings.tokens_per_turn)
        while chosen := [p for p in range(len(encoded)) if self._goes_on(p)]:
            requests = [
                Request(encoded[p], self._k, sampling, roots[p], resume_from=rollouts[p] or None) for p in chosen
            ]
            states = [[self._progress[p, j].rewritten for j in range(self._k)] for p in chosen]
            written = writer.write(requests, [self._problems[p] for p in chosen], states)
            for p, responses in zip(chosen, written, strict=True):
                rollouts[p] = tuple(self._ended_turn((p, j), one) for j, one in enumerate(responses))
            rollouts = self._answered(rollouts, encoded, encode, sampling, writer.rewriter)
        self._judge()
        return [
            Group(problem, tuple(self._finished((p, j), one) for j, one in enumerate(rollouts[p])), encoded[p])
            for p, problem in enumerate(self._problems)
        ]

    def _goes_on(self, p: int) -> bool:
        return any(self._progress[p, j].going for j in range(self._k))

    # -- the environment's part ---------------------------------------------------------------------------------------

    def _on_owners(self, places: Sequence[Place], work: Callable[[Place], Reply | Verdict | None]) -> list[object]:
        """`work` on each place by the rank that has its world, within the deadline; results on every rank."""
        shares = [[i for i, (p, _) in enumerate(places) if p % dist.world() == r] for r in range(dist.world())]
        settings = self._settings

        def mine(some: Sequence[Place]) -> list[object]:
            calls = [lambda place=place: (work(place),) for place in some]
            found = side_by_side(calls, settings.patience_seconds, settings.workers)
            return [one if isinstance(one, Late) else one[0] for one in found]

        return dist.spread(places, shares, mine)

    def _asked(self) -> list[Problem]:
        """Begin every episode; the problems with what `reset` adds to their prompts."""
        rows = [self._row_of(problem) for problem in self._problems]

        def begin(place: Place) -> Reply:
            self._worlds[place] = self._open(self._problems[place[0]])
            return self._worlds[place].begin(copy.deepcopy(rows[place[0]]))  # no episode changes another's images

        added: dict[int, Pieces] = {}
        for place, reply in zip(self._places, self._on_owners(self._places, begin), strict=True):
            said = reply if isinstance(reply, Reply) else late(self._settings.tool_seconds)
            self._progress[place].note(said)
            self._progress[place].going = True  # a fault is told when the first turn has been written
            if said.messages and added.setdefault(place[0], said.messages[0]) != said.messages[0]:
                raise RunError(
                    f"environment, problem {self._problems[place[0]].id}",
                    "reset gave its episodes different observations, but they share one prompt",
                    "let what is drawn in reset depend on the row alone, e.g. on a seed column",
                )
        return [
            replace(problem, prompt=(*problem.prompt, *added.get(p, ()))) for p, problem in enumerate(self._problems)
        ]

    def _answered(
        self,
        rollouts: list[tuple[Rollout, ...]],
        encoded: Sequence[Encoded],
        encode: EncodesTurns,
        sampling: Sampling,
        rewriter: Rewriter,
    ) -> list[tuple[Rollout, ...]]:
        """Every turn that was just written gets its answer, or its episode ends."""
        places = [place for place in self._places if self._progress[place].going]

        def answer(place: Place) -> Reply:
            return self._worlds[place].answer(rollouts[place[0]][place[1]].text, self._progress[place].turns - 1)

        replies = dict(zip(places, self._on_owners(places, answer), strict=True))
        observations: dict[Place, Observation] = {}
        changed: dict[Place, Rollout] = {}
        behind: dict[Place, Inject] = {}
        for place, reply in replies.items():
            progress, rollout = self._progress[place], rollouts[place[0]][place[1]]
            said = reply if isinstance(reply, Reply) else late(self._settings.tool_seconds)
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
                changed[place] = rollout = self._rewritten(place, rollout, action, encoded[place[0]], rewriter)
                if rollout.finish_reason == "unfinished":
                    continue  # the turn that called is gone, and what it was told with it
            if not progress.going:
                continue
            if progress.turns >= self._settings.turns:
                progress.end(f"{self._settings.turns} turns")
            else:
                name = f"problem {self._problems[place[0]].id}, episode {place[1]}, turn {progress.turns}"
                version = rollout.segments[-1].policy_version
                ended = not any(rollout.text.endswith(s) for s in sampling.stop)
                observations[place] = Observation(said.messages, name, ended, version)
        segments = encode.observe(list(observations.values()), self._settings.image.budget)
        longer = dict(zip(observations, segments, strict=True))
        found = [
            [
                self._with_observation((p, j), changed.get((p, j), one), longer.get((p, j)), sampling)
                for j, one in enumerate(of_problem)
            ]
            for p, of_problem in enumerate(rollouts)
        ]
        for (p, j), action in behind.items():
            if self._progress[p, j].going:
                one = rewriter.done(
                    action, found[p][j], encoded[p], sampling.max_tokens, self._progress[p, j].rewritten
                )
                found[p][j] = one
                if one.finish_reason == "length":  # nothing would be written behind what the tools returned
                    found[p][j] = rollouts[p][j]
                    self._progress[p, j].end("tokens of an episode")
        return [tuple(of_problem) for of_problem in found]

    def _at_answer(self, place: Place, rollout: Rollout, rewriter: Rewriter) -> Action:
        """What hooks say once the calls of the turn have been made."""
        progress = self._progress[place]
        turn, state = progress.turns - 1, progress.rewritten
        calls, again = tuple(progress.calls), dict(state.begun_again)
        return rewriter.ask(Boundary("answer", self._problems[place[0]], rollout, turn, calls, again), state)

    def _rewritten(
        self, place: Place, rollout: Rollout, action: Action, encoded: Encoded, rewriter: Rewriter
    ) -> Rollout:
        """The response behind an action at `answer`; `unfinished` where its last turn is gone."""
        progress, ended = self._progress[place], rollout.finish_reason
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
        written = self._settings.call_format(text)[: self._settings.calls_per_turn]
        return tuple(
            ToolCall(turn, call.name, call.arguments, "invalid" if call.wrong is not None else "failed")
            for call in written
        )

    def _judge(self) -> None:
        places = [p for p in self._places if self._progress[p].fault is None and self._progress[p].over_limit is None]
        found = self._on_owners(places, lambda place: self._worlds[place].end())
        for place, verdict in zip(places, found, strict=True):
            if isinstance(verdict, Late):
                self._progress[place].fault = late(self._settings.tool_seconds).fault
            elif isinstance(verdict, Verdict):
                self._progress[place].verdict = verdict

    # -- the rollout's part -------------------------------------------------------------------------------------------

    def _ended_turn(self, place: Place, rollout: Rollout) -> Rollout:
        """A turn as the engine left it; those that a limit or a loop ended end the episode."""
        progress = self._progress[place]
        if not progress.going:
            return rollout
        progress.turns += 1
        *earlier, last = rollout.segments
        written = replace(rollout, segments=(*earlier, last if last.text else replace(last, text=rollout.text)))
        by_hook = progress.rewritten.stopped is not None
        if by_hook or progress.fault is not None or rollout.finish_reason == "repeat":
            progress.end()
        elif rollout.finish_reason == "length":
            progress.end("tokens of an episode")
        elif rollout.finish_reason == "unfinished":
            progress.end(f"{self._settings.tokens_per_turn} tokens of a turn")
            return replace(written, finish_reason="length")  # its group's others go on without it
        return written

    def _with_observation(self, place: Place, rollout: Rollout, segment: Segment | None, sampling: Sampling) -> Rollout:
        """The rollout goes on behind its observation, unless that doesn't fit: then it is dropped whole."""
        if segment is None:
            return rollout
        if rollout.num_tokens + len(segment.token_ids) >= sampling.max_tokens:
            self._progress[place].end("tokens of an episode")
            return rollout
        return replace(rollout, segments=(*rollout.segments, segment), finish_reason="unfinished")

    def _finished(self, place: Place, rollout: Rollout) -> Rollout:
        progress = self._progress[place]
        reason = "length" if progress.over_limit is not None else rollout.finish_reason
        return replace(rollout, finish_reason=reason, episode=progress.episode)

"""The k episodes of a problem while they are played: tokens, what happened besides, and their environments."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

from vlrl.model.prompts.encode import Encoded
from vlrl.rollout.boundaries.rewriting import Rewritten
from vlrl.rollout.environments.episodes.world import Plays, Reply
from vlrl.seeding import derive_seed
from vlrl.types import Episode, Group, Problem, Rollout, Text, ToolCall, Verdict


@dataclass(frozen=True)
class Heard:
    """What an environment was told, and a digest of what it said: told again, it must say the same."""

    text: str
    turn: int
    reply: str


@dataclass
class Progress:
    """One episode so far, besides its tokens.

    began   digest of what `reset` said
    heard   the turns that its environment was told, in order, those included that hooks have dropped since
    closed  whether it was judged and its environment is gone
    """

    turns: int = 0
    calls: list[ToolCall] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    over_limit: str | None = None
    fault: str | None = None
    going: bool = True
    verdict: Verdict | None = None
    rewritten: Rewritten = field(default_factory=Rewritten)
    discarded_calls: int = 0
    began: str = ""
    heard: list[Heard] = field(default_factory=list)
    closed: bool = False

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


@dataclass
class EpisodeGroup:
    """k episodes of a problem, which share its prompt.

    seed      of its request, from its first turn to its last
    number    says which rank has its environments
    drawn     the iteration in which it was drawn, where it may wait
    asked     the problem with what `reset` added to its prompt; None before it was begun
    encoded   its prompt as it was read; None before it was begun, and after a resume until it is read again
    rollouts  (k,) so far; empty before the first turn
    worlds    by number of the episode, those that this rank has
    """

    problem: Problem
    seed: int
    number: int
    progress: list[Progress]
    drawn: int = 0
    asked: Problem | None = None
    encoded: Encoded | None = None
    rollouts: tuple[Rollout, ...] = ()
    worlds: dict[int, Plays] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether all episodes have."""
        return not any(one.going for one in self.progress)

    @property
    def group(self) -> Group:
        """As training takes it."""
        return Group(self.problem, self.rollouts, self.encoded)


def new_groups(problems: Sequence[Problem], k: int, seed: int | Sequence[int]) -> list[EpisodeGroup]:
    """k episodes of each problem, not begun yet.

    seed  that of each group comes from it, the problem and its index; or one for each problem
    """
    seeds = [derive_seed(seed, p.id, i) for i, p in enumerate(problems)] if isinstance(seed, int) else seed
    return [
        EpisodeGroup(problem, root, number, [Progress() for _ in range(k)])
        for number, (problem, root) in enumerate(zip(problems, seeds, strict=True))
    ]


def digest_of(reply: Reply) -> str:
    """The same for replies that say the same: messages with their images' content, calls, end and reward."""
    messages = [[p.text if isinstance(p, Text) else {"image": p.digest} for p in message] for message in reply.messages]
    said = [messages, [asdict(call) for call in reply.calls], reply.fault, reply.over, reply.reward]
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=repr).encode()).hexdigest()[:32]

"""Where a response stands still while it is written, and what a hook may do with it there.

    environment:
      name: tools
      on_boundary: [{name: resample_turns, threshold: 0.3}]

A hook is a frozen settings class filed by `@boundary_hooks.register("name")`, in the package or in a plugin. It keeps
nothing from call to call and draws nothing: the same responses give the same actions, on every rank and after a resume.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from vlrl.config import Settings
from vlrl.provenance import Mark
from vlrl.registry import Registry
from vlrl.types import Problem, Rollout, Segment, ToolCall

BoundaryKind = Literal["token", "step", "turn", "answer"]


@dataclass(frozen=True)
class Boundary:
    """A response that stands still.

    kind      `token`: `every` tokens more have been written; `step`: one of the hook's `words` has been; `turn`: the
              policy's turn has ended, by itself or at a limit, and no tool has been called; `answer`: its calls have
              been made, and what they returned will follow
    rollout   up to here; `finish_reason` says how the turn ended, `unfinished` where it hasn't or its limit of tokens
              ended it
    turn      which turn of the policy stands last, from 0
    calls     of the episode so far; those of this turn at `answer` alone
    attempts  how often each turn was begun again, by its number
    """

    kind: BoundaryKind
    problem: Problem
    rollout: Rollout
    turn: int
    calls: tuple[ToolCall, ...] = ()
    attempts: Mapping[int, int] = field(default_factory=dict)

    @property
    def attempt(self) -> int:
        """How often the present turn was begun again."""
        return self.attempts.get(self.turn, 0)

    @property
    def turn_segments(self) -> tuple[Segment, ...]:
        """What the present turn consists of: the policy's tokens, and `forced` ones."""
        return self.rollout.segments[_behind_observations(self.rollout.segments) :]


@dataclass(frozen=True)
class Continue:
    """Go on as if nobody had looked."""


@dataclass(frozen=True)
class Stop:
    """The response ends here and is judged as it stands; no tool is called.

    reason  why, in a few words
    """

    reason: str


@dataclass(frozen=True)
class Truncate:
    """Tokens `first` to `last` (without it: to the end) of the response are dropped, and the policy goes on behind
    what is left. Observations are dropped whole, with their images, and calls go with their turn. What the policy wrote
    behind dropped tokens it would have written otherwise: it stays as `forced`, without a weight. At `answer` what the
    calls returned follows only if the turn's end is kept.
    """

    first: int
    last: int | None = None


@dataclass(frozen=True)
class Inject:
    """The policy goes on behind this text, in the same turn, whose end token is taken back where it has written one; at
    `answer` behind the observation. Its tokens are `forced`: they have no weight.

    tokens  behind which there is a `token` boundary, whatever `every` says; None: there isn't
    """

    text: str
    tokens: int | None = None


@dataclass(frozen=True)
class Resample:
    """The present turn is dropped and written again, with other randomness."""


Action = Continue | Stop | Truncate | Inject | Resample


class BoundaryHook(Settings):
    """The base of every hook. Boundaries within a turn are where one call of the engine ends and the next begins: each
    reads the response again. They come as often as the most demanding hook wants them, for all of them.

    token_interval  tokens between two `token` boundaries; None: it wants none
    step_words      behind which there is a `step` boundary; none: it wants none. They are looked for in what the
                    policy writes, not in `forced` text
    """

    paper: ClassVar[str] = ""
    mark: ClassVar[Mark] = ""

    @property
    def token_interval(self) -> int | None:
        """None, unless the hook says otherwise."""
        return None

    @property
    def step_words(self) -> tuple[str, ...]:
        """None, unless the hook says otherwise."""
        return ()

    @abstractmethod
    def on_boundary(self, at: Boundary) -> Action:
        """What becomes of the response. Of several hooks the first that doesn't go on decides."""


boundary_hooks: Registry[Any] = Registry("boundary hook", base=BoundaryHook, docs="docs/episodes.md")


def _behind_observations(segments: Sequence[Segment]) -> int:
    return max((i + 1 for i, one in enumerate(segments) if one.author == "observation"), default=0)

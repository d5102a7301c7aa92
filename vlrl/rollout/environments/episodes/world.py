"""One episode's environment while it is played: it answers the policy's turns, and says at the end what was reached.

Nothing that an environment does is raised here. What a tool says of a call (it raises, it refuses) is told to the
policy; what the environment itself does wrong (it hangs, dies, returns what is no result) is a fault of the episode.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from vlrl.rollout.environments.calls.call_formats import CallFormat, WrittenCall
from vlrl.rollout.environments.calls.duplicates import asks_again
from vlrl.rollout.environments.calls.results import NoResultError, Pieces, TooLargeError, pieces_of
from vlrl.rollout.environments.calls.toolbox import BadCallError, call_tool, reset
from vlrl.types import Image, Text, ToolCall, Verdict

MOST_ERROR = 400  # characters of a tool's error that the policy reads


class EnvironmentFault(Exception):
    """The environment itself broke: a fault of the episode, nothing that the policy could mend."""


@dataclass(frozen=True)
class WorldLimits:
    """What one turn, and one episode, may take; `reward_range` is what `get_reward` may return."""

    calls_per_turn: int
    images_per_turn: int
    images_per_episode: int
    characters: int
    duplicate_iou: float
    reward_range: tuple[float, float]


@dataclass(frozen=True)
class Reply:
    """What the environment says behind a turn.

    messages  one a call; empty: the turn holds no call, so the episode is over
    fault     what the environment did wrong
    over      whether the environment ended the episode
    reward    of the turn, where the environment gives one
    """

    messages: tuple[Pieces, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    fault: str | None = None
    over: bool = False
    reward: float | None = None


class Plays(Protocol):
    """What a played episode asks of its environment, wherever that lives. Nothing is raised."""

    def begin(self, row: Mapping[str, Any]) -> Reply: ...

    def answer(self, text: str, turn: int) -> Reply: ...

    def end(self) -> Verdict | None: ...

    def close(self) -> None: ...


@dataclass
class World:
    """`make` gives an object with tools for methods, `reset` and, where it judges, `get_reward`.

    is_over, turn_reward  asked after each turn
    """

    make: Callable[[], Any]
    schemas: Mapping[str, Mapping[str, Any]]
    read_calls: CallFormat
    limits: WorldLimits
    is_over: Callable[[Any], bool]
    turn_reward: Callable[[Any], float | None]
    calls: list[ToolCall] = field(default_factory=list)
    images: int = 0
    played: Any = None

    def begin(self, row: Mapping[str, Any]) -> Reply:
        """`reset`; the only message is what it adds to the prompt."""
        try:
            self.played = self.make()
            pieces = pieces_of(reset(self.played, row), self.limits.characters)
        except (Exception, SystemExit) as error:  # a user's code
            return Reply(fault=f"reset: {type(error).__name__}: {error}")
        return Reply((pieces,))

    def answer(self, text: str, turn: int) -> Reply:
        """Make the calls of a turn in order."""
        written = self.read_calls(text)
        messages: list[Pieces] = []
        calls: list[ToolCall] = []
        shown = 0
        for number, call in enumerate(written[: self.limits.calls_per_turn + 1]):
            if number == self.limits.calls_per_turn:
                dropped = len(written) - number
                messages.append((Text(f"error: {dropped} calls more were not made, a turn may hold {number}"),))
                calls += [ToolCall(turn, one.name, one.arguments, "dropped") for one in written[number:]]
                break
            try:
                pieces, made = self._make(call, turn, self.limits.images_per_turn - shown)
            except EnvironmentFault as fault:
                return Reply(tuple(messages), (*calls, ToolCall(turn, call.name, call.arguments, "failed")), str(fault))
            messages.append(pieces)
            calls.append(made)
            shown += made.images
            self.calls.append(made)
        self.images += shown
        try:
            over, reward = self.is_over(self.played), self.turn_reward(self.played)
        except (Exception, SystemExit) as error:
            return Reply(tuple(messages), tuple(calls), f"{type(error).__name__}: {error}")
        return Reply(tuple(messages), tuple(calls), None, over, reward)

    def end(self) -> Verdict | None:
        """`get_reward` as a verdict; None where the environment has none."""
        if not callable(getattr(type(self.played), "get_reward", None)):
            return None
        try:
            reward = self.played.get_reward()
        except (Exception, SystemExit) as error:
            return Verdict.broken(f"get_reward: {type(error).__name__}: {error}")
        return verdict_of(reward, *self.limits.reward_range)

    def close(self) -> None:
        """`_close`, where the environment has one: what it started ends."""
        with contextlib.suppress(Exception, SystemExit):  # its episode is over, whatever it says
            if (close := getattr(self.played, "_close", None)) is not None:
                close()

    def _make(self, call: WrittenCall, turn: int, images: int) -> tuple[Pieces, ToolCall]:
        """One call's message and what became of it; `images` may still be shown in this turn."""
        made = ToolCall(turn, call.name, call.arguments)
        made = replace(made, duplicate=any(asks_again(one, made, self.limits.duplicate_iou) for one in self.calls))
        if call.wrong is not None:
            return _error(call.wrong), replace(made, outcome="invalid")
        try:
            returned = call_tool(self.played, self.schemas, call.name, call.arguments)
        except BadCallError as error:
            return _error(str(error)), replace(made, outcome="invalid")
        except EnvironmentFault as error:
            raise _broken(call.name, str(error)) from error
        except Exception as error:  # the tool's answer to a call that it doesn't take
            return _error(str(error) or type(error).__name__), replace(made, outcome="failed")
        except SystemExit as error:
            raise _broken(call.name, f"SystemExit: {error}") from error
        try:
            pieces = pieces_of(returned, self.limits.characters)
        except TooLargeError as error:
            return _error(str(error)), replace(made, outcome="dropped")
        except (NoResultError, ValueError, OSError) as error:
            raise _broken(call.name, str(error)) from error
        count = sum(isinstance(piece, Image) for piece in pieces)
        left = min(images, self.limits.images_per_episode - self.images)
        if count > left:
            return _error(f"the result holds {count} images, {max(0, left)} more may be shown"), replace(
                made, outcome="dropped"
            )
        return pieces or (Text("done"),), replace(made, images=count)


def _error(text: str) -> Pieces:
    return (Text(f"error: {text[:MOST_ERROR]}"),)


def _broken(name: str, why: str) -> EnvironmentFault:
    return EnvironmentFault(f"{name}: {why}")


def verdict_of(reward: Any, low: float, high: float) -> Verdict:
    """A reward in [low, high] as a score in [0, 1], correct at `high`; anything else is a fault."""
    try:
        value = float(reward)
    except (TypeError, ValueError, OverflowError):
        return Verdict.broken(f"get_reward: returned {reward!r:.80}, which is no number")
    if not math.isfinite(value) or not low <= value <= high:
        return Verdict.broken(
            f"get_reward: returned {value:g}, outside of {low:g} to {high:g} (environment.reward_range)"
        )
    score = min(1.0, max(0.0, (value - low) / (high - low)))
    return Verdict(score, score == 1.0, note="the environment's reward", parts={})


def late(seconds: float, calls: Sequence[ToolCall] = ()) -> Reply:
    """What stands for an answer that didn't come."""
    return Reply(calls=tuple(calls), fault=f"no answer within {seconds:g} s (environment.tool_seconds)")

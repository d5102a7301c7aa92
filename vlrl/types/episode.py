"""What happened in an episode besides its tokens: calls of tools, limits, what the environment said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from vlrl.types.group import Verdict

Outcome = Literal["done", "invalid", "failed", "dropped"]


@dataclass(frozen=True)
class ToolCall:
    """One call that the policy wrote.

    turn       0-based turn of the policy that holds it
    name       of the tool; "" where none could be read
    arguments  as they were written, plain JSON values
    outcome    `done`; `invalid`: no call that could be made (no JSON, no such tool, arguments of other kinds);
               `failed`: the tool refused it or raised; `dropped`: its result was too large or over a limit of images
    images     that its result showed
    duplicate  whether an earlier call of the episode asked for much the same
    """

    turn: int
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    outcome: Outcome = "done"
    images: int = 0
    duplicate: bool = False


@dataclass(frozen=True)
class Episode:
    """What is known of a response that an environment took part in.

    turns         turns that the policy wrote
    calls         in order
    over_limit    which limit ended the episode before it was over, in words; None where none did
    verdict       the environment's own verdict; None: the verifier of the problem judges the policy's last turn
    turn_rewards  of the environment, one a turn; empty where it gives none
    rewrites      actions of hooks by name, how often each was taken
    discarded_tokens  that the policy wrote and that don't count as its own: hooks dropped them, or what they followed
    discarded_calls   of turns that hooks dropped; they stand in no other number here
    stopped       why a hook ended the episode; None where none did
    """

    turns: int
    calls: tuple[ToolCall, ...] = ()
    over_limit: str | None = None
    verdict: Verdict | None = None
    turn_rewards: tuple[float, ...] = ()
    rewrites: Mapping[str, int] = field(default_factory=dict)
    discarded_tokens: int = 0
    discarded_calls: int = 0
    stopped: str | None = None

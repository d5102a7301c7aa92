"""What actions make of a response, and which randomness it goes on with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from vlrl.errors import RunError
from vlrl.model.prompts.encode import Encoded, EncodesTurns
from vlrl.rollout.boundaries.boundary import Action, Boundary, BoundaryHook, Continue, Inject, Resample, Stop, Truncate
from vlrl.rollout.boundaries.edited_rollout import with_forced, without
from vlrl.types import Rollout, Segment

MOST_REWRITES = 64  # of one turn: a hook that asks for more has no bound of its own


_NUMBERS = ("attempt", "discarded", "stopped", "boundary", "allowance", "_highest")
_COUNTS = ("actions", "of_turns", "begun_again")


@dataclass
class Rewritten:
    """What hooks have done to one response.

    attempt    what it draws from now: the least number under which nothing was drawn that has been dropped, so that
               no token is drawn again by a number whose outcome is known; behind injected text a new number
    actions    by name, how often each was taken
    discarded  tokens that the policy wrote and that no longer count as its own
    stopped    why a hook ended it; None: none did
    """

    attempt: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    discarded: int = 0
    stopped: str | None = None
    of_turns: Counter[int] = field(default_factory=Counter)  # actions by number of the turn
    begun_again: Counter[int] = field(default_factory=Counter)  # how often each turn was
    boundary: int = 0  # tokens at the last one
    allowance: int | None = None  # tokens behind injected text up to the next one
    _spent: set[int] = field(default_factory=set)
    _highest: int = 0

    def state_dict(self) -> dict[str, Any]:
        """As plain values."""
        counts = {name: dict(getattr(self, name)) for name in _COUNTS}
        return {**{name: getattr(self, name) for name in _NUMBERS}, **counts, "spent": sorted(self._spent)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Rewritten:
        """Inverse of `state_dict`."""
        given: dict[str, Any] = {name: state[name] for name in _NUMBERS}
        given |= {name: Counter(state[name]) for name in _COUNTS}
        return cls(**given, _spent=set(state["spent"]))

    def pass_by(self, tokens: int) -> None:
        """A boundary lies behind."""
        self.boundary, self.allowance = tokens, None

    def dropped(self) -> None:
        """Tokens of this attempt are gone."""
        self._spent.add(self.attempt)
        self.attempt = next(n for n in range(len(self._spent) + 1) if n not in self._spent)
        self._highest = max(self._highest, self.attempt)

    def injected(self) -> None:
        """What follows is another text's continuation."""
        self._highest += 1
        self.attempt = self._highest


class Rewriter:
    """Asks hooks in order, and does what the first says that doesn't go on."""

    def __init__(self, hooks: Sequence[BoundaryHook], encode: EncodesTurns) -> None:
        self.hooks, self._encode = tuple(hooks), encode

    def ask(self, at: Boundary, state: Rewritten) -> Action:
        """The action at a boundary. Raises RunError for a hook that never comes to an end."""
        for hook in self.hooks:
            action = hook.on_boundary(at)
            if not isinstance(action, Continue):
                name = type(action).__name__.lower()
                state.actions[name] += 1
                state.of_turns[at.turn] += 1
                if state.of_turns[at.turn] > MOST_REWRITES:
                    raise RunError(
                        f"environment.on_boundary, problem {at.problem.id}",
                        f"{type(hook).__name__} rewrote one turn {MOST_REWRITES} times ({name})",
                        "let the hook go on after some tries (Boundary.attempt)",
                    )
                return action
        return Continue()

    def done(self, action: Action, rollout: Rollout, encoded: Encoded, budget: int, state: Rewritten) -> Rollout:
        """The response behind an action. Raises RunError for one that can't be."""
        if isinstance(action, Stop):
            state.stopped = action.reason
            return replace(rollout, finish_reason="stop")
        if isinstance(action, Resample):
            action = Truncate(rollout.turn_start)
        if isinstance(action, Truncate):
            return self._shorter(rollout, action, encoded, state)
        if isinstance(action, Inject):
            return self._longer(rollout, action, budget, state)
        return rollout

    def _shorter(self, rollout: Rollout, action: Truncate, encoded: Encoded, state: Rewritten) -> Rollout:
        left = without(rollout, action.first, action.last)
        state.discarded += rollout.num_policy_tokens - left.num_policy_tokens
        state.dropped()
        state.pass_by(left.num_tokens)
        if left.num_tokens == left.turn_start:
            state.begun_again[left.num_observations] += 1
        images = left.encoded_images
        content = encoded.hash_again(images) if images else encoded.content_hash
        text = self._encode.text_of(left.token_ids[left.turn_start :])
        return replace(left, content_hash=content, text=text)

    def _longer(self, rollout: Rollout, action: Inject, budget: int, state: Rewritten) -> Rollout:
        version = rollout.segments[-1].policy_version if rollout.segments else 0
        ids = self._encode.text_ids(action.text, "environment.on_boundary")
        forced = Segment(ids, (0.0,) * len(ids), version, "forced", text=action.text)
        longer = with_forced(rollout, forced, self._encode.end_ids)
        if not ids or longer.num_tokens >= budget:
            return rollout if not ids else replace(rollout, finish_reason="length")
        state.injected()
        state.pass_by(longer.num_tokens)
        state.allowance = action.tokens
        return replace(longer, text=self._encode.text_of(longer.token_ids[longer.turn_start :]))

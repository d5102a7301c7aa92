"""One turn of many responses, with hooks asked at its boundaries: a call of the engine from each to the next.

Under one policy an engine whose sampler can be placed at a token (transformers) writes the same tokens however its
calls are cut, so that hooks that go on change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vlrl.errors import RunError
from vlrl.model.prompts.encode import EncodesTurns
from vlrl.rollout.boundaries.boundary import Boundary, BoundaryHook, BoundaryKind, Continue, Stop, Truncate
from vlrl.rollout.boundaries.edited_rollout import merged, without
from vlrl.rollout.boundaries.rewriting import Rewriter, Rewritten
from vlrl.rollout.collector import responses_of
from vlrl.rollout.engine import Generates, Request
from vlrl.types import Problem, Rollout

NOTHING = Rollout((), "", "unfinished")


class TurnWriter:
    """Writes turns of `turn_tokens` at most. Without hooks it is a call of the engine."""

    def __init__(
        self, engine: Generates, encode: EncodesTurns, hooks: Sequence[BoundaryHook], turn_tokens: int
    ) -> None:
        self._engine, self._encode, self._turn_tokens = engine, encode, turn_tokens
        self.rewriter = Rewriter(hooks, encode)
        intervals = [hook.token_interval for hook in hooks if hook.token_interval is not None]
        self._interval = min(intervals, default=None)
        self._words = tuple(dict.fromkeys(word for hook in hooks for word in hook.step_words))

    def write(
        self,
        requests: Sequence[Request],
        problems: Sequence[Problem],
        states: Sequence[Sequence[Rewritten]],
        rooms: Sequence[list[int | None]],
    ) -> list[tuple[Rollout, ...]]:
        """The next turn of every response of the requests that goes on, or the rest of it; those that the turn's limit
        of tokens ended are `unfinished`, and those that were left before: their room is used up, or the engine left
        them early.

        states  by request (k,), what hooks did so far; changed here
        rooms   by request (k,), tokens that may still be written of each response, None: no limit; changed here

        Raises what `responses_of` raises, and RunError for an action that can't be.
        """
        if not self.rewriter.hooks and all(room is None for of_request in rooms for room in of_request):
            return responses_of(self._engine, [replace(r, new_tokens=self._turn_tokens) for r in requests], problems)
        now = [list(request.resume_from or (NOTHING,) * request.num_rollouts) for request in requests]
        going = {(r, i) for r, request in enumerate(requests) for i in range(len(now[r])) if request.room(i)}
        for r, i in going:
            if now[r][i].num_tokens == now[r][i].turn_start:  # no turn that is written on
                states[r][i].pass_by(now[r][i].num_tokens)
        while going:
            chosen = sorted({r for r, _ in going})
            asked = [
                self._request(requests[r], now[r], [(r, i) in going for i in range(len(now[r]))], states[r], rooms[r])
                for r in chosen
            ]
            written = responses_of(self._engine, asked, [problems[r] for r in chosen])
            for r, responses in zip(chosen, written, strict=True):
                for i, one in enumerate(responses):
                    if (r, i) in going:
                        before, room = now[r][i].num_tokens, rooms[r][i]
                        rooms[r][i] = None if room is None else room - (one.num_tokens - before)
                        one = replace(one, segments=merged(one.segments))
                        now[r][i], goes_on = self._at_boundary(problems[r], requests[r], i, one, before, states[r][i])
                        going -= set() if goes_on and rooms[r][i] != 0 else {(r, i)}
        return [tuple(self._with_texts(one) for one in responses) for responses in now]

    def _request(
        self,
        request: Request,
        now: Sequence[Rollout],
        going: Sequence[bool],
        states: Sequence[Rewritten],
        rooms: Sequence[int | None],
    ) -> Request:
        """What the engine is asked next: the responses that don't go on are shown as ended."""
        shown = tuple(
            one if goes_on else replace(one, finish_reason="stop") for one, goes_on in zip(now, going, strict=True)
        )
        return replace(
            request,
            resume_from=shown if any(one.segments for one in shown) else None,
            new_tokens=tuple(
                max(1, min(self._up_to_boundary(one, state), self._turn_tokens if room is None else room))
                for one, state, room in zip(now, states, rooms, strict=True)
            ),
            attempts=tuple(state.attempt for state in states),
        )

    def _up_to_boundary(self, rollout: Rollout, state: Rewritten) -> int:
        """Tokens up to the next boundary."""
        room = self._turn_tokens - (rollout.num_tokens - rollout.turn_start)
        for most in (self._interval, state.allowance):
            room = room if most is None else min(room, most - (rollout.num_tokens - state.boundary))
        return room

    def _at_boundary(
        self, problem: Problem, request: Request, index: int, rollout: Rollout, before: int, state: Rewritten
    ) -> tuple[Rollout, bool]:
        """The response behind what hooks say where it stands, and whether it goes on in this turn; `before` tokens of
        it stood there before the call.
        """
        kind: BoundaryKind = "token"
        step = self._step(rollout, before)
        if step is not None and (step < rollout.num_tokens or rollout.finish_reason == "unfinished"):
            kind = "step"
            if step < rollout.num_tokens:  # what follows is drawn again, and the same where nothing happens here
                rollout = without(rollout, step)
                rollout = replace(rollout, text=self._encode.text_of(rollout.token_ids[rollout.turn_start :]))
        if kind == "token" and (rollout.finish_reason != "unfinished" or self._turn_is_full(rollout)):
            kind = "turn"
        if kind == "token" and self._up_to_boundary(rollout, state) > 0:
            return rollout, False  # left before a boundary
        turn = rollout.num_observations
        shown = self._with_texts(rollout)
        action = self.rewriter.ask(Boundary(kind, problem, shown, turn, (), dict(state.begun_again)), state)
        state.pass_by(rollout.num_tokens)
        if isinstance(action, Continue):
            return rollout, kind != "turn" and not self._turn_is_full(rollout)
        if isinstance(action, Truncate) and action.first < rollout.turn_start:
            raise RunError(
                f"environment.on_boundary, problem {problem.id}",
                f"an action drops tokens from {action.first} on, and the turn began at {rollout.turn_start}",
                "let the hook drop what lies behind it at the boundary `answer`",
            )
        ended = rollout.finish_reason
        rollout = self.rewriter.done(action, rollout, request.encoded, request.budget(index), state)
        if isinstance(action, Truncate) and action.last is not None and kind == "turn":
            return replace(rollout, finish_reason=ended), False
        if isinstance(action, Stop) or rollout.finish_reason != "unfinished":
            return rollout, False
        return rollout, not self._turn_is_full(rollout)

    def _turn_is_full(self, rollout: Rollout) -> bool:
        return rollout.num_tokens - rollout.turn_start >= self._turn_tokens

    def _step(self, rollout: Rollout, before: int) -> int | None:
        """How many tokens there are up to the first word that this call wrote; None where it wrote none."""
        if not self._words:
            return None
        ids, longest = rollout.token_ids, max(len(word.encode()) for word in self._words)
        own = rollout.num_tokens - len(rollout.segments[-1].token_ids) if rollout.segments else 0
        start = max(own, before - longest)  # a token has at least one byte

        def count(stop: int) -> int:
            text = self._encode.text_of(ids[start:stop])
            return sum(text.count(word) for word in self._words)

        known = count(before) if before > start else 0
        if count(len(ids)) <= known:
            return None
        return next((n for n in range(before + 1, len(ids) + 1) if count(n) > known), None)

    def _with_texts(self, rollout: Rollout) -> Rollout:
        """Every part of the present turn with its own text, where there are several."""
        done = max((i + 1 for i, one in enumerate(rollout.segments) if one.author == "observation"), default=0)
        parts = rollout.segments[done:]
        if len(parts) < 2:
            return rollout
        read = (one if one.text else replace(one, text=self._encode.text_of(one.token_ids)) for one in parts)
        return replace(rollout, segments=(*rollout.segments[:done], *read))

"""Episodes whose turns don't wait for each other: one call of the engine writes them all, and each turn begins as soon
as the calls of the one before it were answered.

Tokens are those that `Play` gives. What is written and read together depends on when tools answer, so that
log-probabilities may differ in their last digits from run to run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vlrl.errors import EngineError, NonFiniteError
from vlrl.model.prompts.encode import EncodesTurns
from vlrl.rollout.boundaries.rewriting import Rewriter
from vlrl.rollout.boundaries.turn_writer import NOTHING
from vlrl.rollout.collector import check_response
from vlrl.rollout.engine import Generates, GeneratesTurns, Request, Sampling
from vlrl.rollout.environments.calls.deadlines import SideBySide
from vlrl.rollout.environments.episodes.play import Place, Play
from vlrl.rollout.environments.episodes.world import Reply
from vlrl.types import Rollout


class PlayAsAnswered(Play):
    """`Play` of whole episodes in one process, without hooks."""

    def run(
        self,
        encode: EncodesTurns,
        engine: Generates,
        sampling: Sampling,
        budget: int | None = None,
        early_exit_below: float = 0.0,
    ) -> None:
        """Play on until every episode has ended. Raises as `Play.run` does, and EngineError for an engine that writes
        all turns together, or where episodes are to rest.
        """
        if not isinstance(engine, GeneratesTurns) or budget is not None or early_exit_below:
            raise EngineError(
                "environment.next_turn",
                f"{type(engine).__name__} doesn't go on with single responses"
                if budget is None
                else "an episode that waits for another iteration is cut between turns that all wait",
                "next_turn: together",
            )
        self.begin(encode)
        writes = {place for place in self.places if self.progress(place).going}
        if chosen := sorted({g for g, _ in writes}):
            asked = [self.request(g, writes, sampling, 0.0) for g in chosen]
            requests = [replace(request, new_tokens=self.settings.tokens_per_turn) for request in asked]
            try:
                engine.generate_turns(requests, _Turns(self, chosen, requests, encode, sampling))
            except NonFiniteError as error:
                raise error.at("rollout") from None
        self.finish()


class _Turns:
    """`NextTurns` of the groups `chosen`, which are requests in this order."""

    def __init__(
        self,
        play: Play,
        chosen: Sequence[int],
        requests: Sequence[Request],
        encode: EncodesTurns,
        sampling: Sampling,
    ) -> None:
        self._play, self._chosen, self._requests = play, chosen, list(requests)
        self._encode, self._sampling, self._rewriter = encode, sampling, Rewriter((), encode)
        settings = play.settings
        self._asked: SideBySide[Place, Reply] = SideBySide(settings.patience_seconds, settings.workers)

    def ended(self, request: int, index: int, rollout: Rollout) -> None:
        """A turn is written: its calls are made from now on. Raises as `check_response` does."""
        play, place = self._play, (self._chosen[request], index)
        group = play.groups[place[0]]
        check_response(group.problem, self._requests[request].longer(index, rollout), index, rollout)
        rollouts = list(group.rollouts or (NOTHING,) * len(group.progress))
        rollouts[index] = play.ended_turn(play.progress(place), rollout)
        group.rollouts = tuple(rollouts)
        if play.progress(place).going:
            self._asked.add(place, lambda: play.asked(place))

    def longer(self, wait: bool) -> list[tuple[int, int, Rollout]]:
        """Episodes that go on behind what their environments said."""
        while answered := self._asked.ended(wait):
            places = [place for place, _ in answered]
            self._play.heard(places, [reply for _, reply in answered], self._encode, self._sampling, self._rewriter)
            going = [place for place in places if self._play.progress(place).going]
            if going or not wait:
                return [(self._chosen.index(g), j, self._play.groups[g].rollouts[j]) for g, j in going]
        return []

"""Calls that fail are taken out of what the policy reads, after PruneTIR.

on_boundary: [{name: prune_failed_calls, after_success: true, stuck: 3}]
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from vlrl.provenance import Mark
from vlrl.rollout.boundaries.boundary import Action, Boundary, BoundaryHook, Continue, Inject, Truncate, boundary_hooks


@boundary_hooks.register("prune_failed_calls")
class PruneFailedCalls(BoundaryHook):
    """Turns all of whose calls failed (`invalid`, `failed`, `dropped`) go, with what the tools said of them.

    after_success  when a call succeeds behind them. The turn that succeeded was written behind them: it is read on, and
                   has no weight
    stuck          this many turns in a row that failed are dropped, and the policy begins again where the first
                   of them began; 0: never
    again          how often one turn may begin again; then `suspended` is said instead
    suspended      what the policy goes on behind when it may not begin again; empty: nothing is said

    Both off (`after_success: false, stuck: 0`) change nothing. What failed calls did to the environment stays done.
    """

    paper: ClassVar[str] = "PruneTIR, 2511.09057"
    mark: ClassVar[Mark] = "A"

    after_success: bool = True
    stuck: int = Field(default=3, ge=0, description="failed turns in a row that are dropped together; 0: never")
    again: int = Field(default=1, ge=0, le=32, description="how often one turn begins again because of it")
    suspended: str = Field(default="", description="said when it may not; empty: nothing")

    def on_boundary(self, at: Boundary) -> Action:
        """Truncate, or say that tools are suspended, or go on."""
        if at.kind != "answer":
            return Continue()
        failed = self._failed_before(at)
        now = self._fails(at, at.turn)
        if not now and failed and self.after_success:
            starts = turn_starts(at)
            return Truncate(starts[at.turn - failed], starts[at.turn])
        if now and self.stuck and failed + 1 >= self.stuck:
            if at.attempts.get(at.turn - failed, 0) < self.again:
                return Truncate(turn_starts(at)[at.turn - failed])
            if self.suspended and failed + 1 == self.stuck:
                return Inject(self.suspended)
        return Continue()

    def _failed_before(self, at: Boundary) -> int:
        """Turns in a row before the present one all of whose calls failed."""
        count = 0
        while count < at.turn and self._fails(at, at.turn - count - 1):
            count += 1
        return count

    @staticmethod
    def _fails(at: Boundary, turn: int) -> bool:
        calls = [call for call in at.calls if call.turn == turn]
        return bool(calls) and all(call.outcome != "done" for call in calls)


def turn_starts(at: Boundary) -> list[int]:
    """First token of each turn of the policy."""
    found, place = [0], 0
    for segment in at.rollout.segments:
        place += len(segment.token_ids)
        if segment.author == "observation":
            found.append(place)
    return found

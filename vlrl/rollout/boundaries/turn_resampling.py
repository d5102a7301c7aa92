"""Turns that say nothing new are written again, after T²PO.

on_boundary: [{name: resample_turns, threshold: 0.3, tries: 2}]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from vlrl.provenance import Mark
from vlrl.rollout.boundaries.boundary import Action, Boundary, BoundaryHook, Continue, Resample, boundary_hooks
from vlrl.types import Segment


@boundary_hooks.register("resample_turns")
class ResampleTurns(BoundaryHook):
    """A turn t > 0 is written again where |u_t − u_{t−1}| < threshold, u a turn's mean −log π: its uncertainty, as far
    as engines report it.

    threshold  0: no turn is
    tries      of one turn, at most; the last one stays, whatever it says
    """

    paper: ClassVar[str] = "T²PO"
    mark: ClassVar[Mark] = "C"

    threshold: float = Field(default=0.3, ge=0.0, description="in nats a token; 0: no turn is written again")
    tries: int = Field(default=2, ge=0, le=32, description="how often a turn is written again at most")

    def on_boundary(self, at: Boundary) -> Action:
        """Resample, or go on."""
        if at.kind != "turn" or at.attempt >= self.tries:
            return Continue()
        turns = uncertainties(at.rollout.segments)
        last, now = (None, *turns)[-2:]
        if last is None or now is None:
            return Continue()
        return Resample() if abs(now - last) < self.threshold else Continue()


def uncertainties(segments: Sequence[Segment]) -> list[float | None]:
    """Mean −log π of each turn's own tokens; None for a turn that the policy wrote nothing of."""
    turns: list[list[float]] = [[]]
    for one in segments:
        if one.author == "observation":
            turns.append([])
        elif one.author == "policy":
            turns[-1] += [-value for value in one.sampler_logprobs]
    return [sum(turn) / len(turn) if turn else None for turn in turns]

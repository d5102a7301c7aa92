"""Thinking that no longer changes is brought to an end, after T²PO's intervention within a turn.

on_boundary: [{name: end_thinking, threshold: 0.05, every: 64, text: "</think>"}]
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from vlrl.provenance import Mark
from vlrl.rollout.boundaries.boundary import Action, Boundary, BoundaryHook, Continue, Inject, boundary_hooks


@boundary_hooks.register("end_thinking")
class EndThinking(BoundaryHook):
    """Where the mean −log π of `every` tokens differs by less than `threshold` from that of the `every` before, the
    turn goes on behind `text`, once a turn and only where the turn doesn't hold it yet.
    """

    paper: ClassVar[str] = "T²PO"
    mark: ClassVar[Mark] = "A"

    threshold: float = Field(default=0.05, ge=0.0, description="in nats a token; 0: no turn is changed")
    every: int = Field(default=64, ge=1, description="tokens that are compared with as many before")
    text: str = Field(default="</think>", min_length=1, description="what ends the model's thinking")

    @property
    def token_interval(self) -> int | None:
        """As often as tokens are compared; never at a threshold that changes nothing."""
        return self.every if self.threshold else None

    def on_boundary(self, at: Boundary) -> Action:
        """Inject, or go on."""
        segments = at.turn_segments
        if at.kind != "token" or any(s.author != "policy" for s in segments) or self.text in at.rollout.text:
            return Continue()
        values = [value for segment in segments for value in segment.sampler_logprobs]
        if len(values) < 2 * self.every:
            return Continue()
        now, before = (
            sum(part) / self.every for part in (values[-self.every :], values[-2 * self.every : -self.every])
        )
        return Inject(self.text) if abs(now - before) < self.threshold else Continue()

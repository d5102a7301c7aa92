"""Answers that are asked for before the policy gives one, after Step-GRPO: where it is sure, it needn't think on.

on_boundary: [{name: induced_answers, words: [Wait], text: "\\n<answer>", confidence: 0.95}]
"""

from __future__ import annotations

import math
from typing import ClassVar

from pydantic import Field

from vlrl.provenance import Mark
from vlrl.rollout.boundaries.boundary import Action, Boundary, BoundaryHook, Continue, Inject, Truncate, boundary_hooks


@boundary_hooks.register("induced_answers")
class InducedAnswers(BoundaryHook):
    """At each of `words` the policy is led to an answer by `text`. If it ends its turn within `tokens` and the
    geometric mean of its tokens' probabilities reaches `confidence`, that is the turn; else text and answer are
    dropped, and the turn goes on as if nobody had asked.

    confidence  above 1: no answer is taken
    tries       in one turn
    """

    paper: ClassVar[str] = "Step-GRPO"
    mark: ClassVar[Mark] = "R"

    words: tuple[str, ...] = Field(default=("Wait",), description="behind which an answer is asked for; none: nowhere")
    text: str = Field(default="\n<answer>", min_length=1, description="what the policy's answer is written behind")
    confidence: float = Field(default=0.95, gt=0.0, description="from which the answer is taken; above 1: never")
    tokens: int = Field(default=32, ge=1, description="that the answer may have, its end token included")
    tries: int = Field(default=4, ge=0, le=16, description="times in one turn that an answer is asked for")

    @property
    def step_words(self) -> tuple[str, ...]:
        """Where an answer is asked for."""
        return self.words if self.tries else ()

    def on_boundary(self, at: Boundary) -> Action:
        """Inject at a word; behind the answer go on, or truncate."""
        if at.kind == "answer":
            return Continue()
        segments = at.turn_segments
        asked = next((i for i, one in enumerate(segments) if one.author == "forced" and one.text == self.text), None)
        if asked is None:
            spent = sum(at.rollout.text.count(word) for word in self.words) > self.tries
            return Inject(self.text, self.tokens) if at.kind == "step" and not spent else Continue()
        answer = [value for one in segments[asked + 1 :] for value in one.sampler_logprobs]
        if at.kind == "step" or (at.kind == "token" and len(answer) < self.tokens):
            return Continue()
        ended = at.kind == "turn" and at.rollout.finish_reason == "stop"
        if ended and answer and math.exp(math.fsum(answer) / len(answer)) >= self.confidence:
            return Continue()
        before = sum(len(one.token_ids) for one in at.rollout.segments) - sum(
            len(one.token_ids) for one in segments[asked:]
        )
        return Truncate(before)

"""The evaluation protocol as an object: everything that a figure depends on besides the weights, and its hash (k1.5
appendix C).

Two figures may be compared when their hashes agree. `footnote` says so where a table mixes hashes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cached_property
from typing import Literal

from pydantic import Field, model_validator

from vlrl.config import Settings
from vlrl.types import Problem, content_digest

GRADER_VERSION = 2  # raise it whenever any verifier may give another verdict than before

Aggregation = Literal["mean", "pass@k", "maj@n"]


class EvaluationProtocol(Settings):
    """How a set of problems is asked and judged. Frozen; `hash` changes with every field."""

    benchmark: str = Field(default="", description="name of the set, e.g. mathvista")
    split: str = Field(default="", description="split or version of the set, e.g. testmini")
    problems: str = Field(
        default="", description="digest of the ids in order (`problems_digest`); empty: not fixed yet"
    )
    prompt: str = Field(default="{question}", description="template around the question; must hold {question}")
    system: str = Field(default="", description="system message; empty: none")
    chat_template: str = Field(default="", description="digest of the chat template; empty: the processor's own")
    temperature: float = Field(default=0.0, ge=0.0, description="0 is greedy")
    top_p: float = Field(default=1.0, gt=0.0, le=1.0, description="nucleus of the sampled distribution")
    max_tokens: int = Field(default=1024, ge=1, description="token budget of a response")
    stop: tuple[str, ...] = Field(default=(), description="strings that end a response")
    samples: int = Field(default=1, ge=1, description="responses to each problem")
    aggregation: Aggregation = Field(default="mean", description="how the samples of a problem become one value")
    k: int = Field(default=1, ge=1, description="the k of pass@k")
    seeds: tuple[int, ...] = Field(
        default=(0,), min_length=1, description="one evaluation a seed; sampling starts from it"
    )
    grader: str = Field(default="", description="verifier of reward mode; empty: each problem's own")
    mode: Literal["reward", "official"] = Field(default="reward", description="official gives the benchmark's luck too")
    integer_rule: Literal["int", "int-float"] = Field(
        default="int", description="MathVista's integers in official mode"
    )
    grader_version: int = Field(default=GRADER_VERSION, description="version of the verifiers")
    environment: str = Field(
        default="", description="what plays it, with all that changes results; empty: single turns"
    )
    min_pixels: int | None = Field(default=None, ge=1, description="an image's least size, in pixels")
    max_pixels: int | None = Field(default=None, ge=1, description="image budget: upper bound of an image, pixels")
    cut_offs: Literal["judged", "wrong"] = Field(default="judged", description="a response that the token budget ended")

    @model_validator(mode="after")
    def _consistent(self) -> EvaluationProtocol:
        if "{question}" not in self.prompt:
            raise ValueError("prompt must hold {question}")
        if self.aggregation == "pass@k" and self.k > self.samples:
            raise ValueError(f"pass@{self.k} needs at least {self.k} samples, got samples={self.samples}")
        if self.aggregation != "pass@k" and self.k != 1:
            raise ValueError(f"k={self.k} has a meaning for pass@k only")
        return self

    @cached_property
    def hash(self) -> str:
        """12 hexadecimal characters over every field; that of single turns is as it was before there was an
        environment.
        """
        values = self.model_dump(mode="json", exclude=set() if self.environment else {"environment"})
        return content_digest(json.dumps(values, sort_keys=True))[:12]

    @property
    def label(self) -> str:
        """How the figure is called: accuracy, pass@4, maj@8, mean of 8."""
        if self.aggregation == "pass@k":
            return f"pass@{self.k}"
        if self.aggregation == "maj@n":
            return f"maj@{self.samples}"
        return "accuracy" if self.samples == 1 else f"mean of {self.samples}"

    def for_problems(self, problems: Iterable[Problem]) -> EvaluationProtocol:
        """The same protocol, bound to these problems in this order."""
        return self.model_copy(update={"problems": problems_digest(problems)})


def problems_digest(problems: Iterable[Problem]) -> str:
    """A digest of which problems are asked, in which order."""
    return content_digest(*(problem.id for problem in problems))


def footnote(hashes: Iterable[str]) -> str:
    """What a table that holds figures of these protocol hashes must say beneath; empty where they all agree."""
    distinct = list(dict.fromkeys(hashes))
    if len(distinct) < 2:
        return ""
    return f"figures of {len(distinct)} different protocols ({', '.join(distinct)}): not comparable across them"

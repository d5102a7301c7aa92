"""Problems, rollouts and verdicts as plain values and back: every file and every checkpoint writes them by these.

What is written for readers (`problem_row`, `verdict_row`) names images; what a checkpoint holds (`problem_state`,
`rollout_state`) is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

from vlrl.types import Image, Problem, Rollout, Segment, Text, Verdict


def problem_row(problem: Problem, image: Callable[[Image], dict[str, str]]) -> dict[str, Any]:
    """A problem for readers; `image` says what stands for an image of the prompt."""
    return {
        "id": problem.id,
        "prompt": [{"text": p.text} if isinstance(p, Text) else image(p) for p in problem.prompt],
        "answer": problem.answer,
        "verifier": problem.verifier,
        "modality": problem.modality,
        "domain": problem.domain,
        "source": problem.source,
        "difficulty": problem.difficulty,
        "metadata": dict(problem.metadata),
        "tags": list(problem.tags),
        "twin": problem.twin,
    } | ({} if problem.system is None else {"system": problem.system})


def verdict_row(verdict: Verdict) -> dict[str, Any]:
    """A verdict for readers; sub-scores only where there are some."""
    row = {name: getattr(verdict, name) for name in ("score", "correct", "answer", "note", "fault")}
    return row | ({"score_parts": dict(verdict.parts)} if verdict.parts else {})


def verdict_from(row: Mapping[str, Any]) -> Verdict:
    """Inverse of `verdict_row`; other keys of the row are passed over."""
    return Verdict(
        row["score"], row["correct"], row["answer"], row["note"], row["fault"], dict(row.get("score_parts", {}))
    )


def problem_state(problem: Problem) -> dict[str, Any]:
    """A problem with its images, for a checkpoint."""
    state = {field.name: getattr(problem, field.name) for field in fields(problem) if field.name != "prompt"}
    prompt = [
        {"text": p.text} if isinstance(p, Text) else {field.name: getattr(p, field.name) for field in fields(p)}
        for p in problem.prompt
    ]
    return {**state, "metadata": dict(problem.metadata), "prompt": prompt}


def problem_from(state: Mapping[str, Any]) -> Problem:
    """Inverse of `problem_state`."""
    prompt = tuple(Text(p["text"]) if "text" in p else Image(**p) for p in state["prompt"])
    return Problem(**{**state, "prompt": prompt})


def rollout_state(rollout: Rollout) -> dict[str, Any]:
    """A response with its segments, for a checkpoint."""
    return asdict(rollout)


def rollout_from(state: Mapping[str, Any]) -> Rollout:
    """Inverse of `rollout_state`."""
    segments = tuple(Segment(**one) for one in state["segments"])
    return Rollout(segments, state["text"], state["finish_reason"], state["content_hash"])

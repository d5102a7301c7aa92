"""Problems, rollouts and verdicts as plain values and back: every file and every checkpoint writes them by these.

What is written for readers (`problem_row`, `verdict_row`) names images; what a checkpoint holds (`problem_state`,
`rollout_state`) is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

from vlrl.types import Image, Problem, Rollout, Segment, Text, Verdict

_SEGMENT = ("token_ids", "sampler_logprobs", "policy_version", "author")


def problem_row(problem: Problem, image: Callable[[Image], Mapping[str, Any]]) -> dict[str, Any]:
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


def episode_row(rollout: Rollout) -> dict[str, Any]:
    """For readers, an episode as a conversation: its parts with their author, text and images, calls, rewards of turns
    and the limit that ended it; empty for a response that no environment took part in.
    """
    episode = rollout.episode
    if episode is None:
        return {}
    parts = [
        {"author": one.author, "text": one.text, "tokens": len(one.token_ids)}
        | ({"images": [image.digest for image in one.images]} if one.images else {})
        for one in rollout.segments
    ]
    calls = [asdict(call) for call in episode.calls]
    row: dict[str, Any] = {"turns": episode.turns, "parts": parts, "calls": calls}
    row |= {"over_limit": episode.over_limit} if episode.over_limit is not None else {}
    row |= {"rewrites": dict(episode.rewrites)} if episode.rewrites else {}
    row |= {"stopped": episode.stopped} if episode.stopped is not None else {}
    return {"episode": row | ({"turn_rewards": list(episode.turn_rewards)} if episode.turn_rewards else {})}


def verdict_row(verdict: Verdict) -> dict[str, Any]:
    """A verdict for readers; sub-scores and why it is left out only where there are some."""
    row = {name: getattr(verdict, name) for name in ("score", "correct", "answer", "note", "fault")}
    row |= {"score_parts": dict(verdict.parts)} if verdict.parts else {}
    return row | ({"left_out": verdict.left_out} if verdict.left_out is not None else {})


def verdict_from(row: Mapping[str, Any]) -> Verdict:
    """Inverse of `verdict_row`; other keys of the row are passed over."""
    return Verdict(
        row["score"],
        row["correct"],
        row["answer"],
        row["note"],
        row["fault"],
        dict(row.get("score_parts", {})),
        row.get("left_out"),
    )


def image_state(image: Image) -> dict[str, Any]:
    """An image with its content, for a checkpoint; `Image(**state)` is its inverse."""
    return {field.name: getattr(image, field.name) for field in fields(image)}


def problem_state(problem: Problem) -> dict[str, Any]:
    """A problem with its images, for a checkpoint."""
    state = {field.name: getattr(problem, field.name) for field in fields(problem) if field.name != "prompt"}
    prompt = [{"text": p.text} if isinstance(p, Text) else image_state(p) for p in problem.prompt]
    return {**state, "metadata": dict(problem.metadata), "prompt": prompt}


def problem_from(state: Mapping[str, Any]) -> Problem:
    """Inverse of `problem_state`."""
    prompt = tuple(Text(p["text"]) if "text" in p else Image(**p) for p in state["prompt"])
    return Problem(**{**state, "prompt": prompt})


def rollout_state(rollout: Rollout) -> dict[str, Any]:
    """A response with its segments, for a checkpoint. Raises ValueError for one that an environment took part in, of
    which `EpisodeBuffer` keeps more.
    """
    if rollout.episode is not None or rollout.images:
        raise ValueError("an episode waits with its images and its environment: EpisodeBuffer")
    segments = [{name: getattr(one, name) for name in _SEGMENT} for one in rollout.segments]
    return {
        "segments": segments,
        **{name: getattr(rollout, name) for name in ("text", "finish_reason", "content_hash")},
    }


def rollout_from(state: Mapping[str, Any]) -> Rollout:
    """Inverse of `rollout_state`."""
    segments = tuple(Segment(**one) for one in state["segments"])
    return Rollout(segments, state["text"], state["finish_reason"], state["content_hash"])

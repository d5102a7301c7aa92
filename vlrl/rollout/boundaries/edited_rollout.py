"""A response without some of its tokens, or with tokens that the policy didn't write: pure functions on rollouts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from vlrl.errors import RunError
from vlrl.types import Rollout, Segment


def merged(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Neighbours that the policy wrote under one version as one segment, without a text."""
    found: list[Segment] = []
    for one in segments:
        last = found[-1] if found else None
        if last is not None and {last.author, one.author} == {"policy"} and last.policy_version == one.policy_version:
            found[-1] = Segment(
                last.token_ids + one.token_ids, last.sampler_logprobs + one.sampler_logprobs, one.policy_version
            )
        else:
            found.append(one)
    return tuple(found)


def without(rollout: Rollout, first: int, last: int | None = None) -> Rollout:
    """The response without tokens `first` to `last`, unfinished and without a text; `Truncate` says what becomes of
    what stands behind them. Raises RunError for a place that cuts an observation or isn't in the response.
    """
    end = rollout.num_tokens if last is None else last
    if not 0 <= first <= end <= rollout.num_tokens:
        raise RunError("environment.on_boundary", f"tokens {first} to {end} are to be dropped, of {rollout.num_tokens}")
    kept: list[Segment] = []
    for start, stop, segment in _placed(rollout.segments):
        if first < end and start < end and stop > first:  # some of it is dropped
            if first <= start and stop <= end:
                continue
            if segment.author == "observation":
                raise RunError(
                    "environment.on_boundary",
                    f"tokens {first} to {end} are to be dropped, and an observation stands at {start} to {stop}",
                    "let a hook drop an observation whole, or keep it",
                )
            kept += [_part(segment, 0, first - start)] if start < first else []
            kept += [_forced(_part(segment, end - start, stop - start))] if end < stop else []
        else:
            kept.append(_forced(segment) if first < end <= start else segment)
    return replace(rollout, segments=tuple(kept), text="", finish_reason="unfinished")


def kept_turns(rollout: Rollout, first: int, last: int | None = None) -> list[int]:
    """Numbers of the turns of which `without` leaves some, in order."""
    end = rollout.num_tokens if last is None else last
    turn, found = 0, []
    for start, stop, segment in _placed(rollout.segments):
        if segment.author == "observation":
            turn += 1
        elif not (first <= start and stop <= end) and turn not in found:
            found.append(turn)
    return found


def with_forced(rollout: Rollout, forced: Segment, end_ids: frozenset[int]) -> Rollout:
    """The response with a segment behind it that the policy didn't write; an end token before it is taken back."""
    segments = list(rollout.segments)
    if segments and segments[-1].author == "policy" and end_ids & set(segments[-1].token_ids[-1:]):
        whole = segments.pop()
        segments += [_part(whole, 0, len(whole.token_ids) - 1)] if len(whole.token_ids) > 1 else []
    return replace(rollout, segments=(*segments, forced), text="", finish_reason="unfinished")


def _placed(segments: Sequence[Segment]) -> Iterator[tuple[int, int, Segment]]:
    """First token, and the one after the last, of each segment."""
    place = 0
    for segment in segments:
        yield place, place + len(segment.token_ids), segment
        place += len(segment.token_ids)


def _part(segment: Segment, first: int, last: int) -> Segment:
    return replace(
        segment,
        token_ids=segment.token_ids[first:last],
        sampler_logprobs=segment.sampler_logprobs[first:last],
        text="",
    )


def _forced(segment: Segment) -> Segment:
    """Read, but not as what the policy wrote there."""
    if segment.author != "policy":
        return segment
    return replace(segment, author="forced", sampler_logprobs=(0.0,) * len(segment.token_ids))

"""What a policy reads of one problem and learns from it: a prompt, its responses, and numbers for each of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

from vlrl.model.prompts.encode import Encoded, EncodedImage
from vlrl.types import PerToken, Rollout, Routing


@dataclass(frozen=True)
class Observations:
    """What of one response of T tokens the policy didn't write.

    written      (T,) whether the policy wrote a token. The others have log-probability 0, whatever the model thinks of
                 them, and so no part in a loss or its gradient
    token_types  (T,) 0 text, 1 image
    images       what the image tokens stand for, in reading order
    """

    written: tuple[bool, ...]
    token_types: tuple[int, ...]
    images: tuple[EncodedImage, ...]


def observations_of(rollouts: Sequence[Rollout]) -> tuple[Observations | None, ...] | None:
    """(k,) of these responses; None where the policy wrote all of one, or of all."""
    found = tuple(_observations(rollout) for rollout in rollouts)
    return found if any(found) else None


def routing_of(rollouts: Sequence[Rollout]) -> tuple[Routing, ...] | None:
    """(k,) of these responses; None unless it was recorded of all."""
    found = tuple(rollout.routing for rollout in rollouts if rollout.routing is not None)
    return found if rollouts and len(found) == len(rollouts) else None


def read_rollouts(encoded: Encoded, rollouts: Sequence[Rollout]) -> Example:
    """Responses behind their prompt, to be read."""
    responses = tuple(one.token_ids for one in rollouts)
    return Example(encoded, responses, observations=observations_of(rollouts), routing=routing_of(rollouts))


def _observations(rollout: Rollout) -> Observations | None:
    if all(segment.author == "policy" for segment in rollout.segments):
        return None
    return Observations(
        tuple(segment.author == "policy" for segment in rollout.segments for _ in segment.token_ids),
        tuple(t for s in rollout.segments for t in s.token_types or (0,) * len(s.token_ids)),
        rollout.encoded_images,
    )


@dataclass(frozen=True)
class Example:
    """A prompt with k responses: one row `[prompt | response 1 | … | response k]` of a forward pass (`pack`).

    encoded, responses alone are enough to be read; an update needs `advantages`, too.

    responses           (k,) token ids, each at least one
    advantages          (k,), or None: it is only read
    old_logprobs        per response (T_j,), or None: they are the current policy's own (a first update, k1.5
                        §2.3.2)
    sampler_logprobs    per response (T_j,) by the engine, only compared; None where nothing was sampled (SFT)
    token_weights       per response (T_j,) ≥ 0, or None: every token counts once. 0 keeps a token out of the loss
    token_advantages    per response (T_j,), or None: what a token's advantage is besides that of its response
    origins             per response runs of (where its tokens come from, how many), for the gap between engine and
                        trainer; tokens of `stale` are an earlier policy's, those of `given` no policy's
                        (observations). None: all come from one place
    teacher_token_ids   per response (T_j,), or None: ids of tokens whose log-probabilities the loss wants besides
    ref_logprobs        per response (T_j,) of a frozen reference model, or None: the loss has none
    pull_scales         (k,) > 0, or None: what the loss's pull to an earlier policy is multiplied by
    observations        per response what an environment wrote into it, or None; None: the policy wrote all of them
    routing             per response the experts that its tokens, and the prompt's, are sent to; None: routers choose
    """

    encoded: Encoded
    responses: tuple[tuple[int, ...], ...]
    advantages: tuple[float, ...] | None = None
    old_logprobs: PerToken | None = None
    sampler_logprobs: PerToken | None = None
    token_weights: PerToken | None = None
    token_advantages: PerToken | None = None
    origins: tuple[tuple[tuple[str, int], ...], ...] | None = None
    teacher_token_ids: tuple[tuple[int, ...], ...] | None = None
    ref_logprobs: PerToken | None = None
    observations: tuple[Observations | None, ...] | None = None
    pull_scales: tuple[float, ...] | None = None
    routing: tuple[Routing, ...] | None = field(default=None, repr=False, compare=False)

    @property
    def images(self) -> tuple[EncodedImage, ...]:
        """Those of the prompt, then those of each response, in reading order."""
        more = (image for one in self.observations or () if one is not None for image in one.images)
        return (*self.encoded.images, *more)

    @cached_property
    def written(self) -> tuple[tuple[bool, ...], ...] | None:
        """Per response (T_j,) whether the policy wrote a token; None where it wrote all."""
        if self.observations is None or not any(self.observations):
            return None
        pairs = zip(self.responses, self.observations, strict=True)
        return tuple((True,) * len(response) if one is None else one.written for response, one in pairs)

    @property
    def num_tokens(self) -> int:
        """Length of the packed row."""
        return self.encoded.num_tokens + self.num_response_tokens

    @property
    def num_response_tokens(self) -> int:
        """Response tokens over all k."""
        return sum(len(response) for response in self.responses)

    @cached_property
    def num_trained_tokens(self) -> int:
        """Response tokens over all k whose weight is above 0."""
        if self.token_weights is None:
            return self.num_response_tokens
        return sum(weight > 0 for response in self.token_weights for weight in response)

    def freely_routed(self) -> Example:
        """The same where routers choose, as those of another model do."""
        return self if self.routing is None else replace(self, routing=None)

    def take(self, chosen: Sequence[int]) -> Example:
        """The same prompt with these of its responses only."""
        if list(chosen) == list(range(len(self.responses))):
            return self
        by_response: dict[str, Any] = {
            one.name: None if held is None else tuple(held[j] for j in chosen)
            for one in fields(self)
            if one.name != "encoded"
            for held in [getattr(self, one.name)]
        }
        return replace(self, **by_response)

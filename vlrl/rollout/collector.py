"""Problems → groups: encode once, generate, and refuse what the engine did not read as the trainer will."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from vlrl.errors import EngineError, NonFiniteError
from vlrl.model.finite import LOGITS_REMEDY
from vlrl.model.prompts.encode import Encode, Encoded, EncodedImage
from vlrl.rollout.engine import Generates, Request, Sampling
from vlrl.seeding import derive_seed
from vlrl.types import Group, Problem, Rollout, Segment


def collect(
    encode: Encode,
    engine: Generates,
    problems: Sequence[Problem],
    sampling: Sampling,
    k: int,
    seed: int | Sequence[int],
    begins: Sequence[Sequence[int]] | None = None,
) -> list[Group]:
    """k rollouts of every problem, in order.

    seed    that of each request comes from it, the problem and its index; or one for each problem
    begins  token ids that all responses to a problem begin with, as `forced`, beside what `sampling.max_tokens` allows;
            None: they begin with the policy's own

    Raises EngineError if the content hash that the engine read differs from the encoder's.
    """
    seeds = [derive_seed(seed, p.id, i) for i, p in enumerate(problems)] if isinstance(seed, int) else seed
    encoded = encode(problems)
    requests = [
        begun(Request(one, k, sampling, seed), () if begins is None else begins[i])
        for i, (one, seed) in enumerate(zip(encoded, seeds, strict=True))
    ]
    responses = responses_of(engine, requests, problems)
    return [Group(*parts) for parts in zip(problems, responses, encoded, strict=True)]


def begun(request: Request, token_ids: Sequence[int]) -> Request:
    """The request with responses that begin with these tokens; without any as it is."""
    if not token_ids:
        return request
    forced = Segment(tuple(token_ids), (0.0,) * len(token_ids), 0, "forced")
    begin = Rollout((forced,), "", "unfinished", request.encoded.content_hash)
    budget = request.sampling.max_tokens + len(token_ids)
    k = request.num_rollouts
    return replace(request, resume_from=(begin,) * k, max_tokens=(budget,) * k)


def responses_of(
    engine: Generates, requests: Sequence[Request], problems: Sequence[Problem]
) -> list[tuple[Rollout, ...]]:
    """The engine's k responses to each request.

    Raises NonFiniteError that names the problem of a response whose numbers aren't finite, and EngineError as
    `check_content` does.
    """
    try:
        responses = list(engine.generate(requests))
    except NonFiniteError as error:
        raise error.at("rollout") from None
    for problem, request, rollouts in zip(problems, requests, responses, strict=True):
        for number, rollout in enumerate(rollouts):
            check_response(problem, request, number, rollout)
    return responses


def check_response(problem: Problem, request: Request, number: int, rollout: Rollout) -> None:
    """Raises NonFiniteError and EngineError as `responses_of` does."""
    check_content(problem, request.encoded, rollout, request.observed(number))
    if not math.isfinite(math.fsum(rollout.sampler_logprobs)):
        token = next(t for t, value in enumerate(rollout.sampler_logprobs) if not math.isfinite(value))
        raise NonFiniteError(
            f"rollout, problem {problem.id}, response {number}, token {token}",
            f"the engine's log-probability is {rollout.sampler_logprobs[token]}",
            LOGITS_REMEDY,
        )


def check_content(problem: Problem, encoded: Encoded, rollout: Rollout, observed: Sequence[EncodedImage] = ()) -> None:
    """Raises EngineError unless the engine read the very tokens and pixels that the trainer will read: those of the
    prompt, and the `observed` images behind it.
    """
    expected = encoded.hash_again(observed) if observed else encoded.content_hash
    if rollout.content_hash != expected:
        raise EngineError(
            f"problem {problem.id}" + (f", with {len(observed)} images of observations" if observed else ""),
            f"the engine read content {rollout.content_hash or '(it names none)'}, the encoder made {expected}",
            "engine and trainer must share one processor output; check versions and image budget",
        )


def check_same_content(place: str, before: str, again: Encoded) -> None:
    """Raises EngineError unless a prompt that was encoded again has the content hash that it had `before`."""
    if again.content_hash != before:
        raise EngineError(
            place,
            f"encoded again its content is {again.content_hash}, it was {before}: other tokens or pixels",
            "look for an image file, an image budget or a processor that has changed; where the change is wanted, "
            "start a fresh run",
        )


class AsksForRouting:
    """`engine` with `record_routing` in all requests: its rollouts say which experts their tokens went to."""

    def __init__(self, engine: Generates) -> None:
        self._engine = engine

    def generate(self, requests: Sequence[Request]) -> list[tuple[Rollout, ...]]:
        """Raises EngineError for a rollout that names no experts."""
        responses = list(self._engine.generate([replace(request, record_routing=True) for request in requests]))
        if any(rollout.routing is None for rollouts in responses for rollout in rollouts):
            raise EngineError(
                "rl.replay_routing", f"{type(self._engine).__name__} names no experts", "leave rl.replay_routing out"
            )
        return responses

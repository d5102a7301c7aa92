"""The rollout engine: writes tokens, knows no rewards. Every engine passes one protocol test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Protocol, runtime_checkable

from pydantic import Field

from vlrl.config import Settings
from vlrl.errors import EngineError
from vlrl.rollout.repetition import Repetition
from vlrl.seeding import derive_seed
from vlrl.types import FinishReason, Rollout, Routing, Segment


class Sampling(Settings):
    """How responses are drawn. Temperature 0 is greedy; log-probabilities are then those at temperature 1."""

    temperature: float = Field(default=1.0, ge=0.0, description="0 (greedy) or above")
    top_p: float = Field(default=1.0, gt=0.0, le=1.0, description="above 0, at most 1")
    max_tokens: int = Field(default=64, ge=1, description="response tokens at most, the end token included")
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = Field(default=(), description="texts that end a response")
    repetition: Repetition | None = Field(default=None, description="when a loop ends a response; null: never")


@dataclass(frozen=True)
class Request:
    """k responses of one encoded prompt, from their beginning or from where an earlier call left them.

    encoded       what the encoder made of the problem (opaque to this layer but for the engine that reads it)
    num_rollouts  k
    seed          root of this request's randomness: the same request gives the same tokens in any batch
    max_tokens    token budget of a response over all its segments: one number for all, or one for each of the k. A
                  response that reaches it ends with `length`
    resume_from   None, or the k rollouts as an earlier call returned them, with whatever an environment has put behind
                  their last segments (observations, with images). The engine reads prompt, tokens and images of those
                  whose ending is `unfinished` and writes on: earlier segments come back as they were, what this call
                  adds is one more segment of its present version. The others come back untouched
    new_tokens    tokens that this call may add to a response, one number for all or one for each of the k, or None: up
                  to its budget. A response that has added them and hasn't ended comes back `unfinished`
    attempts      how often each of the k was begun again behind tokens that it keeps (`rollout/boundaries/`): another
                  attempt draws other tokens. None: no response was
    record_routing  whether rollouts say which experts their tokens went to (`Rollout.routing`)
    early_exit_below  a permission to return early: once no response waits for a slot and fewer than this share of the
                  slots is busy, what is still being written may come back `unfinished`. 0: never
    expected_tokens  a prediction of what this call adds to the longest response, and a hint: of requests that may begin
                  an engine begins the longest first, if it doesn't take them in the order of the call. None: unknown

    Token t of response i depends on (seed, i, attempt, t), so that under one policy any cut into calls gives the tokens
    of one long call. An engine whose sampler can't be placed at token t draws from `seed_of(i, t)` from there on; its
    greedy responses still don't depend on the cuts.
    """

    encoded: Any
    num_rollouts: int
    sampling: Sampling
    seed: int
    max_tokens: tuple[int, ...] | None = None
    resume_from: tuple[Rollout, ...] | None = None
    new_tokens: int | tuple[int, ...] | None = None
    early_exit_below: float = 0.0
    attempts: tuple[int, ...] | None = None
    record_routing: bool = False
    expected_tokens: float | None = None

    def seed_of(self, index: int, *branch: int) -> int:
        """Root of the randomness of response `index` in its present attempt, or of a `branch` of it."""
        attempt = 0 if self.attempts is None else self.attempts[index]
        again = ("attempt", attempt) if attempt else ()
        return derive_seed(self.seed, "rollout", index, *again, *branch)

    def budget(self, index: int) -> int:
        """Token budget of response `index`."""
        return self.sampling.max_tokens if self.max_tokens is None else self.max_tokens[index]

    def written(self, index: int) -> tuple[int, ...]:
        """Tokens of response `index` that earlier calls wrote."""
        return () if self.resume_from is None else self.resume_from[index].token_ids

    def observed(self, index: int) -> tuple[Any, ...]:
        """Encoded images of the observations in response `index`."""
        return () if self.resume_from is None else self.resume_from[index].encoded_images

    def turn_start(self, index: int) -> int:
        """First token of the turn that this call writes: stop strings, loops and the text are looked for from there."""
        return 0 if self.resume_from is None else self.resume_from[index].turn_start

    def longer(self, index: int, rollout: Rollout) -> Request:
        """The same where response `index` goes on behind this one."""
        before = self.resume_from or (Rollout((), "", "unfinished"),) * self.num_rollouts
        return replace(self, resume_from=(*before[:index], rollout, *before[index + 1 :]))

    def room(self, index: int) -> int:
        """Tokens that this call may add to response `index`: 0 where it has ended."""
        if self.resume_from is not None and self.resume_from[index].finish_reason != "unfinished":
            return 0
        left = self.budget(index) - len(self.written(index))
        new = self.new_tokens[index] if isinstance(self.new_tokens, tuple) else self.new_tokens
        return left if new is None else min(left, new)


def check_request(index: int, request: Request) -> None:
    """Raises EngineError unless request number `index` asks for rollouts that can be written."""
    k, budgets, resume_from = request.num_rollouts, request.max_tokens, request.resume_from
    if k < 1:
        raise EngineError(f"request {index}", f"asks for {k} rollouts", "ask for at least one")
    if budgets is not None and (len(budgets) != k or min(budgets) < 1):
        raise EngineError(
            f"request {index}, max_tokens",
            f"{budgets} for {k} rollouts",
            "give each rollout a budget of at least one token",
        )
    new = request.new_tokens if isinstance(request.new_tokens, tuple) else (request.new_tokens,) * k
    if len(new) != k or any(one is not None and one < 1 for one in new):
        raise EngineError(
            f"request {index}, new_tokens", f"{request.new_tokens} for {k} rollouts", "allow each at least one token"
        )
    if request.attempts is not None and (len(request.attempts) != k or min(request.attempts) < 0):
        raise EngineError(f"request {index}, attempts", f"{request.attempts} for {k} rollouts", "number each from 0 on")
    if resume_from is not None and len(resume_from) != k:
        raise EngineError(
            f"request {index}, resume_from", f"{len(resume_from)} of {k} rollouts", "give all of them, ended or not"
        )
    for i, rollout in enumerate(resume_from or ()):
        if rollout.finish_reason == "unfinished" and rollout.num_tokens >= request.budget(i):
            raise EngineError(
                f"request {index}, rollout {i}",
                f"has {rollout.num_tokens} tokens, its budget is {request.budget(i)}",
                "continue with the max_tokens that it was begun with",
            )


def check_requests(requests: Sequence[Request], context: int) -> None:
    """Raises EngineError unless all requests can be written within the model's context."""
    for r, request in enumerate(requests):
        check_request(r, request)
        longest = max(request.budget(i) for i in range(request.num_rollouts))
        if request.encoded.num_tokens + longest > context:
            raise EngineError(
                f"request {r}, problem {request.encoded.problem_id}",
                f"prompt {request.encoded.num_tokens} + budget {longest} tokens exceed the context of {context}",
                "lower the recipe's image.max_pixels or sampling.max_tokens, or raise model.context",
            )


def joined(
    resume_from: Rollout | None,
    segment: Segment,
    text: str,
    finish_reason: FinishReason,
    content_hash: str,
    routing: Routing | None = None,
) -> Rollout:
    """What earlier calls wrote and what this one added, which may be nothing; `text` is that of the whole turn."""
    earlier = () if resume_from is None else resume_from.segments
    segments = (*earlier, segment) if segment.token_ids or not earlier else earlier
    episode = None if resume_from is None else resume_from.episode
    return Rollout(segments, text, finish_reason, content_hash, episode, routing)


class Generates(Protocol):
    """Writes responses: the k of each request, in request order.

    Each one that it wrote to names the content that it read (`Rollout.content_hash`): the engine computes the hash from
    the tokens and pixels that it has, in its own process.
    """

    def generate(self, requests: Sequence[Request]) -> list[tuple[Rollout, ...]]: ...


class NextTurns(Protocol):
    """Who makes responses longer while an engine writes others.

    `ended` is told of each that this call has written as far as it may. `longer` gives those that may be written on,
    by request and index: `unfinished`, as in `Request.resume_from`; with `wait` at least one, unless none is to come.
    """

    def ended(self, request: int, index: int, rollout: Rollout) -> None: ...

    def longer(self, wait: bool) -> list[tuple[int, int, Rollout]]: ...


@runtime_checkable
class GeneratesTurns(Generates, Protocol):
    """Goes on with responses within a call, as soon as they are longer, while it writes others. Their tokens are those
    of separate calls; log-probabilities may differ in their last digits, with the batch that read them.
    """

    def generate_turns(self, requests: Sequence[Request], turns: NextTurns) -> list[tuple[Rollout, ...]]: ...


class RolloutEngine(Generates, Protocol):
    """Writes responses with weights that it is given. `load_weights` replaces the engine's weights by
    Hugging Face names and sets the version that new segments carry. `sleep` frees memory, `wake` takes it back. `close`
    ends what the engine started (processes, folders); twice is once, and nothing else works after it.
    `pop_metrics` gives rollout/slot_utilisation, the share of slots that wrote a token over the decode steps since
    the last asking, where slots are counted; counts of what was replaced or redone are since the engine was opened.
    With several ranks all of them ask together.
    """

    def load_weights(self, weights: Iterable[tuple[str, Any]], version: int) -> None: ...

    def sleep(self) -> None: ...

    def wake(self) -> None: ...

    def close(self) -> None: ...

    def pop_metrics(self) -> dict[str, float]: ...

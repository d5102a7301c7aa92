"""Responses while vLLM writes them: what has been written, and whether it ends by something that vLLM doesn't watch.

vLLM ends a response at an end token or at its number of tokens. Stop strings and loops may begin in an earlier call,
whose tokens vLLM reads as a prompt; so they are looked for here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from vlrl.errors import EngineError
from vlrl.rollout.engine import Request, joined
from vlrl.rollout.repetition import LoopWatch
from vlrl.rollout.response_text import ends_in_stop_string, response_text
from vlrl.types import FinishReason, Rollout, Segment


class Writing:
    """Response `index` of a request from the first token that this call adds; `logprobs` are those of its tokens.

    content_hash  of the prompt, and of the images behind it, as the engine read them
    """

    def __init__(
        self, request: Request, index: int, tokenizer: Any, stop_ids: Collection[int], content_hash: str
    ) -> None:
        self._request, self._index, self._content_hash = request, index, content_hash
        self._tokenizer, self._stop_ids = tokenizer, stop_ids
        self._tokens = list(request.written(index))
        self._turn = request.turn_start(index)
        self.logprobs: list[float] = []
        self._watch: LoopWatch | None = None
        if request.sampling.repetition is not None:
            self._watch = LoopWatch()
            self._watch.join([self._tokens[self._turn :]], [request.sampling.repetition])
        self.finish_reason: FinishReason = "unfinished"

    @property
    def watched(self) -> bool:
        """Whether its tokens must be looked at one by one."""
        return bool(self._request.sampling.stop) or self._watch is not None

    def take(self, token: int, logprob: float) -> None:
        """One more token, unless the response has ended already."""
        if self.finish_reason != "unfinished":
            return
        self._tokens.append(token)
        self.logprobs.append(logprob)
        loops = self._watch is not None and bool(self._watch.push([token])[0])
        stop = self._request.sampling.stop
        if token in self._stop_ids or ends_in_stop_string(
            self._tokenizer, self._tokens[self._turn :] if stop else (), self._stop_ids, stop
        ):
            self.finish_reason = "stop"
        elif loops:
            self.finish_reason = "repeat"
        elif len(self._tokens) >= self._request.budget(self._index):
            self.finish_reason = "length"

    def rollout(self, version: int) -> Rollout:
        """Everything that was written, this call's tokens as one more segment."""
        request = self._request
        resume_from = None if request.resume_from is None else request.resume_from[self._index]
        added = len(self._tokens) - len(self.logprobs)
        segment = Segment(tuple(self._tokens[added:]), tuple(self.logprobs), version)
        text = response_text(self._tokenizer, self._tokens[self._turn :], self._stop_ids, request.sampling.stop)
        return joined(resume_from, segment, text, self.finish_reason, self._content_hash)


def sampling_params(request: Request, index: int, stop_ids: Collection[int], watched: bool) -> Any:
    """How vLLM is to write response `index`; `watched` ones are told of token by token."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    begins = len(request.written(index))  # vLLM's sampler can't be placed at a later token
    return SamplingParams(
        temperature=0.0 if request.sampling.temperature == 0 else 1.0,  # the model tempers its logits itself
        top_p=request.sampling.top_p,
        seed=request.seed_of(index, *((begins,) if begins else ())),
        max_tokens=request.room(index),
        stop_token_ids=list(stop_ids),
        ignore_eos=True,  # the model's end tokens are named above; a tokenizer may know others
        logprobs=0,  # of the sampled token alone
        detokenize=False,
        output_kind=RequestOutputKind.DELTA if watched else RequestOutputKind.FINAL_ONLY,
    )


def check_leaves(requests: Sequence[Request]) -> None:
    """vLLM tells most responses when they have ended, so what it would leave unfinished is not known: EngineError."""
    for r, request in enumerate(requests):
        if request.early_exit_below:
            raise EngineError(
                f"request {r}, early_exit_below",
                f"{request.early_exit_below}: vLLM leaves no response early",
                "early_exit_below: 0",
            )

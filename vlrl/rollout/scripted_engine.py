"""An engine that answers from a script: for tests, and for trying verifiers and recipes without a model.

    engine = ScriptedEngine({problem.id: ("<answer>7</answer>", "<answer>8</answer>")}, tokenizer)

Response j of a problem is text j of its script, from the start again where the script is shorter. The texts are
tokenised, cut at stop strings and budgets as any engine does it, and end with the end token where there is room for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from vlrl.errors import EngineError
from vlrl.rollout.engine import Request, check_request, joined
from vlrl.types import FinishReason, Rollout, Segment

Script = Mapping[str, Sequence[str]] | Callable[[str], Sequence[str]]


class ScriptedEngine:
    """RolloutEngine without a model. Equal requests get equal answers; temperature, top-p and seeds change nothing.

    script     problem id → its responses, as a mapping or a function
    tokenizer  of the model whose token ids the rollouts should carry
    stop_id    the id that ends a response; default: the tokenizer's end token
    logprob    the log-probability that every token is said to have
    """

    def __init__(self, script: Script, tokenizer: Any, stop_id: int | None = None, logprob: float = -1.0) -> None:
        self._script = script
        self._tokenizer = tokenizer
        self._stop_id = int(tokenizer.eos_token_id if stop_id is None else stop_id)
        self._logprob = logprob
        self.version = 0

    def generate(self, requests: Sequence[Request]) -> list[tuple[Rollout, ...]]:
        """k scripted responses per request, in request order. Raises EngineError for a problem without a script."""
        return [self._answer(index, request) for index, request in enumerate(requests)]

    def load_weights(self, weights: Iterable[tuple[str, Any]], version: int) -> None:
        """There is nothing to load; new segments carry `version`."""
        self.version = version

    def sleep(self) -> None:
        """Nothing to free."""

    def wake(self) -> None:
        """Nothing to take back."""

    def close(self) -> None:
        """Nothing to end."""

    def pop_metrics(self) -> dict[str, float]:
        """It has no slots."""
        return {}

    def _answer(self, index: int, request: Request) -> tuple[Rollout, ...]:
        check_request(index, request)
        name = request.encoded.problem_id
        texts = self._script(name) if callable(self._script) else self._script.get(name, ())
        if not texts:
            raise EngineError(
                f"request {index}",
                f"the script has 0 texts for problem {name}",
                "give every problem at least one text",
            )
        read = request.encoded.hash_again()
        return tuple(self._write(request, j, texts[j % len(texts)], read) for j in range(request.num_rollouts))

    def _write(self, request: Request, j: int, text: str, read: str) -> Rollout:
        resume_from = None if request.resume_from is None else request.resume_from[j]
        if resume_from is not None and resume_from.finish_reason != "unfinished":
            return resume_from
        ids = [*self._tokenizer(text, add_special_tokens=False)["input_ids"], self._stop_id]
        start, stop = len(request.written(j)), request.sampling.stop
        last = start + request.room(j)
        loop = request.sampling.repetition and request.sampling.repetition.first_loop(ids)
        for length in range(start + 1, len(ids) + 1):
            written = self._tokenizer.decode(ids[:length], clean_up_tokenization_spaces=False)
            ends = [written.find(s) + len(s) for s in stop if s in written]
            if ends and length < len(ids):
                return self._rollout(resume_from, ids[start:length], written[: min(ends)], "stop", read)
            if length == len(ids):
                return self._rollout(resume_from, ids[start:length], text, "stop", read)
            if length == loop:
                return self._rollout(resume_from, ids[start:length], written, "repeat", read)
            if length == last:
                finish_reason: FinishReason = "length" if length == request.budget(j) else "unfinished"
                return self._rollout(resume_from, ids[start:length], written, finish_reason, read)
        raise AssertionError("a response has at least its end token")

    def _rollout(
        self, resume_from: Rollout | None, ids: Sequence[int], text: str, finish_reason: FinishReason, read: str
    ) -> Rollout:
        segment = Segment(tuple(ids), (self._logprob,) * len(ids), self.version)
        return joined(resume_from, segment, text, finish_reason, read)

"""Episodes whose policy turns are given: the tools are called, the observations are real, no model writes."""

from __future__ import annotations

from collections.abc import Sequence

from vlrl.errors import DataError
from vlrl.model.load import LoadedModel
from vlrl.model.prompts.control_tokens import control_tokens
from vlrl.rollout.engine import Request, joined
from vlrl.types import FinishReason, Rollout, Segment


class ScriptedTurns:
    """`Generates`: turn t of a response is text t of the script that the request's seed is the number of.

    Names of control tokens in a text are read as text; every turn ends with the model's end token. A script that is
    shorter than its episode repeats its last turn.
    """

    def __init__(self, loaded: LoadedModel, scripts: Sequence[Sequence[str]]) -> None:
        self._scripts, self._stop = scripts, loaded.stop_ids[0]
        self._control = control_tokens(loaded.tokenizer, (*loaded.placeholder_ids, *loaded.stop_ids))

    def generate(self, requests: Sequence[Request]) -> list[tuple[Rollout, ...]]:
        """The next turn of every response that goes on. Raises DataError for a text that can't be read as text."""
        return [tuple(self._write(one, j) for j in range(one.num_rollouts)) for one in requests]

    def _write(self, request: Request, index: int) -> Rollout:
        begun = None if request.resume_from is None else request.resume_from[index]
        if begun is not None and begun.finish_reason != "unfinished":
            return begun
        script = self._scripts[request.seed]
        if not script:
            raise DataError(f"script {request.seed}", "has no turn", "give every episode at least one")
        turn = 0 if begun is None else begun.num_observations
        text = script[min(turn, len(script) - 1)]
        whole = [*self._control.read(text, f"script {request.seed}, turn {turn + 1}"), self._stop]
        ids = tuple(whole[: request.room(index)])
        reason: FinishReason = "stop"
        if len(ids) < len(whole):
            spent = len(request.written(index)) + len(ids)
            reason = "length" if spent >= request.budget(index) else "unfinished"
        content = request.encoded.hash_again(request.observed(index))
        return joined(begun, Segment(ids, (0.0,) * len(ids), 0), text, reason, content)

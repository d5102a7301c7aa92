"""`lmms-eval --model vlrl --model_args path=…`: our engine as a model of lmms-eval.

Imported by lmms-eval, or after it was found; it needs that library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lmms_eval.api.model import lmms

from vlrl.errors import ConfigError
from vlrl.evaluation.harness.answering import Answering, Ask
from vlrl.evaluation.harness.open_model import open_answering

MAX_TOKENS = 1024  # where neither the task nor model_args say


class VlrlLmms(lmms):  # type: ignore[misc]
    """Chat tasks of one turn. As in lmms-eval's other chat models `until` ends no response, and 0 is greedy.

    max_new_tokens  where the task says nothing
    answering       an engine that is awake; None: `path` and the rest of model_args open one
    """

    is_simple = False
    accelerator = None  # one process: lmms-eval then makes none of its own

    def __init__(
        self,
        answering: Answering | None = None,
        max_new_tokens: int = MAX_TOKENS,
        max_batch_size: int | None = None,
        **model_args: Any,
    ) -> None:
        super().__init__()
        self.answering = answering or open_answering("lmms-eval, --model_args", **model_args)
        self._max_new_tokens = int(max_new_tokens)

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """One response each, in order."""
        found: list[str] = []
        for start in range(0, len(requests), self.answering.batch):  # images of one batch at a time
            found += self.answering.write([self._ask(one) for one in requests[start : start + self.answering.batch]])
        return found

    def _ask(self, request: Any) -> Ask:
        _, to_messages, wanted, number, task, split = request.args
        messages = to_messages(self.task_dict[task][split][number])
        return ask_of(self.answering, messages, wanted, self._max_new_tokens, f"task {task}")

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """Chat tasks of lmms-eval have none."""
        raise ConfigError("lmms-eval", "asks for log-likelihoods", "name tasks of output_type generate_until")

    def generate_until_multi_round(self, requests: Sequence[Any]) -> list[str]:
        """Refused."""
        raise ConfigError("lmms-eval", "asks in several rounds", "name tasks of output_type generate_until")

    def clean(self) -> None:
        """The engine is awake for the one that opened it: nothing is let go of."""


def ask_of(
    answering: Answering, messages: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any], most: int, place: str
) -> Ask:
    """A conversation and a task's generation_kwargs. Raises ConfigError for beam search."""
    if int(wanted.get("num_beams") or 1) != 1:
        raise ConfigError(place, f"asks for {wanted['num_beams']} beams", "vlrl's engines sample or are greedy")
    temperature = float(wanted.get("temperature") or 0.0)
    top_p = float(wanted.get("top_p") or 1.0) if temperature else 1.0
    tokens = int(wanted.get("max_new_tokens") or most)
    return Ask(answering.read_chat(messages, place), tokens, temperature, top_p)

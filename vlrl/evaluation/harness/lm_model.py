"""Our engine as a model of lm-evaluation-harness: text tasks, by generation and by log-likelihood.

Imported only where that library was found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval.api.model import TemplateLM
from lm_eval.api.registry import register_model
from lm_eval.models.utils import normalize_gen_kwargs
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from vlrl.errors import ConfigError
from vlrl.evaluation.harness.answering import Answering, Ask
from vlrl.evaluation.harness.open_model import open_answering

MAX_TOKENS = 256  # where a task says nothing: the harness's own default


@register_model("vlrl")
class VlrlLM(TemplateLM):  # type: ignore[misc]
    """Tokens and cuts are those of the harness's own wrapper of transformers.

    answering  an engine that is awake; None: `path` and the rest of model_args open one
    """

    def __init__(
        self, answering: Answering | None = None, max_batch_size: int | None = None, **model_args: Any
    ) -> None:
        super().__init__()
        self.answering = answering or open_answering("lm_eval, --model_args", **model_args)
        self.tokenizer = self.answering.loaded.tokenizer
        self._device = self.answering.loaded.device

    @property
    def eot_token_id(self) -> int:
        """The tokenizer's end token."""
        return int(self.tokenizer.eos_token_id)

    @property
    def prefix_token_id(self) -> int:
        """What stands before a text without context."""
        begin = self.tokenizer.bos_token_id
        return self.eot_token_id if begin is None else int(begin)

    @property
    def max_length(self) -> int:
        """Prompt and response tokens that fit."""
        return self.answering.loaded.context

    @property
    def tokenizer_name(self) -> str:
        """Names the chat template in the harness's cache of requests."""
        return str(self.tokenizer.name_or_path).replace("/", "__")

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        """Token ids; by default with what the tokenizer itself puts around a text, but for a text that begins so."""
        if add_special_tokens is None:
            begins = string.startswith(self.tokenizer.decode([self.prefix_token_id]))
            add_special_tokens = not begins
        ids: list[int] = self.tokenizer.encode(string, add_special_tokens=add_special_tokens)
        return ids

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """By the model's own template."""
        written: str = self.tokenizer.apply_chat_template(
            chat_history,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            continue_final_message=not add_generation_prompt,
        )
        return written

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[Any, list[int], list[int]]], disable_tqdm: bool = False, **more: Any
    ) -> list[tuple[float, bool]]:
        found = self.answering.loglikelihoods([(context, continuation) for _, context, continuation in requests])
        for (key, _, _), answer in zip(requests, found, strict=True):
            if key is not None:
                self.cache_hook.add_partial("loglikelihood", key, answer)
        return found

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[float]:
        """Of whole texts, in windows of the context's length."""
        found = []
        for request in requests:
            windows = get_rolling_token_windows(
                token_list=self.tok_encode(request.args[0]),
                prefix_token=self.prefix_token_id,
                max_seq_len=self.max_length,
                context_len=1,
            )
            pairs = [make_disjoint_window(window) for window in windows]
            found.append(sum(value for value, _ in self.answering.loglikelihoods(pairs)))
            self.cache_hook.add_partial("loglikelihood_rolling", request.args, found[-1])
        return found

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """One response each, in order."""
        found = self.answering.write([self._ask(request.args) for request in requests])
        for request, text in zip(requests, found, strict=True):
            self.cache_hook.add_partial("generate_until", request.args, text)
        return found

    def _ask(self, args: tuple[Any, ...]) -> Ask:
        """A context shortened from the left where it leaves too little room, as the harness does it."""
        if len(args) > 2:
            raise ConfigError("lm_eval", "asks with images", "lmms-eval has such tasks: eval.harness.lmms")
        text, wanted = args[0], dict[str, Any](normalize_gen_kwargs(_mapping(args[1]), MAX_TOKENS))
        tokens = int(wanted["max_gen_toks"])
        room = self.max_length - tokens
        if room < 1:
            raise ConfigError(
                "lm_eval", f"asks for {tokens} tokens, the context holds {self.max_length}", "raise model.context"
            )
        temperature = float(wanted.get("temperature") or 0.0) if wanted.get("do_sample") else 0.0
        top_p = float(wanted.get("top_p") or 1.0) if temperature else 1.0
        stop = tuple(one for one in wanted.get("until") or () if one)
        return Ask(self.answering.read_tokens(self.tok_encode(text)[-room:]), tokens, temperature, top_p, stop)


def _mapping(given: Any) -> dict[str, Any]:
    return dict(given) if isinstance(given, Mapping) else {}

"""Rollouts with transformers' own modules, on CPU and CUDA: k responses for one encoding of images and prompt.

Every unique image goes through the vision tower once a call and every prompt through one prefill; its k responses
decode against that one copy of its keys and values. A finished response leaves the batch at once and a waiting one
takes its slot; a prompt leaves with its last response.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

import torch

from vlrl.errors import EngineError, NonFiniteError
from vlrl.model.cost import cost_of
from vlrl.model.decoding.decode_step import DecodeStep, single_layers
from vlrl.model.decoding.onednn_linear import packed_layers, packed_products
from vlrl.model.decoding.prefill_last_token import cache_argument
from vlrl.model.decoding.supported_decoders import what_is_unknown
from vlrl.model.experts.routers import Routers
from vlrl.model.finite import LOGITS_REMEDY
from vlrl.model.load import LoadedModel
from vlrl.model.optimization.lora import has_adapters
from vlrl.model.prompts.positions import PositionRule
from vlrl.model.training.logprobs import head_logits
from vlrl.model.vision.image_encoding import VisionTower
from vlrl.rollout.engine import NextTurns, Request, check_requests
from vlrl.rollout.response_text import ends_in_stop_string
from vlrl.rollout.slot_utilization import SlotCount
from vlrl.rollout.transformers.decode_graph import DecodeGraphs, by_step
from vlrl.rollout.transformers.expert_recording import Recorder, recorded_experts
from vlrl.rollout.transformers.prefill import Prefill
from vlrl.rollout.transformers.running_batch import RunningBatch, RunningResponse
from vlrl.rollout.transformers.scheduler import Queue
from vlrl.rollout.transformers.slot_filling import SlotFilling
from vlrl.rollout.transformers.state_decoding import StateDecoding
from vlrl.rollout.transformers.transformers_settings import TransformersEngineSettings
from vlrl.rollout.transformers.written_responses import Written, running
from vlrl.types import Rollout

# reads the tokens (N,) that were just written: (N, d), what predicts the next ones
Reader = Callable[[RunningBatch, torch.Tensor], torch.Tensor]


class TransformersEngine:
    """RolloutEngine over a transformers model. Over the trainer's own model `load_weights` only notes the version."""

    def __init__(self, loaded: LoadedModel, settings: TransformersEngineSettings | None = None) -> None:
        self._loaded = loaded
        self._model = loaded.model
        self._settings = settings or TransformersEngineSettings()
        self._rule, self._routers = PositionRule(loaded.model), Routers(loaded.model)
        self._cost = cost_of(loaded.config, loaded.model, trained=(), checkpointed=False)
        self.tower = VisionTower(loaded.model, loaded.store)
        first = loaded.config.get_text_config().per_layer_config[0]  # layers with other heads copy prompts
        self._per_group = first.num_attention_heads // first.num_key_value_heads
        self._forbidden = torch.tensor(loaded.placeholder_ids, device=loaded.device, dtype=torch.long)
        self._stop_ids = frozenset(loaded.stop_ids)
        self.version = 0
        self._slots = SlotCount()
        self.tokens_written = 0

    # -- the protocol -------------------------------------------------------------------------------------------------

    def load_weights(self, weights: Iterable[tuple[str, Any]], version: int) -> None:
        """Copy tensors in by Hugging Face name; a tensor that already is the model's own costs nothing.

        Raises EngineError for an unknown name, another shape or a missing parameter: a mixture of old and new weights
        would be a policy that was never trained.
        """
        if has_adapters(self._model) or self._loaded.shards is not None:
            # the trainer's own model: its adapters, or the shards that it reads through, are at work already
            self.version = version
            return
        own = dict(self._model.named_parameters())
        missing = set(own)
        with torch.no_grad():
            for name, tensor in weights:
                if name not in own:
                    raise EngineError("load_weights", f"the engine's model has no parameter {name!r}")
                if own[name].shape != tensor.shape:
                    raise EngineError(
                        "load_weights", f"{name}: shape {tuple(tensor.shape)}, here {tuple(own[name].shape)}"
                    )
                if own[name].data_ptr() != tensor.data_ptr():
                    own[name].copy_(tensor)
                missing.discard(name)
        if missing:
            raise EngineError("load_weights", f"{len(missing)} parameters are missing, e.g. {min(missing)!r}")
        self.version = version

    def sleep(self) -> None:
        """Give cached device memory back; between calls the engine holds no keys and values."""
        if self._loaded.device.type == "cuda":
            torch.cuda.empty_cache()

    def wake(self) -> None:
        """Nothing to take back."""

    @property
    def decode_step(self) -> Literal["own", "model"]:
        """What the next call decodes by. Raises EngineError where `own` is asked for and can't be."""
        if self._settings.decode_step == "model":
            return "model"
        unknown = what_is_unknown(self._model)
        if unknown and self._settings.decode_step == "own":
            raise EngineError("engine.decode_step", f"own doesn't know {unknown}", "decode_step: auto, or model")
        return "model" if unknown else "own"

    def close(self) -> None:
        """The engine started nothing; the model is the caller's."""

    def pop_metrics(self) -> dict[str, float]:
        """rollout/slot_utilisation since the last call of this."""
        return self._slots.pop_metrics()

    def generate(self, requests: Sequence[Request]) -> list[tuple[Rollout, ...]]:
        """k responses per request, in request order."""
        return self._generate(requests, None)

    def generate_turns(self, requests: Sequence[Request], turns: NextTurns) -> list[tuple[Rollout, ...]]:
        """The same; a response that ended goes on as soon as it is longer. Raises EngineError for a recurrent model,
        whose requests are written one by one.
        """
        if self._rule.recurrent:
            raise EngineError("environment.next_turn", "the model has recurrent layers", "next_turn: together")
        return self._generate(requests, turns)

    @torch.inference_mode()
    def _generate(self, requests: Sequence[Request], turns: NextTurns | None) -> list[tuple[Rollout, ...]]:
        check_requests(requests, self._loaded.context)
        was_training = self._model.training
        self._model.eval()
        written = Written(requests, self._loaded.tokenizer, self._stop_ids, self.version, turns)
        try:
            known = self.decode_step == "own"
            if not known and self._settings.decode_step == "auto" and self._loaded.shards is None:
                warnings.warn(
                    "engine: tokens are read by the model's own forward pass, which is slower: "
                    f"decode_step: own doesn't know {what_is_unknown(self._model)}",
                    stacklevel=3,
                )
            with recorded_experts(self._routers, requests) as experts:
                if self._rule.recurrent:
                    written.started += self._decode_states(requests, experts)
                else:
                    with self._reader(known) as read_written:
                        self._decode(written, self._prefill(known), read_written, experts)
        finally:
            self._model.train(was_training)
        return written.rollouts(experts)

    def _prefill(self, known: bool) -> Prefill:
        return Prefill(self._loaded, self.tower, self._rule, known)

    @contextmanager
    def _reader(self, known: bool) -> Iterator[Reader]:
        """The way in which this call reads the tokens that it writes; meanwhile weights lie in the order that suits
        few rows.
        """
        if not known:
            with packed_products(packed_layers(self._model)):
                yield self._by_model
            return
        with packed_products(single_layers(self._model)) as packed:
            step = DecodeStep(self._model, packed)
            by_graph = self._loaded.device.type == "cuda" and self._settings.cuda_graphs
            yield DecodeGraphs(step) if by_graph else partial(by_step, step)

    # -- slots --------------------------------------------------------------------------------------------------------

    def _decode(self, written: Written, prefill: Prefill, read_written: Reader, experts: Recorder) -> None:
        """Write every response that has room, until it ends, its room is used up, or an early exit is allowed."""
        requests, settings = written.requests, self._settings
        queue = Queue(requests, settings.max_num_seqs, settings.max_num_batched_tokens)
        early_exit_below = min((request.early_exit_below for request in requests), default=0.0) * queue.slots
        live = RunningBatch(self._loaded.device, self._per_group, self._rule.patterns, self._rule.sources)
        filling = SlotFilling(live, queue, written, prefill, self._cost, settings.max_num_batched_tokens)
        steps = tokens_written = 0
        while queue or live.rows or written.may_come:
            for r, i in written.longer(wait=not queue and not live.rows):
                queue.add(r, i)
            if queue and len(live.rows) < queue.slots:
                filling.fill(experts)
            if not live.rows:
                continue  # nothing came
            tokens, chosen = self._draw(live)
            steps += 1
            tokens_written += sum(row.goes_on for row in live.rows)
            going = self._write(live, tokens.tolist(), chosen.tolist(), requests)
            written.tell(live.rows)
            busy = sum(going)
            if not queue and busy < max(early_exit_below, 1) and not written.may_come:
                break
            if not busy or busy < len(live.rows) * (1 - (0.0 if queue else settings.drop_share)):
                tokens = tokens[live.keep(going, queue.waiting)]
            if live.rows:
                live.hidden = read_written(live, tokens)
                experts.read_written(live.rows)
                live.position, live.step = live.position + 1, live.step + 1
        self._slots.add(tokens_written, steps, queue.slots)
        self.tokens_written += tokens_written

    def _draw(self, live: RunningBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """(N,) the next token of every row, and its log-probability."""
        return live.draw(head_logits(self._model, live.hidden), self._forbidden)

    def _decode_states(self, requests: Sequence[Request], experts: Recorder) -> list[RunningResponse]:
        """The same with recurrent layers, request by request."""
        decoding = StateDecoding(self._loaded, self.tower, self._rule, self._settings.max_num_seqs)
        started = decoding.run(requests, running, self._draw, self._write, experts)
        self._slots.add(decoding.tokens, decoding.steps, min(self._settings.max_num_seqs, max(1, len(started))))
        self.tokens_written += decoding.tokens
        return started

    def _by_model(self, live: RunningBatch, tokens: torch.Tensor) -> torch.Tensor:
        """By the model's own forward pass."""
        live.mask_own()
        hidden: torch.Tensor = self._model.model(
            input_ids=tokens[:, None],
            position_ids=live.position.expand(3, -1)[:, :, None] if self._rule.rows > 1 else live.position[:, None],
            use_cache=True,
            attention_mask=tokens.new_zeros(1, 1, 1, 1, dtype=live.hidden.dtype),  # passed through; the parts need none
            shared_prefix=live.prefix,
            **{cache_argument(self._model.model): live.cache},
        ).last_hidden_state
        return hidden[:, 0]

    def _write(
        self, live: RunningBatch, tokens: Sequence[int], logprobs: Sequence[float], requests: Sequence[Request]
    ) -> list[bool]:
        """Append one token to every row that is still being written; returns which rows go on.

        Raises NonFiniteError, with problem, response and token, for a log-probability that isn't finite.
        """
        going = []
        tokenizer = self._loaded.tokenizer
        loops = live.watch.push(tokens).tolist() if live.watched else [False] * len(tokens)
        for row, token, logprob, loops_now in zip(live.rows, tokens, logprobs, loops, strict=True):
            if not row.goes_on:
                going.append(False)
                continue
            if not math.isfinite(logprob):
                asked = requests[row.request].encoded.problem_id
                raise NonFiniteError(
                    f"problem {asked}, response {row.index}, token {len(row.tokens)}",
                    f"its log-probability is {logprob}: the model's logits are not finite",
                    LOGITS_REMEDY,
                )
            row.tokens.append(token)
            row.logprobs.append(logprob)
            stop = requests[row.request].sampling.stop
            turn = row.tokens[row.turn :] if stop else row.tokens
            if token in self._stop_ids or ends_in_stop_string(tokenizer, turn, self._stop_ids, stop):
                row.finish_reason = "stop"
            elif loops_now:
                row.finish_reason = "repeat"
            elif len(row.tokens) >= row.budget:
                row.finish_reason = "length"
            going.append(row.goes_on)
        return going

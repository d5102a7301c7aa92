"""Rollouts with vLLM, in the trainer's process: paged keys and values, continuous batching, prompts read once.

The engine holds weights of its own. They are refreshed in place from the policy's tensors, without a disk; the caches
of prompts, images and vision outputs are forgotten with them. vLLM reads the encoder's own tokens and patches.

Responses are seeded one by one. The same requests in the same call give the same tokens; in another batch a matrix
product may round differently, so a token whose probability lies within that rounding can differ. That is all that vLLM
promises, and less than the transformers engine does.

On several ranks each has its engine, or its part of one (tensor parallel). They start, end and take weights together;
while it writes, a rank waits only for those of its engine. Where an engine fails, all ranks replace theirs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch

from vlrl import dist
from vlrl.errors import EngineError, EngineFailedError
from vlrl.model.batch.example import observations_of
from vlrl.model.families.family import family_of
from vlrl.model.load import LoadedModel
from vlrl.model.optimization.lora import has_adapters, plain_weights
from vlrl.model.sharding.streamed_saving import help_saving
from vlrl.rollout.engine import NextTurns, Request, check_requests
from vlrl.rollout.engine_registry import require_engine
from vlrl.rollout.slot_utilization import SlotCount
from vlrl.rollout.vllm import vllm_library as library
from vlrl.rollout.vllm.vllm_inputs import PromptReader
from vlrl.rollout.vllm.vllm_responses import Writing, check_leaves, sampling_params
from vlrl.rollout.vllm.vllm_settings import CPU_CACHE_GIB, VllmEngineSettings
from vlrl.types import Rollout

T = TypeVar("T")


class VllmEngine:
    """RolloutEngine over vLLM. Until the first `load_weights` it writes with the weights of the loaded model."""

    def __init__(self, loaded: LoadedModel, settings: VllmEngineSettings | None = None) -> None:
        """Raises ConfigError where vLLM, the architecture or the device doesn't fit; nothing is started."""
        self._loaded = loaded
        self._settings = settings or VllmEngineSettings()
        require_engine(self._settings)  # before anything of the model is read
        self._settings.check_ranks(dist.world())
        self._settings.check(loaded.config, loaded.device, loaded.context, loaded.dtype)
        if loaded.device.type == "cuda":
            there = torch.cuda.mem_get_info(loaded.device)[1]
            weights = sum(p.numel() for p in loaded.model.parameters()) * loaded.dtype.itemsize
            self._settings.check_memory(loaded.config, loaded.device, loaded.context, loaded.dtype, there, weights)
        self._shapes = {name: tuple(p.shape) for name, p in loaded.model.named_parameters()}
        self._aliases = library.tied_names(loaded.model)
        self._weights: Iterable[tuple[str, torch.Tensor]] | None = None  # None: those that the loaded model has now
        self._described: tempfile.TemporaryDirectory[str] | None = None
        self._engine: Any = None
        self._reader: PromptReader | None = None
        self._asleep = self._closed = False
        self._current = False  # whether the engine holds the weights
        self._count = 0
        self.version = 0
        self.restarted = 0  # engines that were started after one had failed
        self._slots = SlotCount()
        self.prompt_tokens_reused = 0  # prompt tokens that came from the prefix cache

    # -- the protocol -------------------------------------------------------------------------------------------------

    def load_weights(self, weights: Iterable[tuple[str, Any]], version: int) -> None:
        """Refresh the weights in place and forget all caches. They are kept by reference until the next refresh; where
        the loaded model has adapters they are copies with the adapters added in, and made again if needed again. With
        weights in shards they are those of the loaded model, go into the engine one after another as they are gathered,
        and are gathered again if needed again.

        Raises EngineError for an unknown name, another shape, or a parameter that is missing; before anything changes,
        but for shards.
        """
        in_shards = self._loaded.shards is not None
        self._weights = self._checked(weights) if in_shards else list(self._checked(weights))
        self._current, self.version = False, version
        try:
            if not self._asleep:
                self._replacing(self._ready)
        finally:
            if in_shards or has_adapters(self._loaded.model):
                self._weights = None

    def _checked(self, weights: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, torch.Tensor]]:
        missing = set(self._shapes)
        for name, tensor in weights:
            if name not in self._shapes:
                raise EngineError("load_weights", f"the engine's model has no parameter {name!r}")
            if self._shapes[name] != tuple(tensor.shape):
                raise EngineError("load_weights", f"{name}: shape {tuple(tensor.shape)}, here {self._shapes[name]}")
            missing.discard(name)
            yield name, tensor
        if missing:
            raise EngineError("load_weights", f"{len(missing)} parameters are missing, e.g. {min(missing)!r}")

    def sleep(self) -> None:
        """Give memory back, as the setting `sleep` says."""
        if self._asleep or self._engine is None:
            return
        if self._settings.sleep == "restart":
            self._end()
        elif self._settings.sleep == "release":
            self._engine.sleep(level=2)  # the policy brings the weights back, so no copy of them is kept
            self._current = False
        self._asleep = True

    def wake(self) -> None:
        """Take memory back; weights follow with `load_weights`, or at the latest with `generate`.

        Raises EngineFailedError as `generate` does; an engine that can't wake up is replaced when weights follow.
        """
        if self._asleep and self._settings.sleep == "release":
            self._replacing(self._wake_up)
        self._asleep = False

    def generate(self, requests: Sequence[Request]) -> list[tuple[Rollout, ...]]:
        """k responses per request, in request order. A failed engine is replaced as often as `restarts` says. Every
        rank comes, be it without requests; those of one engine bring the same ones.

        Raises EngineFailedError where it fails once more, EngineError for a request that can't be answered.
        """
        self._check(requests)
        return self._replacing(lambda: self._generate(requests))

    def generate_turns(self, requests: Sequence[Request], turns: NextTurns) -> list[tuple[Rollout, ...]]:
        """The same; a response that ended goes on as soon as it is longer. The engine isn't replaced: what tools were
        told can't be told again.
        """
        self._check(requests)
        return self._replacing(lambda: self._generate(requests, turns), restarts=0)

    def _check(self, requests: Sequence[Request]) -> None:
        check_requests(requests, self._loaded.context)
        check_leaves(requests)
        if self._asleep:
            raise EngineError("vllm", "the engine sleeps", "call wake() first")

    def _replacing(self, work: Callable[[], T], restarts: int | None = None) -> T:
        """What `work` returns. Where an engine fails in it, be it another rank's, all end, and the work is redone as
        often as `restarts` says.
        """
        most = self._settings.restarts if restarts is None else restarts
        for attempt in range(most + 1):
            own: Exception | None = None
            try:
                done = work()
            except _failures() as error:
                own = error
            failed = [(r, said) for r, said in enumerate(dist.gather(own and f"{type(own).__name__}: {own}")) if said]
            if not failed:
                return done
            self._end()
            if attempt == most:
                said = "; ".join(f"rank {r}: {said}" if dist.launched() else said for r, said in failed)
                raise EngineFailedError("vllm", said, "VLLM_LOGGING_LEVEL=INFO makes it say more") from own
            self.restarted += 1
        raise AssertionError("unreachable")

    # -- one call -----------------------------------------------------------------------------------------------------

    def _generate(self, requests: Sequence[Request], turns: NextTurns | None = None) -> list[tuple[Rollout, ...]]:
        self._ready()
        assert self._reader is not None
        self._engine.reset_prefix_cache()  # so that the same call does the same work again
        hashes = [self._reader.content_hash(request.encoded) for request in requests]
        rollouts: dict[tuple[int, int], Rollout] = {}
        heats = [request.sampling.temperature or 1.0 for request in requests]  # greedy: probabilities at 1
        if turns is not None and len(set(heats)) > 1:
            raise EngineError(
                "vllm", f"temperatures {sorted(set(heats))} in one call of several turns", "ask one by one"
            )
        for heat in sorted(set(heats)):
            library.set_temperature(self._engine, heat)
            rollouts |= self._write(requests, [r for r in range(len(requests)) if heats[r] == heat], hashes, turns)
        self._reader.forget()
        return [tuple(rollouts[r, i] for i in range(request.num_rollouts)) for r, request in enumerate(requests)]

    def _write(
        self, requests: Sequence[Request], chosen: Sequence[int], hashes: Sequence[str], turns: NextTurns | None
    ) -> dict[tuple[int, int], Rollout]:
        """All responses of the chosen requests; waiting ones take the slots of those that end.

        hashes  by request, of the prompts as they are read
        """
        done: dict[tuple[int, int], Rollout] = {}
        writing: dict[str, tuple[tuple[int, int], Writing]] = {}
        for r in chosen:
            request = requests[r]
            for i in range(request.num_rollouts):
                if request.room(i) == 0:
                    assert request.resume_from is not None
                    done[r, i] = request.resume_from[i]
                else:
                    self._begin_response(request, r, i, hashes[r], writing)
        slots = min(self._settings.max_num_seqs, len(writing))
        steps = 0
        while True:
            for r, i, longer in turns.longer(wait=not self._engine.has_unfinished_requests()) if turns else ():
                del done[r, i]
                self._begin_response(requests[r].longer(i, longer), r, i, hashes[r], writing)
            if not self._engine.has_unfinished_requests():
                break
            steps += 1
            for output in self._engine.step():
                index, one = writing[output.request_id]
                (said,) = output.outputs
                for token, step in zip(said.token_ids, said.logprobs, strict=True):
                    one.take(token, min(0.0, step[token].logprob))
                if output.finished and said.finish_reason not in ("stop", "length"):
                    raise RuntimeError(f"a response ended with {said.finish_reason!r}")
                if not output.finished and one.finish_reason != "unfinished":
                    self._engine.abort_request([output.request_id])
                if output.finished or one.finish_reason != "unfinished":
                    self.prompt_tokens_reused += output.num_cached_tokens or 0
                    done[index] = one.rollout(self.version)
                    if turns is not None:
                        turns.ended(*index, done[index])
        self._slots.add(sum(len(one.logprobs) for _, one in writing.values()), steps, slots)
        lost = sum(index not in done for index, _ in writing.values())
        if lost:
            raise RuntimeError(f"{lost} of {len(writing)} responses were lost")
        return done

    def _begin_response(
        self, request: Request, r: int, i: int, content: str, writing: dict[str, tuple[tuple[int, int], Writing]]
    ) -> None:
        """Let vLLM write response `i` of request number `r`; `content` is the hash of its prompt."""
        assert self._reader is not None
        self._count += 1
        if observed := request.observed(i):
            content = self._reader.content_hash(request.encoded, observed)
        one = Writing(request, i, self._loaded.tokenizer, self._loaded.stop_ids, content)
        writing[str(self._count)] = (r, i), one
        self._engine.add_request(
            str(self._count), self._prompt(request, i), sampling_params(request, i, self._loaded.stop_ids, one.watched)
        )

    def _prompt(self, request: Request, index: int) -> Any:
        """vLLM's input: the prompt, and what response `index` holds, with its images."""
        assert self._reader is not None
        if request.resume_from is None or not request.observed(index):
            return self._reader.read(request.encoded, request.written(index))
        (seen,) = observations_of([request.resume_from[index]]) or (None,)
        assert seen is not None
        return self._reader.read(request.encoded.followed_by(request.written(index), seen.token_types, seen.images))

    # -- its life -----------------------------------------------------------------------------------------------------

    def _wake_up(self) -> None:
        if self._engine is not None:
            self._engine.wake_up()

    def _ready(self) -> None:
        """A running engine with the current weights."""
        if self._closed:
            raise EngineError("vllm", "the engine is closed", "open another one")
        if any(dist.gather(self._engine is not None and self._engine.has_unfinished_requests())):
            self._end()  # an interrupted call left requests behind
        if self._engine is None:
            self._taking_weights(self._begin)
        if not self._current:
            self._taking_weights(lambda weights: library.load_weights(self._engine, weights))
            self._current = True

    def _taking_weights(self, take: Callable[[Iterable[tuple[str, torch.Tensor]]], None]) -> None:
        """Where `take` fails at a weight out of shards, this rank helps to gather the others nevertheless."""
        weights, in_shards = self._named(), self._loaded.shards is not None
        if in_shards:
            self._weights = None  # they come once
        try:
            take(weights)
        except Exception:
            if in_shards:
                help_saving(weights)
            raise

    def _begin(self, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
        settings, loaded = self._settings, self._loaded
        if self._described is None:
            self._described = tempfile.TemporaryDirectory(prefix="vlrl-vllm-")
            library.describe_model(loaded, Path(self._described.name))
        on_cpu = loaded.device.type == "cpu"
        self._engine = library.start(
            loaded,
            Path(self._described.name),
            weights,
            max_num_seqs=settings.max_num_seqs,
            max_num_batched_tokens=max(settings.max_num_batched_tokens, settings.max_num_seqs),
            block_tokens=settings.block_tokens,
            eager=settings.eager,
            cache_gib=CPU_CACHE_GIB if settings.cache_gib is None and on_cpu else settings.cache_gib,
            memory_share=settings.memory_share,
            sleeps=settings.sleep == "release",
            ranks=settings.tensor_parallel_size,
        )
        config, family = loaded.config, family_of(loaded.config)
        self._reader = PromptReader(family.image_token(config), family.merge(config))
        self._current = True

    def _named(self) -> Iterator[tuple[str, torch.Tensor]]:
        """The weights under all their names, tied ones under each; out of shards, gathered one after another."""
        model, shards = self._loaded.model, self._loaded.shards
        weights = self._weights
        if weights is None:
            weights = plain_weights(model, model.named_parameters() if shards is None else shards.weights())
        return self._under_all_names(weights)

    def _under_all_names(self, weights: Iterable[tuple[str, torch.Tensor]]) -> Iterator[tuple[str, torch.Tensor]]:
        for name, tensor in weights:
            yield name, tensor
            for alias in self._aliases.get(name, ()):
                yield alias, tensor

    def _end(self) -> None:
        engine, self._engine, self._reader, self._current = self._engine, None, None, False
        if engine is not None:
            library.stop(engine)

    def pop_metrics(self) -> dict[str, float]:
        """rollout/slot_utilisation over vLLM's steps, those that read prompts included, and hybrid/restarts."""
        return {**self._slots.pop_metrics(), "colocated/restarts": float(self.restarted)}

    def close(self) -> None:
        """End the engine for good; twice is once."""
        self._end()
        self._closed = True
        if self._described is not None:
            self._described.cleanup()
            self._described = None


def _failures() -> tuple[type[Exception], ...]:
    """What vLLM raises when its engine can't go on: its start and its own steps raise the two in the middle as well."""
    from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

    return RuntimeError, ValueError, AssertionError, EngineDeadError, EngineGenerateError

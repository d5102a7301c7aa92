"""vLLM itself: how it is started in the trainer's process, what is changed in its model, and how it goes away.

Everything that reaches into vLLM lies here and in vllm_inputs.py. Tested with vLLM 0.32.
"""

from __future__ import annotations

import gc
import os
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vlrl import dist
from vlrl.model.load import LoadedModel
from vlrl.rollout.vllm.vllm_models import register_model

GIB = 2**30
IN_PROCESS = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # colocated: weights are handed over as tensors, without disk or pipe
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",  # its warnings are about settings that are chosen here
}
ON_CPU = {
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # binding would leave the trainer with one thread
    "TORCHDYNAMO_DISABLE": "1",  # small helpers would be compiled for half a minute at the first call
}
NO_VIDEO = {"shortest_edge": 2**16, "longest_edge": 2**16}  # pixels; asked for although no video may come
LOAD_FORMAT = "vlrl_tensors"
ROOM = "vlrl_temperature"


def describe_model(loaded: LoadedModel, folder: Path) -> None:
    """Write what vLLM reads at its start: configuration, end tokens, tokenizer, processor. No weights."""
    config = deepcopy(loaded.model.config)
    config.architectures = [type(loaded.model).__name__]
    config.save_pretrained(folder)
    loaded.model.generation_config.save_pretrained(folder)
    loaded.processor.save_pretrained(folder)


def start(
    loaded: LoadedModel,
    folder: Path,
    weights: Iterable[tuple[str, torch.Tensor]],
    *,
    max_num_seqs: int,
    max_num_batched_tokens: int,
    block_tokens: int,
    eager: bool,
    cache_gib: float | None,
    memory_share: float,
    sleeps: bool,
    ranks: int,
) -> Any:
    """A vLLM engine in this process with these weights; image placeholders can't be sampled from it.

    ranks  that are one engine together (tensor parallel). All ranks of the trainer come together, each with its engine
    """
    dist.start(alone=True)  # vLLM would make a process group otherwise, and the trainer may come to work by it
    on_cpu = loaded.device.type == "cpu"
    memory: dict[str, Any] = {} if on_cpu else {"gpu_memory_utilization": memory_share}
    if cache_gib is not None:
        memory["kv_cache_memory_bytes"] = int(cache_gib * GIB)
    if dist.launched():
        memory |= {"distributed_executor_backend": "external_launcher", "tensor_parallel_size": ranks}
    with (
        _group_kept(),
        _environment({**IN_PROCESS, **(ON_CPU if on_cpu else {})}),
        _torch_as_it_was(),
        _loader_of(weights),
    ):
        from vllm import LLM

        register_model(type(loaded.model).__name__)
        llm = LLM(
            model=str(folder),
            load_format=LOAD_FORMAT,
            dtype=str(loaded.dtype).removeprefix("torch."),
            seed=0,
            max_model_len=loaded.context,
            max_num_seqs=max_num_seqs,
            # on CPU vLLM can't rewind the generator of a seeded response whose prompt is read in several parts
            enable_chunked_prefill=not on_cpu,
            max_num_batched_tokens=max(max_num_batched_tokens, loaded.context if on_cpu else 0),
            block_size=block_tokens,
            enforce_eager=eager or on_cpu,
            enable_prefix_caching=True,
            enable_sleep_mode=sleeps,
            limit_mm_per_prompt={"video": 0},
            mm_processor_kwargs={"videos_kwargs": {"size": NO_VIDEO}},
            mm_processor_cache_gb=0,  # images come processed
            skip_mm_profiling=True,
            mm_device_do_normalize=False,  # the encoder has normalised them; twice would be another image
            logprobs_mode="raw_logprobs",  # of the model's masked and tempered logits, before top-p
            **memory,
        )
    engine = llm.llm_engine
    engine.apply_model(partial(mask_logits, forbidden=loaded.placeholder_ids))
    return engine


@contextmanager
def _loader_of(weights: Iterable[tuple[str, torch.Tensor]]) -> Iterator[None]:
    """vLLM starts with tensors of this process. Its "dummy" format would also fill buffers that no refresh restores.

    vLLM keeps the loader for good, but not the weights.
    """
    held = [weights]
    del weights  # this frame outlives the start of the engine
    from vllm.model_executor.model_loader import register_model_loader
    from vllm.model_executor.model_loader.base_loader import BaseModelLoader

    class GivenTensors(BaseModelLoader):  # type: ignore[misc]
        def download_model(self, model_config: Any) -> None:
            """Nothing to fetch."""

        def load_weights(self, model: Any, model_config: Any) -> None:
            model.load_weights((name, tensor.detach()) for name, tensor in held[0])

    register_model_loader(LOAD_FORMAT)(GivenTensors)
    try:
        yield
    finally:
        held.clear()


def stop(engine: Any) -> None:
    """End an engine and give its memory back. The process group stays: the trainer works by it."""
    from vllm.distributed import destroy_model_parallel

    with _group_kept():
        engine.engine_core.shutdown()
        del engine
        destroy_model_parallel()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@contextmanager
def _group_kept() -> Iterator[None]:
    """Within the block nothing destroys the default process group, as vLLM does when an engine ends; groups that vLLM
    made for itself go.
    """
    plain = torch.distributed.destroy_process_group

    def destroy(group: Any = None) -> None:
        if group is not None and group is not torch.distributed.group.WORLD:
            plain(group)

    torch.distributed.destroy_process_group = destroy
    try:
        yield
    finally:
        torch.distributed.destroy_process_group = plain


def mask_logits(model: Any, forbidden: Sequence[int]) -> None:
    """Make the model itself give −inf to forbidden ids and divide by its `vlrl_temperature`.

    This stands before every sampler, so no request can get around it, and it costs one fill a step. Log-probabilities
    that vLLM calls raw are then those of the sampling distribution before top-p.
    """
    plain = model.compute_logits
    ids = torch.tensor(list(forbidden), dtype=torch.long)
    setattr(model, ROOM, 1.0)

    def compute_logits(*args: Any, **kwargs: Any) -> Any:
        logits = plain(*args, **kwargs)
        if logits is None:  # on all but the first of several tensor-parallel ranks
            return None
        temperature = getattr(model, ROOM)
        if temperature != 1.0:
            logits = logits.float() / temperature
        return logits.index_fill(-1, ids.to(logits.device), float("-inf"))

    model.compute_logits = compute_logits


def set_temperature(engine: Any, temperature: float) -> None:
    """Temperature of all logits from now on."""
    engine.apply_model(partial(_set_temperature, temperature=temperature))


def _set_temperature(model: Any, temperature: float) -> None:
    setattr(model, ROOM, temperature)


def tied_names(model: Any) -> dict[str, list[str]]:
    """Parameter name → further names of the same parameter; vLLM wants tied weights under each name."""
    first = {id(parameter): name for name, parameter in model.named_parameters()}
    found: dict[str, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if (owner := first[id(parameter)]) != name:
            found.setdefault(owner, []).append(name)
    return found


def load_weights(engine: Any, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
    """Refresh the weights in place by Hugging Face names, one after another as they come, and forget everything that
    came from the old ones.
    """
    detached = ((name, tensor.detach()) for name, tensor in weights)
    engine.collective_rpc("reload_weights", kwargs={"weights_iterator": detached})
    forget(engine)


def forget(engine: Any) -> None:
    """Reset the caches of prompts, of processed images and of the vision tower's outputs. All three are needed."""
    engine.reset_prefix_cache()
    engine.reset_mm_cache()
    engine.reset_encoder_cache()


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """These variables, where the user hasn't set them; as before afterwards."""
    added = [name for name in variables if name not in os.environ]
    os.environ.update({name: variables[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def _torch_as_it_was() -> Iterator[None]:
    """vLLM's start seeds every generator and its CPU worker replaces torch functions; the trainer needs its own."""
    threads, set_threads = torch.get_num_threads(), torch.set_num_threads
    grad, python, numpy = torch.is_grad_enabled(), random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_num_threads = set_threads
        torch.set_num_threads(threads)
        torch.set_grad_enabled(grad)

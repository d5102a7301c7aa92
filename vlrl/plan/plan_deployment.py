"""A deployment that fits: what a run would have to set to go on one node, where as it stands it goes on no device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil
from pathlib import Path

import torch

from vlrl.config import load_settings
from vlrl.errors import ConfigError
from vlrl.model.sizes import Architecture, ParameterCounts
from vlrl.model.training.backends import default_backend
from vlrl.plan.plan_memory import MemoryPlan
from vlrl.plan.plan_work import SourcePlan
from vlrl.rollout.engine_registry import name_of
from vlrl.training.lifecycle.preflight import obstacles
from vlrl.training.run_settings import RunSettings

NODE = 8  # devices of a node
FILLED = 0.9  # of a device's memory at most; the rest is for what the plan doesn't count


@dataclass(frozen=True)
class Deployment:
    """Ranks on one node, the settings to add to the run's own, the bytes that a rank then needs at most, and whether
    there is room for them.
    """

    ranks: int
    overrides: tuple[str, ...]
    peak_bytes: int
    fits: bool

    @property
    def command(self) -> str:
        """How it is started."""
        more = " ".join(("CONFIG …", *self.overrides))
        return f"torchrun --nproc-per-node {self.ranks} -m vlrl run {more}"


def settings_for(config: Path, overrides: Sequence[str], ranks: int) -> RunSettings:
    """The run's settings as one of this many ranks has them. Raises ConfigError."""
    settings = load_settings(RunSettings, config, overrides)
    if "backend" not in settings.model_fields_set:  # the run's own default, whatever this process is
        settings = settings.model_copy(update={"backend": default_backend(ranks)})
    return settings


def fitting_deployment(
    config: Path,
    overrides: Sequence[str],
    arch: Architecture,
    counts: ParameterCounts,
    sources: Sequence[SourcePlan],
    device: torch.device,
    device_bytes: int,
) -> Deployment | None:
    """The first deployment that fits and isn't refused, the fastest first: vLLM's engines over more ranks, its weights
    leaving the device while the policy trains, smaller micro-batches; layers computed again in the backward pass only
    if need be. Where none fits, the one that needs least; None where all are refused.
    """
    least: Deployment | None = None
    given = load_settings(RunSettings, config, overrides)
    ranks, longest = _ranks(given), max(p.tokens for s in sources for p in s.prompts) + _longest_response(given)
    for more in _candidates(given, longest, ranks):
        try:
            settings = settings_for(config, [*overrides, *more], ranks)
            memory = MemoryPlan(settings, arch, counts, sources, device, device_bytes, ranks)
            peak = max(sum(parts.values()) for parts in memory.phases().values())
            if least is not None and peak >= least.peak_bytes:
                continue
            if obstacles(settings, arch.config, ranks, device, False, memory.check_engine):
                continue
            least = Deployment(ranks, more, peak, peak <= FILLED * device_bytes)
            if least.fits:
                return least
        except ConfigError:  # settings that contradict one another
            continue
    return least


def _longest_response(settings: RunSettings) -> int:
    """Tokens of a response of the stages that train on what was written."""
    return settings.rl.sampling.max_tokens if "rl" in settings.stages else settings.eval.sampling.max_tokens


def _ranks(settings: RunSettings) -> int:
    """All devices of a node that a pool's actors leave."""
    pool = settings.engine if settings.engine.capabilities.serves_all_ranks else None
    taken = 0 if pool is None else ceil(getattr(pool, "actors", 0) * getattr(pool, "gpus_per_actor", 0))
    return max(1, NODE - taken)


def _candidates(settings: RunSettings, longest_row: int, ranks: int) -> Iterator[tuple[str, ...]]:
    backend = () if "backend" not in settings.model_fields_set or settings.backend.in_shards else ("backend=fsdp",)
    for checkpointing, engine, micro in product(
        _checkpointing(settings), _engines(settings, ranks), _micro_batches(settings, longest_row)
    ):
        yield (*backend, *engine, *micro, *checkpointing)


def _checkpointing(settings: RunSettings) -> list[tuple[str, ...]]:
    return [()] if settings.model.gradient_checkpointing else [(), ("model.gradient_checkpointing=true",)]


def _engines(settings: RunSettings, ranks: int) -> list[tuple[str, ...]]:
    """vLLM in the ranks: the setting `sleep`, and sizes of its engines that divide the number of ranks."""
    if name_of(settings.engine) != "vllm":
        return [()]
    sleeps = [(), ("engine.sleep=release",)] if settings.engine.sleep == "stay" else [()]
    given = settings.engine.tensor_parallel_size
    sizes = [given, *(n for n in range(given + 1, ranks + 1) if ranks % n == 0)]
    of_sizes = [() if n == given else (f"engine.tensor_parallel_size={n}",) for n in sizes]
    return [(*size, *sleep) for sleep in sleeps for size in of_sizes]


def _micro_batches(settings: RunSettings, longest_row: int) -> list[tuple[str, ...]]:
    """As it is, and halved again and again until one row alone goes in; of all stages that train."""
    stages = [stage for stage, _ in settings.policies]
    if stages.count("sft") > 1:  # its phases have policies of their own
        stages = [stage for stage in stages if stage != "sft"]
    if not stages:
        return [()]
    tokens = max(policy.micro_batch_tokens for _, policy in settings.policies)
    found: list[tuple[str, ...]] = [()]
    while tokens > longest_row:
        tokens = max(longest_row, tokens // 2)
        found.append(tuple(f"{stage}.policy.micro_batch_tokens={tokens}" for stage in dict.fromkeys(stages)))
    return found

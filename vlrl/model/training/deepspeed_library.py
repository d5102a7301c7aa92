"""What of DeepSpeed is used, and how it is set up: its import, its configuration, the optimiser that it shards."""

from __future__ import annotations

import importlib
import logging
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from pydantic import Field

from vlrl import dist
from vlrl.config import Settings
from vlrl.model.optimization.optimizer import OptimizerSettings
from vlrl.model.optimization.parameter_groups import part_of


class ZeroSettings(Settings):
    """DeepSpeed's ZeRO (Rajbhandari et al. 2020), under `torchrun` or the `deepspeed` launcher.

    stage              what is sharded over the ranks: 1 optimiser states, 2 gradients too, 3 weights too
    offload_optimizer  optimiser states and float32 weights lie in RAM and are stepped there
    whole_below        stage 3: weights with fewer values stay whole on every rank
    sequence_parallel  ranks that share one sequence (Ulysses); above 1 it is refused with the reason
    """

    stage: Literal[1, 2, 3] = 2
    offload_optimizer: bool = False
    whole_below: int = Field(default=100_000, ge=0)
    sequence_parallel: int = Field(default=1, ge=1)


def import_deepspeed() -> Any:
    """The library, quiet but for errors."""
    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
    deepspeed = importlib.import_module("deepspeed")
    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
    # at every gather, 0.19.8 calls what torch has renamed
    warnings.filterwarnings("ignore", message=r"`torch\.distributed\.\w+` is deprecated", category=FutureWarning)
    # its reduction through shared memory is compiled on first use and assumes that all ranks share a machine
    importlib.import_module("deepspeed.ops").__compatible_ops__["deepspeed_shm_comm"] = False
    return deepspeed


def forget_ended_group() -> None:
    """DeepSpeed keeps a copy of the group of all ranks, also where another library has ended that group since."""
    groups: Any = importlib.import_module("deepspeed.utils.groups")
    if groups._WORLD_GROUP is None:
        return
    try:
        torch.distributed.get_global_rank(groups._WORLD_GROUP, 0)
    except ValueError:
        groups._WORLD_GROUP = None


@contextmanager
def local_rank_in_environment() -> Iterator[None]:
    """DeepSpeed insists on LOCAL_RANK, also without a launcher; left behind, it would tell child processes of one."""
    missing = "LOCAL_RANK" not in os.environ
    os.environ.setdefault("LOCAL_RANK", str(dist.local_rank()))
    try:
        yield
    finally:
        if missing:
            os.environ.pop("LOCAL_RANK", None)


def config_of(zero: ZeroSettings, max_norm: float, dtype: torch.dtype) -> dict[str, Any]:
    """DeepSpeed's configuration. Clipping is always said: left out, it would clip at 1."""
    sharding: dict[str, Any] = {"stage": zero.stage}
    if zero.offload_optimizer:
        sharding["offload_optimizer"] = {"device": "cpu"}
    if zero.stage == 3:
        sharding["stage3_param_persistence_threshold"] = zero.whole_below
    return {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,  # the end of an update is said by hand
        "gradient_clipping": max_norm,
        "zero_optimization": sharding,
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "bf16": {"enabled": dtype == torch.bfloat16, "check_grad_overflow": True},
        # left out, both would be the weights' own: sums over micro-batches and over ranks would be rounded to 16 bits
        "data_types": {"grad_accum_dtype": "fp32"},
        "communication_data_type": "fp32",
        "steps_per_print": 2**31,
    }


class SkippingAdamW(torch.optim.AdamW):
    """AdamW in one group a rate and side (images or language), with the same rules as
    vlrl.model.optimization.optimizer.

    Sharded weights have a gradient of zeros where no rank had one. `prepare` therefore says which groups an update
    leaves alone: as in one process, weights that no row reached keep their values and moments.
    """

    def __init__(self, parameters: Iterable[tuple[str, torch.nn.Parameter]], settings: OptimizerSettings) -> None:
        groups: dict[tuple[bool, float], list[torch.nn.Parameter]] = {}
        for name, parameter in parameters:
            if parameter.requires_grad:
                side = part_of(name) != "language"
                groups.setdefault((side, settings.rate_of(name, by_muon=False)), []).append(parameter)
        super().__init__(
            [
                {"params": some, "lr": rate, "peak": rate, "of_images": side, "idle": False}
                for (side, rate), some in groups.items()
            ],
            betas=settings.betas,
            weight_decay=settings.weight_decay,
            fused=True,
        )

    def prepare(self, share: float, sees: bool) -> None:
        """For the next step: the share of the peak rates, and whether any row of any rank has an image."""
        for group in self.param_groups:
            group["lr"] = group["peak"] * share
            group["idle"] = group["of_images"] and not sees

    def step(self, closure: Any = None) -> Any:
        """One step of every group that isn't idle."""
        every = self.param_groups
        self.param_groups = [group for group in every if not group["idle"]]
        try:
            return super().step(closure) if self.param_groups else None
        finally:
            self.param_groups = every

    def forget(self) -> None:
        """Moments and step counts back to zero, in place."""
        for held in self.state.values():
            for value in held.values():
                if isinstance(value, torch.Tensor):
                    value.zero_()

"""The policy under DeepSpeed's ZeRO: optimiser states (1), gradients (2) or weights too (3) sharded over the ranks.

Updates run in lockstep (rank_schedule.py), so that ranks with images, with text only and with nothing at all take the
same steps. What is read without gradients (log-probabilities, statistics, rollouts, export) is read from whole weights:
the model itself in stages 1 and 2; in stage 3 a copy that is brought up to date where the weights have changed since.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

from vlrl import dist
from vlrl.errors import NonFiniteError, RunError
from vlrl.model.batch.example import Example
from vlrl.model.batch.rank_schedule import Lockstep
from vlrl.model.batch.rank_sharding import BUCKET
from vlrl.model.finite import GRADIENT_REMEDY
from vlrl.model.load import LoadedModel
from vlrl.model.optimization.lora import choose_trained
from vlrl.model.optimization.parameter_groups import trained_parts
from vlrl.model.training.deepspeed_library import (
    SkippingAdamW,
    ZeroSettings,
    config_of,
    forget_ended_group,
    import_deepspeed,
    local_rank_in_environment,
)
from vlrl.model.training.forward import MicroBatch
from vlrl.model.training.shared_policy import SharedPolicy
from vlrl.model.training.torch_policy import PolicySettings, open_forward
from vlrl.model.vision.frozen_tower import frozen_below_projector
from vlrl.model.vision.image_encoding import VisionTower


class _Whole(torch.nn.Module):
    """What DeepSpeed takes for the model: its forward pass runs whatever a micro-batch needs of it."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, micro_batch: MicroBatch) -> torch.Tensor:
        return micro_batch()


class DeepSpeedPolicy(SharedPolicy):
    """Policy over all ranks. A checkpoint of it has a file a rank and goes on with as many ranks and the same stage."""

    state_by_rank = True

    def __init__(self, loaded: LoadedModel, settings: PolicySettings, zero: ZeroSettings) -> None:
        self.settings, self._zero = settings, zero
        vision_trains = choose_trained(loaded.model, settings.freeze, settings.lora)
        reading = open_forward(loaded, settings, vision_trains)
        self._trained = copy.deepcopy(loaded.model) if zero.stage == 3 else loaded.model
        sharded = loaded if zero.stage < 3 else replace(loaded, model=self._trained, store=None)
        vision_tower = reading.tower
        if vision_trains and zero.stage == 3:
            vision_tower = VisionTower(
                self._trained, below=reading.tower if frozen_below_projector(loaded.model) else None
            )
        learning = open_forward(sharded, settings, vision_trains, Lockstep(loaded, vision_trains), vision_tower)
        super().__init__(loaded, vision_trains, reading, learning)
        self._adamw = SkippingAdamW(self._trained.named_parameters(), settings.optimizer)
        self._engine = self._start()
        self._current = True

    def _start(self) -> Any:
        deepspeed = import_deepspeed()
        dist.start(alone=True)
        forget_ended_group()
        optimizer = self.settings.optimizer
        config = config_of(self._zero, optimizer.max_norm, self.loaded.model.dtype)
        with local_rank_in_environment():
            engine, *_ = deepspeed.initialize(model=_Whole(self._trained), optimizer=self._adamw, config=config)
        self._trained.eval()  # DeepSpeed puts it into training mode; sampler and trainer go without dropout
        return engine

    def end_iteration(self) -> None:
        """k1.5 §2.3.2: the paper's optimiser forgets its moments when the reference policy changes."""
        if self.settings.reset_optimizer == "each_iteration":
            self._adamw.forget()

    @contextmanager
    def _updating(self, examples: Sequence[Example], lr_scale: float) -> Iterator[None]:
        sees = self._vision_trains and any(example.encoded.images for example in examples)
        self._adamw.prepare(lr_scale, sees)
        with local_rank_in_environment():
            yield

    def _backward(self, micro_batch: MicroBatch, last: bool) -> None:
        """DeepSpeed averages gradients over ranks; ours are added: a loss is divided by what all ranks have."""
        engine = self._engine
        engine.set_gradient_accumulation_boundary(last)
        engine.backward(engine(lambda: micro_batch() * dist.world()), scale_wrt_gas=False)

    def _step(self, lr_scale: float) -> float:
        self._engine.step()
        norm = float(self._engine.get_global_grad_norm())
        if self._engine.optimizer.overflow or not math.isfinite(norm):
            raise NonFiniteError("update", f"the gradient norm is {norm}, the loss is finite", GRADIENT_REMEDY)
        self._current = self._zero.stage < 3
        self._forget_features()
        return norm

    def _bring_up_to_date(self) -> None:
        """Stage 3: the whole weights from their shards, some at a time. All ranks come here together."""
        if self._current:
            return
        for some in self._gathered(learn=True):
            for whole, shard in some:
                whole.copy_(shard)
        self._forget_features()
        self._current = True

    def _forget_features(self) -> None:
        """The optimiser writes behind the version counters of weights."""
        if self.loaded.store is not None:
            self.loaded.store.learned(trained_parts(self.loaded.model))

    def _gathered(self, learn: bool) -> Iterator[list[tuple[torch.Tensor, torch.Tensor]]]:
        """Stage 3: (whole weight, its gathered shards) of those that learn, or of the frozen ones, which may be set."""
        gathered, setter = import_deepspeed().zero.GatheredParameters, None if learn else 0
        pairs = [
            (whole, shard)
            for whole, shard in zip(self.loaded.model.parameters(), self._trained.parameters(), strict=True)
            if shard.requires_grad == learn
        ]
        while pairs:
            some, size = [pairs.pop(0)], 0
            while pairs and size + pairs[0][0].numel() <= BUCKET:
                size += pairs[0][0].numel()
                some.append(pairs.pop(0))
            with local_rank_in_environment(), torch.no_grad(), gathered([shard for _, shard in some], setter):
                yield some

    def state_dict(self) -> dict[str, Any]:
        """This rank's shards of float32 weights and moments; of the first rank the frozen weights, too.

        What is frozen now may have learned in an earlier stretch, or have that one's adapters added in.
        """
        shards = self._shards()
        return {
            "ranks": dist.world(),
            "stage": self._zero.stage,
            "frozen": {name: weight.cpu() for name, weight in self._frozen()} if dist.is_first() else {},
            "weights": [shard.detach().cpu() for shard in shards],
            "moments": [
                {key: torch.as_tensor(value).cpu() for key, value in self._adamw.state.get(shard, {}).items()}
                for shard in shards
            ],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`. Raises RunError for other ranks or another stage."""
        made, here = (state["ranks"], state["stage"]), (dist.world(), self._zero.stage)
        if made != here:
            raise RunError(
                "checkpoint",
                f"was written by {made[0]} ranks in stage {made[1]}, here are {here[0]} in stage {here[1]}",
                "go on with as many ranks and the same stage, or start a fresh run from the saved model",
            )
        shards = self._shards()
        with torch.no_grad():
            for shard, weights, moments in zip(shards, state["weights"], state["moments"], strict=True):
                shard.copy_(weights)
                self._adamw.state[shard] = {
                    key: value if key == "step" else value.to(shard.device) for key, value in moments.items()
                }
                if not moments:
                    self._adamw.state.pop(shard)
        self._write_through()
        self._load_frozen(state["frozen"])
        if self.loaded.store is not None:
            self.loaded.store.clear()

    def _frozen(self) -> list[tuple[str, torch.Tensor]]:
        return [(name, p.detach()) for name, p in self.loaded.model.named_parameters() if not p.requires_grad]

    def _load_frozen(self, held: dict[str, torch.Tensor]) -> None:
        """The first rank's, on every rank; in stage 3 into the shards, too."""
        for name, weight in self._frozen():
            if dist.is_first():
                weight.copy_(held[name])
            torch.distributed.broadcast(weight, src=0)
        if self._zero.stage == 3:
            for some in self._gathered(learn=False):
                for whole, shard in some:
                    shard.copy_(whole)

    def _shards(self) -> list[torch.Tensor]:
        """This rank's float32 pieces, one for each group of parameters."""
        optimizer = self._engine.optimizer
        shards: list[torch.Tensor] = (
            optimizer.fp32_partitioned_groups_flat
            if self._zero.stage == 3
            else optimizer.single_partition_of_fp32_groups
        )
        return shards

    def _write_through(self) -> None:
        """The model's weights from the float32 pieces."""
        optimizer = self._engine.optimizer
        if self._zero.stage < 3:
            optimizer.update_lp_params()
            return
        for i, shard in enumerate(self._shards()):
            optimizer.fp16_partitioned_groups_flat[i].data.copy_(shard.data)
            optimizer._unflatten_partitioned_parameters(i)
        if optimizer.persistent_parameters:
            optimizer.persistent_parameters[0].all_gather(optimizer.persistent_parameters)
        self._current = False

    def close(self) -> None:
        """Take DeepSpeed's hooks out of the model; in stage 3 its copy goes."""
        self._bring_up_to_date()
        self._engine.destroy()

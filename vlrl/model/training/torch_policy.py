"""The policy whole on one device: packed rows, one global denominator, gradient clipping, one optimiser step an update.

With several ranks each holds all weights and takes its share of every update's rows; the gradients are added up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from pydantic import Field, model_validator

from vlrl.config import PACE, Settings
from vlrl.model.batch.example import Example
from vlrl.model.batch.rank_schedule import Lockstep
from vlrl.model.batch.rank_sharding import add_gradients
from vlrl.model.cost import cost_of, load_of
from vlrl.model.load import LoadedModel
from vlrl.model.optimization.lora import LoraSettings, choose_trained
from vlrl.model.optimization.optimizer import Optimizer, OptimizerSettings
from vlrl.model.optimization.parameter_groups import PARTS, Part, trained_parts
from vlrl.model.training.forward import MicroBatch, PackedForward, backward
from vlrl.model.training.shared_policy import SharedPolicy
from vlrl.model.vision.image_encoding import VisionTower


class PolicySettings(Settings):
    """How a stage trains the policy.

    freeze              parts that keep their weights: vision (tower), projector (merger after it), language
    lora                adapters instead of full weights; needs the extra `lora`
    reset_optimizer     of RL: `each_iteration` is the paper's (k1.5 §2.3.2); `never` is plain Adam or Muon
    micro_batch_tokens  padded tokens that go through the model at once; a larger group is split, its prompt repeated
    micro_batch_mib     memory that a micro-batch may take by the cost model's estimate, a larger group is split, too;
                        default: tokens alone count
    pack_sequences      the rows of a micro-batch stand one behind another in one line instead of padded below each
                        other; none sees another, and the numbers stay the same
    """

    optimizer: OptimizerSettings = OptimizerSettings()
    freeze: tuple[Part, ...] = ()
    lora: LoraSettings | None = None
    reset_optimizer: Literal["each_iteration", "never"] = "never"
    micro_batch_tokens: int = Field(default=16_384, ge=1, json_schema_extra=PACE)
    micro_batch_mib: int | None = Field(default=None, ge=1, json_schema_extra=PACE)
    pack_sequences: bool = Field(default=False, json_schema_extra=PACE)

    @model_validator(mode="after")
    def _something_trains(self) -> PolicySettings:
        if self.lora is not None and (both := set(self.freeze) & set(self.lora.parts)):
            raise ValueError(f"lora.parts: {sorted(both)} is frozen, too; take it out of freeze or of lora.parts")
        if set(self.freeze) >= PARTS:
            raise ValueError(f"freeze: {list(self.freeze)} leaves nothing to train; freeze fewer parts")
        return self


def open_forward(
    loaded: LoadedModel,
    settings: PolicySettings,
    vision_trains: bool,
    lockstep: Lockstep | None = None,
    vision_tower: VisionTower | None = None,
) -> PackedForward:
    """The forward passes that these settings ask for."""
    if settings.micro_batch_mib is None:
        return PackedForward(
            loaded,
            settings.micro_batch_tokens,
            vision_trains,
            packs_sequences=settings.pack_sequences,
            lockstep=lockstep,
            vision_tower=vision_tower,
        )
    cost = cost_of(loaded.config, loaded.model, trained_parts(loaded.model), loaded.model.is_gradient_checkpointing)

    def bytes_of(rows: Sequence[Example]) -> float:
        return cost.bytes([load_of(row) for row in rows], settings.pack_sequences)

    limit = settings.micro_batch_mib * 2**20
    budget, packed = settings.micro_batch_tokens, settings.pack_sequences
    return PackedForward(loaded, budget, vision_trains, bytes_of, limit, packed, lockstep, vision_tower)


class TorchPolicy(SharedPolicy):
    """Policy on one device, or the same on the device of every rank."""

    def __init__(self, loaded: LoadedModel, settings: PolicySettings) -> None:
        self.settings = settings
        vision_trains = choose_trained(loaded.model, settings.freeze, settings.lora)
        forward = open_forward(loaded, settings, vision_trains)
        super().__init__(loaded, vision_trains, forward, forward)
        self.optimizer = Optimizer(loaded.model.named_parameters(), settings.optimizer)

    def end_iteration(self) -> None:
        """k1.5 §2.3.2: the paper's optimiser forgets its moments when the reference policy changes."""
        if self.settings.reset_optimizer == "each_iteration":
            self.optimizer.reset()

    @contextmanager
    def _updating(self, examples: Sequence[Example], lr_scale: float) -> Iterator[None]:
        self.optimizer.zero_grad()
        with self.optimizer.adding_up():
            yield

    def _backward(self, micro_batch: MicroBatch, last: bool) -> None:
        backward(micro_batch)

    def _step(self, lr_scale: float) -> float:
        add_gradients(self.optimizer.parameters)
        return self.optimizer.step(lr_scale)

    def _bring_up_to_date(self) -> None:
        """The model's own weights are those that learn."""

    def state_dict(self) -> dict[str, Any]:
        """Weights and optimiser, for a checkpoint."""
        return {"model": self.loaded.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.loaded.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])

    def close(self) -> None:
        """Nothing is held beside the model."""

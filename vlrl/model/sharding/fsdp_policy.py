"""The policy in shards over all ranks (torch FSDP2): weights, gradients and moments, a share of each on every rank.

Updates run in lockstep (batch/rank_schedule.py): all ranks run the same modules with gradients, in the same order. What
is read without gradients goes through the same shards in turns (turns.py). Adapters are small and stay whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch.distributed.tensor import DTensor

from vlrl.errors import RunError
from vlrl.model.batch.example import Example
from vlrl.model.batch.rank_schedule import Lockstep
from vlrl.model.batch.rank_sharding import add_gradients
from vlrl.model.load import LoadedModel
from vlrl.model.optimization.lora import choose_trained, plain_weights
from vlrl.model.optimization.optimizer import Optimizer
from vlrl.model.optimization.parameter_groups import trained_parts
from vlrl.model.sharding.across_ranks import ShardedParameters
from vlrl.model.sharding.shards import own_rows
from vlrl.model.training.forward import MicroBatch, backward
from vlrl.model.training.shared_policy import SharedPolicy
from vlrl.model.training.torch_policy import PolicySettings, open_forward

WEIGHT, MOMENT = "weight.", "moment."


class FsdpPolicy(SharedPolicy):
    """Policy over all ranks, one among them. A checkpoint of it goes on with any number of ranks.

    state_in_shards  its state is tensors by name, which checkpoints write and read in shards
    """

    state_in_shards = True

    def __init__(self, loaded: LoadedModel, settings: PolicySettings) -> None:
        if loaded.shards is None:
            raise ValueError("the model lies whole on this rank: load it in shards")
        self.settings, self._shards = settings, loaded.shards
        model = loaded.model
        vision_trains = choose_trained(model, settings.freeze, settings.lora)
        self._shards.ready()  # other weights learn than before
        forward = open_forward(loaded, settings, vision_trains, Lockstep(loaded, tower_trains=False))
        super().__init__(loaded, vision_trains, forward, forward)
        self._trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._rows = {name: torch.nn.Parameter(own_rows(p)) for name, p in self._trained.items()}
        shapes = {id(self._rows[name]): p.shape for name, p in self._trained.items() if isinstance(p, DTensor)}
        self.optimizer = Optimizer(self._rows.items(), settings.optimizer, ShardedParameters(shapes))

    def end_iteration(self) -> None:
        """k1.5 §2.3.2: the paper's optimiser forgets its moments when the reference policy changes."""
        if self.settings.reset_optimizer == "each_iteration":
            self.optimizer.reset()

    @contextmanager
    def _updating(self, examples: Sequence[Example], lr_scale: float) -> Iterator[None]:
        self._drop_gradients()
        try:
            yield
        finally:
            self._drop_gradients()

    def _drop_gradients(self) -> None:
        self.optimizer.zero_grad()
        for parameter in self._trained.values():
            parameter.grad = None

    def _backward(self, micro_batch: MicroBatch, last: bool) -> None:
        backward(lambda: self._shards.run(micro_batch))

    def _step(self, lr_scale: float) -> float:
        add_gradients(p for p in self._trained.values() if not isinstance(p, DTensor))
        for name, parameter in self._trained.items():
            if parameter.grad is not None:
                self._rows[name].grad = own_rows(parameter.grad)
        norm = self.optimizer.step(lr_scale)
        self._forget_features()
        return norm

    def _forget_features(self) -> None:
        """The optimiser writes behind the version counters of weights."""
        if self.loaded.store is not None:
            self.loaded.store.learned(trained_parts(self.loaded.model))

    def _bring_up_to_date(self) -> None:
        """What is read goes through the shards that learn."""

    def weights(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Parameters by Hugging Face name, adapters added in, gathered one after another. All ranks come together."""
        return plain_weights(self.loaded.model, self._shards.weights())

    def state_dict(self) -> dict[str, torch.Tensor]:
        """All weights and the moments that there are, in the memory in which they lie."""
        found = {WEIGHT + name: p.detach() for name, p in self.loaded.model.named_parameters()}
        for name, rows in self._rows.items():
            for key, value in self.optimizer.state_of(rows).items():
                found[_moment(name, key)] = self._as_shard(name, value)
        return found

    def to_fill(self, names: Collection[str]) -> dict[str, torch.Tensor]:
        """Tensors of these names of a `state_dict`, in the memory in which they belong.

        Raises RunError where they are another model's.
        """
        self.optimizer.reset()
        expected = {WEIGHT + name for name, _ in self.loaded.model.named_parameters()}
        keys = _moment_keys(names)
        if {n for n in names if n.startswith(WEIGHT)} != expected or not keys.keys() <= self._rows.keys():
            raise RunError("checkpoint", "its weights are not those of this model", "start a fresh run")
        for name, some in keys.items():
            rows = self._rows[name]
            state = self.optimizer.state_of(rows)
            for key in some:
                state[key] = torch.zeros(()) if key == "step" else torch.zeros_like(rows)
        return self.state_dict()

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Inverse of `state_dict`, also of tensors that lie elsewhere."""
        with torch.no_grad():
            for name, held in self.to_fill(state).items():
                own_rows(held).copy_(own_rows(state[name]))
        self.filled()

    def filled(self) -> None:
        """Other weights see other features in images."""
        if self.loaded.store is not None:
            self.loaded.store.clear()

    def _as_shard(self, name: str, value: torch.Tensor) -> torch.Tensor:
        """What the optimiser keeps of a rank's rows, as a part of the whole."""
        of = self._trained[name]
        if not isinstance(of, DTensor) or not value.ndim:
            return value
        return DTensor.from_local(
            value, of.device_mesh, of.placements, run_check=False, shape=of.shape, stride=of.stride()
        )

    def close(self) -> None:
        """Gradients and moments go; the shards stay."""
        self._drop_gradients()
        self.optimizer.reset()


def _moment(name: str, key: str) -> str:
    return f"{MOMENT}{key}.{name}"


def _moment_keys(names: Collection[str]) -> dict[str, list[str]]:
    """By weight, the keys of what the optimiser remembers of it."""
    found: dict[str, list[str]] = {}
    for one in names:
        if one.startswith(MOMENT):
            key, _, name = one.removeprefix(MOMENT).partition(".")
            found.setdefault(name, []).append(key)
    return found

"""A model whose weights lie in shards over all ranks (torch FSDP2): float32 values, gathered in the model's dtype.

Every layer of the decoder and every block of the tower is a unit that is gathered when it runs and let go after it.
What is left, the ends (embedding, head, norms, projector, the tower's first layer), is gathered together and stays
for as long as a phase of reading or an update lasts, so that the head may be called any number of times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

import torch
import transformers
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from vlrl import dist
from vlrl.model.optimization.parameter_groups import part_of
from vlrl.model.sharding.turns import Turns

T = TypeVar("T")
TOWER, DECODER = "tower", "decoder"


def gathered_layers(model: Any) -> dict[str, list[Any]]:
    """Blocks of the tower and layers of the decoder, by kind of pass, in the order in which they run."""
    found: dict[str, list[Any]] = {TOWER: [], DECODER: []}
    for name, module in model.named_modules():
        if isinstance(module, transformers.modeling_layers.GradientCheckpointingLayer):
            part = part_of(f"{name}.")
            if part != "projector":
                found[TOWER if part == "vision" else DECODER].append(module)
    return found


class _Root(torch.nn.Module):
    """What is gathered as one and goes backward as one: its forward pass runs what it is given."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, work: Callable[[], T]) -> T:
        return work()


class Shards:
    """The shards of one model, and the ways through it.

    dtype  of gathered weights; the shards themselves are float32
    """

    def __init__(self, model: Any, dtype: torch.dtype, device: torch.device) -> None:
        """Cut the model's weights (on torch's meta device) into shards; `fill` gives them values."""
        dist.start(alone=True)
        self.dtype, self._model = dtype, model
        self.mesh: DeviceMesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
        policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32, cast_forward_inputs=False)
        self._units: list[Any] = []
        kinds = gathered_layers(model)
        for units in kinds.values():
            for unit in units:
                fully_shard(unit, mesh=self.mesh, mp_policy=policy)
                self._units.append(unit)
        self._root: Any = _Root(model)
        fully_shard(self._root, mesh=self.mesh, mp_policy=policy)
        for unit in (*self._units, self._root):
            unit.set_gradient_divide_factor(1.0)  # a loss is divided by what all ranks have: gradients are added
            unit.set_force_sum_reduction_for_comms(True)
        for units in kinds.values():  # stated, because the default goes by passes, and ranks read unlike many
            for i, unit in enumerate(units):
                unit.set_modules_to_backward_prefetch([units[max(i - 1, 0)]])
        self.turns = Turns(kinds)
        for kind, units in kinds.items():
            if units:
                units[0].register_forward_pre_hook(lambda *_, kind=kind: self.turns.announce(kind), prepend=True)
        self._held = False

    def ready(self) -> None:
        """After the shards have values: let torch settle what it settles at the first pass, which may be inference."""
        self._root(lambda: None)
        for unit in (*self._units, self._root):
            unit.unshard()
            unit.reshard()

    def named(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """This rank's shards, and what is whole on every rank (adapters), by the model's own names."""
        yield from self._model.named_parameters()

    def weights(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Weights whole, one after another, by the model's own names. All ranks come together, to the last one."""
        for name, parameter in self._model.named_parameters():
            yield name, whole(parameter).to(self.dtype)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Within the block a rank may run any passes without gradients. All ranks enter together."""
        with nullcontext() if self._held else self._ends(), self.turns.taking():
            yield

    @contextmanager
    def _ends(self) -> Iterator[None]:
        self._root.unshard()
        self._held = True
        try:
            yield
        finally:
            self._held = False
            self._root.reshard()

    def run(self, work: Callable[[], T]) -> T:
        """A forward pass with gradients, which all ranks make alike, in lockstep; then goes its backward pass."""
        self._held = True
        try:
            return self._root(work)  # type: ignore[no-any-return]
        finally:
            self._held = False


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor gathered from its shards; one that isn't in shards as it is. All ranks come together."""
    return tensor.full_tensor().detach() if isinstance(tensor, DTensor) else tensor.detach()


def own_rows(tensor: torch.Tensor) -> torch.Tensor:
    """This rank's rows of a tensor in shards, in the same memory; one that isn't in shards as it is."""
    return tensor.to_local().detach() if isinstance(tensor, DTensor) else tensor.detach()


def first_row(rows: int, ranks: int, rank: int) -> int:
    """Where a rank's rows begin, of a tensor of `rows` that is cut into pieces of equal size, the last ones short."""
    return min(rows, rank * -(-rows // ranks))


def add_to(weight: torch.Tensor, difference: torch.Tensor) -> None:
    """Add a whole tensor to a weight in place, to this rank's rows where it is in shards."""
    if not isinstance(weight, DTensor):
        weight.add_(difference.to(weight.dtype))
        return
    rows = own_rows(weight)
    start = first_row(len(difference), weight.device_mesh.size(), weight.device_mesh.get_local_rank())
    rows.add_(difference[start : start + len(rows)].to(rows.dtype))

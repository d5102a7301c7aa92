"""What two ranks run for the tests of backends: updates over drawn layouts, and what comes of them, a file a variant.

torchrun --nproc-per-node 2 rank_layouts.py OUT DEEP_MODEL SHALLOW_MODEL TILES_MODEL VARIANT…
"""

from __future__ import annotations

import copy
import faulthandler
import itertools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from small_models import ask, encode, fresh, pixels

from vlrl import dist
from vlrl.losses.kimi import KimiLoss
from vlrl.model.batch.example import Example
from vlrl.model.cost import CHUNK_LOGITS
from vlrl.model.optimization.lora import LoraSettings
from vlrl.model.optimization.optimizer import OptimizerSettings
from vlrl.model.optimization.parameter_groups import part_of
from vlrl.model.training import logprobs
from vlrl.model.training.backends import DeepSpeedBackend, FsdpBackend, TorchBackend
from vlrl.model.training.torch_policy import PolicySettings
from vlrl.training.lifecycle.checkpoint import load_checkpoint, save_checkpoint

PATIENCE_SECONDS = 240  # for one layout: a rank that waits longer hangs
SETTINGS = PolicySettings(optimizer=OptimizerSettings(lr=1e-3, max_norm=0.0), micro_batch_tokens=90)
LOSS = KimiLoss(tau=0.3)
RESPONSES = ((30, 40, 50), (60,))
PROBLEMS = {
    "text": [ask("3+4=?"), ask("What is green and red and blue and left?")],
    "image": [ask(pixels(1), "How many?"), ask("left", pixels(2, 48, 16), "right", pixels(3, 16, 32), "red?")],
}


@dataclass(frozen=True)
class Variant:
    """A backend, settings of policy and model, how many layouts, and whether each goes on from the one before.

    of       the model, by its place in MODELS
    earlier  settings of a policy that learned over the same model before, as in an earlier stage or stretch
    resumed  half-way the ranks stop and go on from a checkpoint, over the start model loaded again
    begun_alone  they go on from the checkpoint of one process instead of their own (write_begun)
    """

    backend: Any
    count: int = 48
    policy: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    chained: bool = False
    chunk_logits: int = CHUNK_LOGITS
    of: str = "deep"
    earlier: dict[str, Any] | None = None
    resumed: bool = False
    begun_alone: bool = False


def zero(stage: int, **more: Any) -> DeepSpeedBackend:
    """Every weight is sharded, however small."""
    return DeepSpeedBackend(stage=stage, whole_below=0, **more)


MODELS = ("deep", "shallow", "tiles")  # shallow: one layer in tower and language part, for many layouts; Idefics3
ADAPTERS = {"lora": LoraSettings(rank=2), "freeze": ("vision",)}
MUON = {"optimizer": OptimizerSettings(name="muon", lr=1e-3, adamw_lr=5e-4, max_norm=0.5)}
ON = {"chained": True, "resumed": True}
VARIANTS = {
    "data_parallel": Variant(TorchBackend(), 15, of="shallow"),
    "zero_1": Variant(zero(1), 8, of="shallow"),
    "zero_2": Variant(zero(2), 15, of="shallow"),
    "zero_3": Variant(zero(3), 15, of="shallow"),  # each kind of pair
    "offload_2": Variant(zero(2, offload_optimizer=True), 6, chained=True),
    "offload_3": Variant(zero(3, offload_optimizer=True), 6, of="shallow", chained=True),
    "moments_1": Variant(zero(1), 6, chained=True),
    "moments_3": Variant(zero(3), 6, chained=True),
    "clipped_2": Variant(zero(2), 6, {"optimizer": OptimizerSettings(lr=1e-3, max_norm=0.5)}),
    "frozen_tower_3": Variant(zero(3), 4, {"freeze": ("vision", "projector")}),
    "checkpointed_3": Variant(zero(3), 3, model={"gradient_checkpointing": True}),
    "head_in_pieces_3": Variant(zero(3), 3, of="shallow", chunk_logits=4 * 310),
    "frozen_language_3": Variant(zero(3), 4, {"freeze": ("language",)}, of="shallow"),
    "frozen_language_2": Variant(zero(2), 4, {"freeze": ("language", "vision")}),
    "frozen_language_data_parallel": Variant(TorchBackend(), 8, {"freeze": ("language",)}),
    "one_line_2": Variant(zero(2), 6, {"pack_sequences": True}),
    "tiles_3": Variant(zero(3), 3, of="tiles"),
    "adapters_2": Variant(zero(2), 6, ADAPTERS, **ON),
    "adapters_offload_3": Variant(zero(3, offload_optimizer=True), 4, ADAPTERS, of="shallow", **ON),
    "second_2": Variant(zero(2), 4, of="shallow", earlier={}, chained=True),
    "second_frozen_2": Variant(zero(2), 6, {"freeze": ("vision", "projector")}, of="shallow", earlier={}, **ON),
    "second_frozen_3": Variant(zero(3), 4, {"freeze": ("vision",)}, of="shallow", earlier={}, **ON),
    "second_adapters_2": Variant(zero(2), 6, ADAPTERS, of="shallow", earlier=ADAPTERS, **ON),
    "second_adapters_3": Variant(zero(3), 4, ADAPTERS, of="shallow", earlier=ADAPTERS, **ON),
    "fsdp": Variant(FsdpBackend(), 15, of="shallow"),
    "moments_fsdp": Variant(
        FsdpBackend(), 6, model={"gradient_checkpointing": True}, chained=True, resumed=True, begun_alone=True
    ),
    "muon_fsdp": Variant(FsdpBackend(), 4, MUON, of="shallow", chained=True),
    "frozen_tower_fsdp": Variant(FsdpBackend(), 3, {"freeze": ("vision", "projector")}, of="shallow"),
    "projector_fsdp": Variant(FsdpBackend(), 4, {"freeze": ("vision",)}),
    "frozen_language_fsdp": Variant(FsdpBackend(), 3, {"freeze": ("language",)}, of="shallow"),
    "tiles_fsdp": Variant(FsdpBackend(), 3, {"pack_sequences": True}, of="tiles"),
    "second_adapters_fsdp": Variant(FsdpBackend(), 4, ADAPTERS, of="shallow", earlier=ADAPTERS, **ON),
}


@dataclass(frozen=True)
class Layout:
    """Kinds of rows by rank; a rank may have none, but not all of them."""

    ranks: tuple[tuple[str, ...], ...]
    seed: int

    @property
    def shares(self) -> list[list[int]]:
        """Places of each rank's rows, all rows counted rank by rank."""
        found, start = [], 0
        for kinds in self.ranks:
            found.append(list(range(start, start + len(kinds))))
            start += len(kinds)
        return found


KINDS_OF_A_RANK = ((), ("text",), ("image",), *itertools.product(("text", "image"), repeat=2))
PAIRS = tuple(pair for pair in itertools.product(KINDS_OF_A_RANK, repeat=2) if any(pair))  # 48: all that two may have


def kinds(pair: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Which kinds of rows each rank of a pair has, however many."""
    return tuple("".join(sorted(set(of_rank))) for of_rank in pair)


KINDS = {kinds(pair) for pair in PAIRS}  # 15


def layouts(count: int) -> list[Layout]:
    """Of two ranks, in a drawn order, of unlike lengths: a pair of each of KINDS, then the others of PAIRS."""
    rng = np.random.default_rng(7)
    found: list[Layout] = []
    while len(found) < count:
        pairs = [PAIRS[place] for place in rng.permutation(len(PAIRS))]
        firsts = list({kinds(pair): pair for pair in reversed(pairs)}.values())
        order = [*firsts, *(pair for pair in pairs if pair not in firsts)]
        found += [Layout(pair, len(found) + i) for i, pair in enumerate(order)]
    return found[:count]


def examples(encoded, layout: Layout) -> list[Example]:
    """Rows of a layout, in the order of its ranks, with random responses, references and advantages."""
    rng = np.random.default_rng(layout.seed)
    found = []
    for kind in (kind for kinds in layout.ranks for kind in kinds):
        one = encoded[kind][rng.integers(len(encoded[kind]))]
        count = int(rng.integers(1, 3))
        responses = tuple(tuple(rng.integers(20, 200, rng.integers(1, 12)).tolist()) for _ in range(count))
        reference = tuple(tuple((-4 + 0.2 * rng.standard_normal(len(r))).tolist()) for r in responses)
        found.append(Example(one, responses, tuple(rng.standard_normal(count).tolist()), reference))
    return found


def encoded_problems(loaded):
    """Every problem's prompt, by kind."""
    return {kind: encode(loaded, *problems) for kind, problems in PROBLEMS.items()}


def rows_to_read(encoded) -> list[Example]:
    """Every prompt with two responses."""
    return [Example(one, RESPONSES) for kind in sorted(encoded) for one in encoded[kind]]


def flat(policy, tower: bool) -> torch.Tensor:
    """All weights in a row: those of tower and projector, or the others.

    Without biases of keys: each adds the same to all scores of a query, so that its gradient is rounding alone.
    """
    return torch.cat(
        [
            tensor.flatten()
            for name, tensor in policy.weights()
            if (part_of(name) != "language") == tower and not name.endswith("k_proj.bias")
        ]
    )


def run(
    policy,
    encoded,
    drawn: Sequence[Layout],
    variant: Variant,
    before_each: Callable[[Any, Layout], None] = lambda policy, layout: None,
    resume: Callable[[Any], Any] = lambda policy: policy,
) -> tuple[list[Any], Any]:
    """(metrics, movements) of every layout, from the same weights or one after the other; and the policy in the end."""
    before = [flat(policy, tower) for tower in (True, False)]
    at_start = copy.deepcopy(policy.state_dict())  # as a checkpoint on disk is a copy
    found = []
    for number, layout in enumerate(drawn):
        if number == len(drawn) // 2:
            policy = resume(policy)
        before_each(policy, layout)
        if not variant.chained:
            policy.load_state_dict(copy.deepcopy(at_start))
        metrics = policy.update(examples(encoded, layout), LOSS, 1.0, 1.0).metrics()
        found.append((dict(metrics), [flat(policy, i == 0) - weights for i, weights in enumerate(before)]))
    return found, policy


def open_policy(variant: Variant, folders: Sequence[Path], backend) -> Any:
    """The policy that a variant asks for, over a model of its own; `folders` are of MODELS."""
    logprobs.CHUNK_LOGITS = variant.chunk_logits
    loaded = fresh(folders[MODELS.index(variant.of)], in_shards=backend.in_shards, **variant.model)
    return backend.open(loaded, SETTINGS.model_copy(update=variant.policy))


def open_variant(variant: Variant, folders: Sequence[Path], backend) -> Any:
    """The same, where the earlier policy has learned and closed."""
    if variant.earlier is None:
        return open_policy(variant, folders, backend)
    first = open_policy(replace(variant, policy=variant.earlier), folders, backend)
    for layout in layouts(12)[8:]:
        first.update(examples(encoded_problems(first.loaded), layout), LOSS, 1.0, 1.0)
    first.close()
    return backend.open(first.loaded, SETTINGS.model_copy(update=variant.policy))


def write_begun(out: Path, folders: Sequence[Path], name: str) -> None:
    """In one process: the checkpoint that comes after the first half of a chained variant's layouts."""
    variant = VARIANTS[name]
    policy = open_variant(variant, folders, variant.backend)
    run(policy, encoded_problems(policy.loaded), layouts(variant.count)[: variant.count // 2], variant)
    save_checkpoint(out / f"begun_{name}", 1, {"policy": policy})
    policy.close()


def go_on_alone(out: Path, folders: Sequence[Path], name: str) -> list[Any]:
    """In one process: (metrics, movements) of the second half, from the checkpoint that the ranks wrote after the first
    one. Movements are from the start.
    """
    variant = VARIANTS[name]
    policy = open_policy(variant, folders, variant.backend)
    before = [flat(policy, tower) for tower in (True, False)]
    load_checkpoint(out / f"checkpoints_{name}" / "step_000001", {"policy": policy})
    encoded, found = encoded_problems(policy.loaded), []
    for layout in layouts(variant.count)[variant.count // 2 :]:
        metrics = policy.update(examples(encoded, layout), LOSS, 1.0, 1.0).metrics()
        found.append((dict(metrics), [flat(policy, i == 0) - weights for i, weights in enumerate(before)]))
    policy.close()
    return found


def main(out: Path, folders: Sequence[Path], names: Sequence[str]) -> None:
    """Every layout of every variant; rank 0 writes losses, norms and movements."""
    torch.set_num_threads(1)
    dist.start()
    for name in names:
        variant = VARIANTS[name]

        def before_each(policy, layout, name=name):
            faulthandler.cancel_dump_traceback_later()
            (out / f"at_{dist.rank()}").write_text(f"rank {dist.rank()}, {name}: {layout}")
            faulthandler.dump_traceback_later(PATIENCE_SECONDS, exit=True)
            policy.shares.of = lambda rows: layout.shares

        def resume(policy, name=name, variant=variant):
            if not variant.resumed:
                return policy
            held = save_checkpoint(out / f"checkpoints_{name}", 1, {"policy": policy})
            if variant.begun_alone:
                held = out / f"begun_{name}" / held.name
            policy.close()
            policy = open_policy(variant, folders, variant.backend)
            load_checkpoint(held, {"policy": policy})
            return policy

        policy = open_variant(variant, folders, variant.backend)
        encoded = encoded_problems(policy.loaded)
        found, policy = run(policy, encoded, layouts(variant.count), variant, before_each, resume)
        del policy.shares.of
        policy.save(out / f"model_{name}")
        read = policy.logprobs(rows_to_read(encoded), 1.0)
        policy.close()
        if dist.is_first():
            torch.save((found, read), out / f"{name}.pt")
    faulthandler.cancel_dump_traceback_later()
    dist.leave()


if __name__ == "__main__":
    given = [Path(one) for one in sys.argv[1 : 2 + len(MODELS)]]
    main(given[0], given[1:], sys.argv[2 + len(MODELS) :])

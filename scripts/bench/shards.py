"""Weights in shards over several CPU ranks: the same numbers as one process, and what a rank holds.

    python scripts/bench/shards.py layouts                   # 200 drawn layouts of text, images and nothing at 2 ranks
    python scripts/bench/shards.py layouts --ranks 4 --backend zero-3
    python scripts/bench/shards.py memory                    # a model of 200 M weights on 4 ranks, in 8 GB
    python scripts/bench/shards.py layouts --count 6         # or memory --small: in a minute

`layouts`: each layout makes two updates by AdamW from the same start; a rank that waits longer than PATIENCE hangs, and
the script ends with an error. Loss and norm are compared relatively, losses below 1 absolutely; weights are those after
the second update.
`memory`: anonymous resident memory of a rank by phase, at most, less what it had before the model; read every 5 ms.
"""

from __future__ import annotations

import argparse
import copy
import faulthandler
import io
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow
from transformers import AutoModelForImageTextToText

from vlrl import dist
from vlrl.data.images.image_budget import ImageBudget
from vlrl.losses.kimi import KimiLoss
from vlrl.model.batch.example import Example
from vlrl.model.families.tiny_parts import TinyShape
from vlrl.model.load import LoadedModel, ModelSettings, load_folder
from vlrl.model.optimization.optimizer import OptimizerSettings
from vlrl.model.prompts.encode import Encoder
from vlrl.model.sharding.shards import own_rows
from vlrl.model.sizes import count_parameters, find_architecture
from vlrl.model.tiny import build_tiny
from vlrl.model.training.backends import DeepSpeedBackend, FsdpBackend, TorchBackend
from vlrl.model.training.torch_policy import PolicySettings
from vlrl.rollout.distributed_engine import open_engine
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers.transformers_settings import TransformersEngineSettings
from vlrl.training.lifecycle.checkpoint import load_checkpoint, save_checkpoint
from vlrl.types import Image, Problem, Text

PATIENCE = 240  # seconds
ALLOWED = 1e-5
BACKENDS = {
    "torch": TorchBackend(),
    "fsdp": FsdpBackend(),
    "zero-2": DeepSpeedBackend(stage=2),
    "zero-3": DeepSpeedBackend(stage=3, whole_below=0),
}
TEXTS = ["How many cards? What is 3+4=?", "red green blue left right"] * 10
SMALL = TinyShape(
    text_width=32, text_layers=2, head_size=16, key_value_heads=1, mlp_width=48, vision_width=32, vocabulary=310
)
LARGE = TinyShape(
    text_width=1024, text_layers=14, head_size=64, key_value_heads=4, mlp_width=3072, vision_width=512, vision_layers=8
)
SETTINGS = PolicySettings(optimizer=OptimizerSettings(lr=1e-3, max_norm=0.0), micro_batch_tokens=90)
LOSS = KimiLoss(tau=0.3)
MOST_ROWS = 3  # of a rank
PHASES = ("start", "reading", "rollout", "update", "checkpoint", "resume", "saving")
MIB = 2**20
GIVES_BACK = {"MALLOC_MMAP_THRESHOLD_": str(2**16)}  # glibc otherwise keeps what gathered layers have let go


def problem(seed: int, images: int) -> Problem:
    """A question with this many images of unlike sizes."""
    rng = np.random.default_rng(seed)
    prompt: list[Text | Image] = [Text("What is 3+4=? " * int(rng.integers(1, 4)))]
    for _ in range(images):
        height, width = (16 * int(n) for n in rng.integers(1, 4, 2))
        file = io.BytesIO()
        Pillow.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(file, "PNG")
        prompt.append(Image.from_bytes(file.getvalue()))
    return Problem(prompt=tuple(prompt), answer="7", verifier="number", modality="synthetic", domain="bench")


def layout(seed: int, ranks: int) -> list[list[int]]:
    """By rank, the number of images of each of its rows; a rank may have no rows, not all of them."""
    rng = np.random.default_rng(seed)
    while True:
        found = [[int(n) for n in rng.integers(0, 3, rng.integers(0, MOST_ROWS + 1))] for _ in range(ranks)]
        if any(found):
            return found


def rows_of(loaded: LoadedModel, drawn: Sequence[Sequence[int]], seed: int) -> list[Example]:
    """Rows of all ranks in order, with responses and advantages."""
    rng = np.random.default_rng(seed)
    problems = [problem(int(rng.integers(40)), images) for rank in drawn for images in rank]
    found = []
    for encoded in Encoder(loaded, ImageBudget(min_pixels=256, max_pixels=4096)).encode(problems):
        responses = tuple(
            tuple(rng.integers(20, 200, rng.integers(1, 12)).tolist()) for _ in range(int(rng.integers(1, 3)))
        )
        old = tuple(tuple((-4 + 0.2 * rng.standard_normal(len(r))).tolist()) for r in responses)
        found.append(Example(encoded, responses, tuple(rng.standard_normal(len(responses)).tolist()), old))
    return found


def spread_weights(folder: Path, shape: TinyShape, factor: float) -> None:
    """A small model whose matrices are `factor` times their initial size, so that what it reads matters."""
    build_tiny("tiny-qwen3-vl", TEXTS, folder, seed=0, shape=shape)
    model: Any = AutoModelForImageTextToText.from_pretrained(folder)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                parameter *= factor
    model.save_pretrained(folder)


def opened(folder: Path, backend: Any, settings: PolicySettings) -> Any:
    """A policy over the folder's model."""
    model = ModelSettings(path=str(folder), device="cpu", gradient_checkpointing=True)
    return backend.open(load_folder(str(folder), model, in_shards=backend.in_shards), settings)


# -- layouts -----------------------------------------------------------------------------------------------------------

Found = list[tuple[list[float], list[float], torch.Tensor]]


def updates(folder: Path, backend: Any, count: int, ranks: int) -> Found:
    """Of every layout: losses and norms of its two updates, and the weights after them."""
    policy = opened(folder, backend, SETTINGS)
    start = copy.deepcopy(policy.state_dict())
    found = []
    for seed in range(count):
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        policy.load_state_dict(copy.deepcopy(start))
        losses, norms = [], []
        for half in (2 * seed, 2 * seed + 1):
            drawn = layout(half, ranks)
            bounds = list(np.cumsum([0, *map(len, drawn)]))
            if dist.world() > 1:
                policy.shares.of = lambda _, bounds=bounds: [list(range(a, b)) for a, b in pairwise(bounds)]
            metrics = policy.update(rows_of(policy.loaded, drawn, half), LOSS, 1.0, 1.0).metrics()
            losses.append(metrics["loss/total"])
            norms.append(metrics["gradient/norm"])
        found.append((losses, norms, torch.cat([weight.flatten() for _, weight in policy.weights()])))
    faulthandler.cancel_dump_traceback_later()
    policy.close()
    return found


def compare(given: argparse.Namespace) -> None:
    """Print the largest differences between the ranks and one process."""
    with tempfile.TemporaryDirectory() as place:
        spread_weights(Path(place) / "model", SMALL, 8.0)
        alone = updates(Path(place) / "model", TorchBackend(), given.count, given.ranks)
        launch(given, place)
        found: Found = torch.load(Path(place) / "found.pt")
    loss = norm = weights = 0.0
    for (losses, norms, mine), (expected, lengths, theirs) in zip(found, alone, strict=True):
        loss = max(loss, *(abs(a - b) / max(1.0, abs(b)) for a, b in zip(losses, expected, strict=True)))
        norm = max(norm, *(abs(a - b) / b for a, b in zip(norms, lengths, strict=True)))
        weights = max(weights, float((mine - theirs).abs().max()))
    print("| backend | ranks | layouts | hangs | loss | gradient norm | weights |\n|---|---|---|---|---|---|---|")
    print(f"| {given.backend} | {given.ranks} | {given.count} | 0 | {loss:.1e} | {norm:.1e} | {weights:.1e} |")
    if max(loss, norm) > ALLOWED:
        sys.exit(f"allowed: {ALLOWED:g} of loss and norm")


# -- memory ------------------------------------------------------------------------------------------------------------


class Watch:
    """The largest anonymous resident memory of this process while a phase lasts."""

    def __init__(self) -> None:
        self._most, self._ends = 0.0, False
        self.base = anonymous_mib()
        self.peaks: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """All ranks enter and leave together."""
        dist.barrier()
        self._most, self._ends = 0.0, False
        thread = threading.Thread(target=self._look)
        thread.start()
        try:
            yield
        finally:
            self._ends = True
            thread.join()
            self.peaks[name] = self._most - self.base
            dist.barrier()

    def _look(self) -> None:
        while not self._ends:
            self._most = max(self._most, anonymous_mib())
            time.sleep(0.005)


def anonymous_mib() -> float:
    """Of this process: without the files that it has mapped, which the system may drop."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


def phases(folder: Path, backend: Any, out: Path) -> tuple[dict[str, float], dict[str, float]]:
    """MiB by phase of this rank, at most, and what it holds in tensors at the end."""
    watch = Watch()
    with watch.phase("start"):
        policy = opened(folder, backend, SETTINGS.model_copy(update={"micro_batch_tokens": 512}))
    loaded = policy.loaded
    rows = rows_of(loaded, [[0, 1]] * dist.world(), 0)
    with watch.phase("reading"):
        policy.logprobs(rows, 1.0)
    engine = open_engine(TransformersEngineSettings(), loaded)
    requests = [Request(row.encoded, 2, Sampling(max_tokens=8), i) for i, row in enumerate(rows)]
    with watch.phase("rollout"):
        engine.generate(requests)
    with watch.phase("update"):
        policy.update(rows, LOSS, 1.0, 1.0)
        policy.update(rows, LOSS, 1.0, 1.0)
    tensors = {
        name: sum(own_rows(t).nbytes for key, t in policy.state_dict().items() if key.startswith(name)) / MIB
        for name in ("weight", "moment")
    }
    with watch.phase("checkpoint"):
        held = save_checkpoint(out / "checkpoints", 1, {"policy": policy})
    with watch.phase("resume"):
        load_checkpoint(held, {"policy": policy})
    with watch.phase("saving"):
        policy.save(out / "saved")
    return watch.peaks, tensors


def measure(given: argparse.Namespace) -> None:
    """Print what the ranks held, the most of them by phase."""
    with tempfile.TemporaryDirectory() as place:
        build_tiny("tiny-qwen3-vl", TEXTS, Path(place) / "model", seed=0, shape=SMALL if given.small else LARGE)
        launch(given, place)
        by_rank, total, largest = torch.load(Path(place) / "found.pt")
    states, layer = 16 * total / given.ranks / MIB, 4 * largest / MIB
    print(
        f"{total / 1e6:.0f} M weights in float32 on {given.ranks} ranks; a rank's share of weights, gradients and two "
    )
    print(f"moments is {states:.0f} MiB, the largest layer {layer:.0f} MiB; tensors held: {by_rank[0][1]}\n")
    print("| phase | MiB of a rank at most | of share and layer |\n|---|---|---|")
    for name in PHASES:
        most = max(peaks[name] for peaks, _ in by_rank)
        print(f"| {name} | {most:.0f} | {most / (states + layer):.2f} |")


# -- ranks -------------------------------------------------------------------------------------------------------------


def launch(given: argparse.Namespace, place: str) -> None:
    """This script again, on every rank."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(given.ranks)]
    wanted = [given.what, "--rank-of", place, "--count", str(given.count), "--ranks", str(given.ranks)]
    command = [*torchrun, __file__, *wanted, "--backend", given.backend]
    done = subprocess.run(command, env={**os.environ, **GIVES_BACK}, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"the ranks failed or hung:\n{done.stderr[-4000:]}")


def work(given: argparse.Namespace) -> None:
    """What a rank does."""
    torch.set_num_threads(1)
    dist.start()
    place, backend = Path(given.rank_of), BACKENDS[given.backend]
    found: Any
    if given.what == "layouts":
        found = updates(place / "model", backend, given.count, given.ranks)
    else:
        counts = count_parameters(find_architecture(ModelSettings(path=str(place / "model")), list).config)
        by_rank = dist.gather(phases(place / "model", backend, place))
        found = by_rank, counts.total, max(counts.largest_layer, counts.ends)
    if dist.is_first():
        torch.save(found, place / "found.pt")
    dist.barrier()
    dist.leave()


def main() -> None:
    """Run and print."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("what", choices=("layouts", "memory"))
    arguments.add_argument("--backend", choices=BACKENDS, default="fsdp")
    arguments.add_argument("--ranks", type=int)
    arguments.add_argument("--count", type=int, default=200, help="layouts")
    arguments.add_argument("--small", action="store_true", help="memory of a very small model")
    arguments.add_argument("--rank-of", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    given.ranks = given.ranks or (2 if given.what == "layouts" else 4)
    torch.set_num_threads(1)
    if given.rank_of is not None:
        work(given)
    elif given.what == "layouts":
        compare(given)
    else:
        measure(given)


if __name__ == "__main__":
    main()

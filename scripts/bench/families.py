"""Every tested family's small model against transformers' own forward pass, in float32: the largest differences.

    nice -n 5 python scripts/bench/families.py                # all of them, a minute each on a busy core
    nice -n 5 python scripts/bench/families.py tiny-gemma3    # some of them
    nice -n 5 python scripts/bench/families.py --no-runs      # without the runs that are broken off

Prompts have 0 to 3 images of unlike sizes, one image in two of them, and go through the engine in one batch with k
responses each, longer than the small models' windows. Columns:

* packed rows: log-probabilities of rows [prompt | response 1 | … | response k], against one sequence a response;
* gradients: of a weighted sum of them, the worst parameter's error over the norm of the whole gradient;
* engine: log-probabilities of the tokens that it drew, against the same forward pass;
* in parts: responses written in several calls, by a model that was saved and read again: tokens and log-probabilities;
* shown images: an image that an environment shows behind a response, against the same as the prompt;
* broken off: a run of steps with partial rollouts, broken off after the second: its lines are those of a whole run.

Weights are 8 times their initial size (4 for Gemma 4), so that what is read changes what is said. The script ends with
exit code 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image as Pillow
from smallest_models import SHAPE, TEXTS

from vlrl.data.images.image_budget import ImageBudget
from vlrl.model.batch.example import Example, Observations
from vlrl.model.batch.packing import pack
from vlrl.model.families.attention_patterns import TWO_WAYS
from vlrl.model.families.tested import TESTED, TestedFamily
from vlrl.model.folders.reading_check import plain_inputs
from vlrl.model.load import LoadedModel, ModelSettings, load_folder, save_model
from vlrl.model.prompts.encode import Encoded, Encoder
from vlrl.model.prompts.positions import PositionRule
from vlrl.model.tiny import build_tiny
from vlrl.model.training.logprobs import response_logprobs
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.model.vision.image_encoding import VisionTower
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers.transformers_engine import TransformersEngine
from vlrl.runlog.run_folder import RunFolder, read_jsonl
from vlrl.training.run import start_run
from vlrl.types import Image, Problem, Rollout, Text

BAR, RESUME_BAR = 1e-5, 2e-5
K, TOKENS = 3, 30
RUN = (
    "threads=1",
    "sft={demonstrations: 24, steps: 40, batch: 8, validate_every: 50}",
    "rl.steps=4",
    "rl.problems_per_step=4",
    "rl.rollouts_per_problem=6",
    "rl.validate_every=50",
    "rl.checkpoint_every=1",
    "rl.log_every=1",
    "rl.skip_uninformative=false",
    "rl.over_sampling=null",
    "engine={name: transformers, max_num_seqs: 8}",
    "eval={problems: 2, curve_problems: 2}",
    "rl.sampling={max_tokens: 24}",
    "rl.partial={budget: 6}",
    "rl.credit.shape=[{name: length, weight: 1.0}]",  # nothing is right yet: without it no weight moves
)


def pixels(seed: int, width: int, height: int) -> Pillow.Image:
    """Random coloured pixels."""
    return Pillow.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


PROMPTS: tuple[tuple[str | Pillow.Image, ...], ...] = (
    ("3+4=?",),
    (pixels(1, 40, 40), "How many cards?"),
    ("left", pixels(2, 48, 24), "right", pixels(1, 40, 40), "red?"),
    (pixels(4, 64, 40), pixels(2, 48, 24), "blue", pixels(3, 24, 48), "What is green and red and left?"),
)


def problem_of(pieces: Sequence[str | Pillow.Image]) -> Problem:
    """A problem whose prompt is these texts and images."""
    prompt: list[Text | Image] = []
    for piece in pieces:
        if isinstance(piece, str):
            prompt.append(Text(piece))
            continue
        file = io.BytesIO()
        piece.save(file, "PNG")
        prompt.append(Image.from_bytes(file.getvalue()))
    return Problem(prompt=tuple(prompt), answer="7", verifier="number", modality="synthetic", domain="bench")


class Tried:
    """One small model: as it is loaded here, and as transformers loads it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        build_tiny(name, TEXTS, folder, 0, SHAPE)
        model: Any = transformers.AutoModelForImageTextToText.from_pretrained(folder)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim >= 2:
                    parameter *= 4.0 if name == "tiny-gemma4" else 8.0
        model.save_pretrained(folder)
        self.loaded = self.load(folder)
        self.plain: Any = transformers.AutoModelForImageTextToText.from_pretrained(folder, attn_implementation="eager")
        self.plain.eval()
        self.rule = TWO_WAYS.get(self.loaded.config.model_type)
        images_only = self.rule is not None and self.rule.what == "prompt"  # its processor wants an image
        self.asked = PROMPTS[1:] if images_only else PROMPTS
        encoder = Encoder(self.loaded, ImageBudget(min_pixels=256, max_pixels=4096))
        self.encoded: list[Encoded] = encoder.encode([problem_of(pieces) for pieces in self.asked])

    @staticmethod
    def load(folder: Path) -> LoadedModel:
        """Checked, where it is of the generic way."""
        return load_folder(str(folder), ModelSettings(path=str(folder), device="cpu"))

    def requests(self) -> list[Request]:
        """K responses to each prompt."""
        return [Request(one, K, Sampling(max_tokens=TOKENS), seed) for seed, one in enumerate(self.encoded)]

    @cached_property
    def answers(self) -> list[tuple[Rollout, ...]]:
        """All of them in one batch."""
        return TransformersEngine(self.loaded).generate(self.requests())

    @cached_property
    def examples(self) -> list[Example]:
        """Prompts with their responses."""
        return [
            Example(one, tuple(rollout.token_ids for rollout in rollouts))
            for one, rollouts in zip(self.encoded, self.answers, strict=True)
        ]

    def forward(self, prompt: int, response: tuple[int, ...]) -> torch.Tensor:
        """(T,) log-probabilities of a response by the plain forward pass, one sequence."""
        pieces, processor = self.asked[prompt], self.loaded.processor
        content = [{"type": "text", "text": p} if isinstance(p, str) else {"type": "image"} for p in pieces]
        text = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        images = [p for p in pieces if not isinstance(p, str)]
        more = {"images": [images]} if images else {}
        given = dict(processor(text=[text], add_special_tokens=False, return_tensors="pt", **more))
        if given["input_ids"][0].tolist() != list(self.encoded[prompt].token_ids):
            raise SystemExit(f"{self.name}: the encoder's tokens of prompt {prompt} are not the processor's")
        logits = self.plain(**plain_inputs(self.plain, given, response)).logits[0, -len(response) - 1 : -1]
        forbidden = torch.tensor(self.loaded.placeholder_ids)
        logp = logits.index_fill(-1, forbidden, float("-inf")).log_softmax(-1)
        return logp.gather(1, torch.tensor([response]).T)[:, 0]


def of_numbers(tried: Tried) -> tuple[float, float]:
    """Largest difference of packed rows, and of the engine, from the plain forward pass."""
    packed = TorchPolicy(tried.loaded, PolicySettings()).logprobs(tried.examples, 1.0)
    rows = engine = 0.0
    with torch.no_grad():
        for number, (rollouts, by_trainer) in enumerate(zip(tried.answers, packed, strict=True)):
            for rollout, mine in zip(rollouts, by_trainer, strict=True):
                plain = tried.forward(number, rollout.token_ids)
                rows = max(rows, float((torch.tensor(mine) - plain).abs().max()))
                engine = max(engine, float((torch.tensor(rollout.sampler_logprobs) - plain).abs().max()))
    return rows, engine


def of_gradients(tried: Tried) -> float:
    """The worst parameter's error, over the norm of the whole gradient."""
    loaded, tower = tried.loaded, VisionTower(tried.loaded.model)
    loaded.model.requires_grad_(True)
    batch = pack(tried.examples, PositionRule(loaded.model), 0, loaded.device)
    forbidden = torch.tensor(loaded.placeholder_ids)
    found = response_logprobs(loaded.model, tower, batch, tower.encode_images(batch.images), forbidden).logprobs
    plain = torch.cat([tried.forward(n, r) for n, row in enumerate(tried.examples) for r in row.responses])
    weights = torch.linspace(-1.0, 2.0, len(found))
    (weights * found).sum().backward()
    (weights * plain).sum().backward()
    expected = {name: p.grad for name, p in tried.plain.named_parameters() if p.grad is not None}
    mine = {name: p.grad for name, p in loaded.model.named_parameters() if p.grad is not None}
    if mine.keys() != expected.keys():
        raise SystemExit(f"{tried.name}: other parameters have gradients: {sorted(mine.keys() ^ expected.keys())[:3]}")
    whole = torch.stack([gradient.norm() for gradient in expected.values()]).norm()
    loaded.model.zero_grad()
    return float(max((mine[name] - expected[name]).norm() for name in mine) / whole)


def in_parts(tried: Tried, folder: Path) -> float:
    """Largest difference of a log-probability; infinite where a token differs."""
    save_model(tried.loaded, folder)
    engine = TransformersEngine(tried.load(folder))
    held: list[Any] = [None] * len(tried.encoded)
    for new in (1, 5, None):
        cut = [
            replace(one, resume_from=begun, new_tokens=None if new is None else new + i)
            for i, (one, begun) in enumerate(zip(tried.requests(), held, strict=True))
        ]
        held = list(engine.generate(cut))
    pairs = [(a, b) for x, y in zip(held, tried.answers, strict=True) for a, b in zip(x, y, strict=True)]
    if any(a.token_ids != b.token_ids for a, b in pairs):
        return float("inf")
    return max(abs(p - q) for a, b in pairs for p, q in zip(a.sampler_logprobs, b.sampler_logprobs, strict=True))


def shown(tried: Tried) -> float | None:
    """Largest difference of what follows an image that an environment shows; None where it is another prompt."""
    if tried.rule is not None and tried.rule.what == "prompt":
        return None  # a prompt reads itself in both directions, what follows it doesn't
    prompt, other = tried.encoded[-3], tried.encoded[-2]
    begun, more = (70, 80, 90), (75, 65, 95, 85)
    ids, types = (*begun, *other.token_ids), (*(0,) * len(begun), *other.token_types)
    written = (*(True,) * len(begun), *(False,) * other.num_tokens, *(True,) * len(more))
    seen = Observations(written, (*types, *(0,) * len(more)), other.images)
    example = Example(prompt, ((*ids, *more), (66, 77, 88)), observations=(seen, None))
    policy = TorchPolicy(tried.loaded, PolicySettings())
    (found,) = policy.logprobs([example], 1.0)
    (alone,) = policy.logprobs([Example(prompt.followed_by(ids, types, other.images), (more,))], 1.0)
    return max(abs(a - b) for a, b in zip(found[0][-len(more) :], alone[0], strict=True))


class BrokenOff(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


def run_is_the_same(name: str, folder: Path) -> bool:
    """Whether a run that is broken off after its second step writes in the end what a whole one writes."""
    shape = json.dumps({**SHAPE.model_dump(exclude_unset=True), "tile": 48, "tiles_a_side": 1, "vocabulary": 400})
    settings = [*RUN, f"model.build={name}", f"model.shape={shape}"]
    start_run("configs/quickstart.yaml", [*settings, f"run_folder={folder / 'whole'}"])
    metrics = RunFolder.metrics

    def until(self: RunFolder, of: str, number: int, values: Any) -> Any:
        record = metrics(self, of, number, values)
        if of == "rl" and number == 2:
            raise BrokenOff
        return record

    RunFolder.metrics = until  # type: ignore[method-assign]
    try:
        start_run("configs/quickstart.yaml", [*settings, f"run_folder={folder / 'broken'}"])
    except BrokenOff:
        pass
    finally:
        RunFolder.metrics = metrics  # type: ignore[method-assign]
    start_run("configs/quickstart.yaml", [*settings, f"run_folder={folder / 'broken'}"])
    return all(_lines(folder / "whole" / file) == _lines(folder / "broken" / file) for file in LOGGED)


LOGGED = ("metrics.jsonl", "rollouts.jsonl")


def _lines(file: Path) -> list[dict[str, Any]]:
    """Everything but times."""
    return [
        {k: v for k, v in record.items() if not k.startswith(("time/", "colocated/")) and "second" not in k}
        for record in read_jsonl(file)
    ]


@dataclass(frozen=True)
class Found:
    """One line of the table."""

    cells: tuple[str, ...]
    holds: bool


def look_at(family: TestedFamily, name: str, runs: bool) -> Found:
    """Everything of one small model."""
    with tempfile.TemporaryDirectory() as place:
        tried = Tried(name, Path(place) / "model")
        rows, engine = of_numbers(tried)
        again, gradients, image = in_parts(tried, Path(place) / "again"), of_gradients(tried), shown(tried)
        # a family whose processor wants an image refuses the quickstart's problems of text
        same = run_is_the_same(name, Path(place)) if runs and len(tried.asked) == len(PROMPTS) else None
    numbers = [(rows, BAR), (gradients, BAR), (engine, BAR), (again, RESUME_BAR), (image or 0.0, RESUME_BAR)]
    counts = [sum(not isinstance(piece, str) for piece in pieces) for pieces in tried.asked]
    cells = [family.title, f"{min(counts)}–{max(counts)}"]
    cells += [f"{value:.1e}" for value, _ in numbers[:4]] + ["–" if image is None else f"{image:.1e}"]
    cells.append({None: "–", True: "same", False: "DIFFERS"}[same])
    return Found(tuple(cells), all(value <= bar for value, bar in numbers) and same is not False)


def chosen(names: Sequence[str]) -> Iterator[tuple[TestedFamily, str]]:
    """Families with their small models: those named, or all."""
    for family in TESTED:
        yield from ((family, name) for name in family.small if not names or name in names)


def main() -> None:
    """Print the table; exit code 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="names of small models; default: all")
    parser.add_argument("--no-runs", action="store_true", help="leave out the runs that are broken off")
    asked = parser.parse_args()
    warnings.filterwarnings("ignore", message="engine: tokens are read")
    print("| family | images | packed rows | gradients | engine | in parts | shown images | broken off |")
    print("|---|---|---|---|---|---|---|---|")
    missed, without = [], importlib.util.find_spec("torchvision") is None
    for family, name in chosen(asked.models):
        if family.torchvision and without:
            print(f"| {family.title} | its processor needs torchvision, which isn't installed | | | | | | |")
            continue
        found = look_at(family, name, not asked.no_runs)
        print("| " + " | ".join(found.cells) + " |", flush=True)
        if not found.holds:
            missed.append(name)
    if missed:
        sys.exit(f"above {BAR:g}: {', '.join(missed)}")


if __name__ == "__main__":
    main()

"""Rollout: vlrl's engine against `model.generate(num_return_sequences=8)` of transformers, in one process, alternating.

    python scripts/bench/rollout.py            # a table: image problems, then text and image problems half and half
    python scripts/bench/rollout.py --smoke    # the same on a tiny model, in seconds

Both sides hold the same weights in float32 and sample at temperature 1. Response lengths are forced from one fixed list
(image_heavy.LENGTHS): end tokens can't be sampled on either side; vlrl gets a token budget per response, `generate` a
stopping criterion that ends each row at its length, and pays for finished rows until the longest ends, as it does when
responses end by themselves. `generate` takes all problems in one left-padded batch; for the mixed set it also runs in
two calls, one a modality, and its faster way counts. Encoding is outside the timing on both sides.

Before timing, the script checks that both draw from one distribution: greedy responses are equal token by token, and
the engine's log-probabilities of sampled responses equal those of a plain forward pass to 1e-5. "Tokens allow" is the
ratio of tokens through the language model, "FLOP allow" that of multiply-adds, vision tower included.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from alternate import alternate, cpu_ratio, machine, ratio
from image_heavy import LENGTHS, PROBLEMS, K, Setting, build, image_problem, side_pixels, text_problem
from transformers import GenerationConfig, StoppingCriteria, StoppingCriteriaList
from work import Work, language, vision

from vlrl.model.prompts.encode import Encoded
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers.transformers_engine import TransformersEngine
from vlrl.seeding import derive_seed
from vlrl.types import Rollout

TOLERANCE = 1e-5


class EndsAt(StoppingCriteria):  # type: ignore[misc]
    """Each row ends when it has written its number of tokens."""

    def __init__(self, prompt_length: int, lengths: Sequence[int]) -> None:
        self._prompt_length = prompt_length
        self._lengths = torch.tensor(lengths)

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        return input_ids.shape[1] - self._prompt_length >= self._lengths.to(input_ids.device)


def padded_inputs(prompts: Sequence[Encoded], pad: int, device: torch.device) -> dict[str, torch.Tensor]:
    """Prompts as `generate` takes them: left-padded, images in order."""
    width = max(p.num_tokens for p in prompts)
    rows = [(pad,) * (width - p.num_tokens) + p.token_ids for p in prompts]
    types = [(0,) * (width - p.num_tokens) + p.token_types for p in prompts]
    seen = [[0] * (width - p.num_tokens) + [1] * p.num_tokens for p in prompts]
    inputs = {
        "input_ids": torch.tensor(rows),
        "attention_mask": torch.tensor(seen),
        "mm_token_type_ids": torch.tensor(types, dtype=torch.int),
    }
    images = [image for p in prompts for image in p.images]
    if images:
        inputs["pixel_values"] = torch.cat([image.patches for image in images])
        inputs["image_grid_thw"] = torch.tensor([image.grid for image in images])
    return {name: tensor.to(device) for name, tensor in inputs.items()}


@dataclass(frozen=True)
class Case:
    """Problems to answer and the length of each of their k responses."""

    name: str
    encoded: tuple[Encoded, ...]
    lengths: tuple[tuple[int, ...], ...]


def ours(engine: TransformersEngine, case: Case, seed: int, temperature: float = 1.0) -> list[tuple[Rollout, ...]]:
    """vlrl's engine on a case."""
    sampling = Sampling(temperature=temperature, max_tokens=max(map(max, case.lengths)))
    requests = [
        Request(one, len(lengths), sampling, derive_seed(seed, "bench", r), lengths)
        for r, (one, lengths) in enumerate(zip(case.encoded, case.lengths, strict=True))
    ]
    return engine.generate(requests)


@torch.inference_mode()
def theirs(setting: Setting, case: Case, seed: int, sample: bool = True) -> list[list[list[int]]]:
    """transformers' `generate` on a case: tokens by problem and response."""
    torch.manual_seed(seed)
    inputs = padded_inputs(case.encoded, setting.loaded.tokenizer.pad_token_id, setting.loaded.device)
    width = inputs["input_ids"].shape[1]
    flat = [length for lengths in case.lengths for length in lengths]
    config = GenerationConfig(
        do_sample=sample,
        temperature=1.0 if sample else None,
        top_k=0 if sample else None,
        num_return_sequences=len(case.lengths[0]),
        max_new_tokens=max(flat),
        suppress_tokens=list(setting.suppressed),
        pad_token_id=setting.loaded.tokenizer.pad_token_id,
        eos_token_id=None,
        use_cache=True,
    )
    stopping = StoppingCriteriaList([EndsAt(width, flat)])
    written = setting.plain.generate(**inputs, generation_config=config, stopping_criteria=stopping)[:, width:]
    rows = [row[:length].tolist() for row, length in zip(written, flat, strict=True)]
    k = len(case.lengths[0])
    return [rows[p * k : (p + 1) * k] for p in range(len(case.lengths))]


def by_modality(case: Case) -> list[Case]:
    """The case cut into its image problems and its text problems."""
    parts = []
    for name, wanted in (("image", True), ("text", False)):
        kept = [i for i, one in enumerate(case.encoded) if bool(one.images) == wanted]
        if kept:
            parts.append(Case(name, tuple(case.encoded[i] for i in kept), tuple(case.lengths[i] for i in kept)))
    return parts


@torch.inference_mode()
def check_same_distribution(setting: Setting, engine: TransformersEngine, case: Case) -> tuple[float, int]:
    """(largest difference of a log-probability, greedy tokens compared). Ends the script where they differ."""
    short = Case(case.name, case.encoded, tuple((max(4, lengths[0]),) for lengths in case.lengths))
    greedy = [[list(r.token_ids) for r in g] for g in ours(engine, short, 0, temperature=0.0)]
    if greedy != theirs(setting, short, 0, sample=False):
        sys.exit(f"{case.name}: greedy responses differ from generate's")
    worst = 0.0
    for one, rollouts in zip(case.encoded, ours(engine, short, seed=7), strict=True):
        tokens = list(rollouts[0].token_ids)
        inputs = padded_inputs([one], 0, setting.loaded.device)
        more = torch.tensor([tokens], device=setting.loaded.device)
        inputs["input_ids"] = torch.cat([inputs["input_ids"], more], 1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        inputs["mm_token_type_ids"] = torch.nn.functional.pad(inputs["mm_token_type_ids"], (0, len(tokens)))
        logits = setting.plain(**inputs).logits[0, one.num_tokens - 1 : -1]
        logits[:, list(setting.suppressed)] = float("-inf")
        expected = torch.log_softmax(logits, -1).gather(1, more[0][:, None])[:, 0]
        gap = (expected - torch.tensor(rollouts[0].sampler_logprobs, device=expected.device)).abs().max()
        worst = max(worst, float(gap))
    if worst > TOLERANCE:
        sys.exit(f"{case.name}: a log-probability is {worst:.1e} off a plain forward pass, allowed {TOLERANCE}")
    return worst, sum(len(row) for rows in greedy for row in rows)


def our_work(setting: Setting, case: Case) -> Work:
    """Each image encoded once, each prompt read once, then every token that is kept."""
    total = Work()
    for one, lengths in zip(case.encoded, case.lengths, strict=True):
        for image in one.images:
            total += vision(setting.plain, image.num_patches)
        total += language(setting.plain, one.num_tokens)
        for length in lengths:
            total += language(setting.plain, length - 1, one.num_tokens)
    return total


def their_work(setting: Setting, case: Case) -> Work:
    """Every response looks and reads for itself, padded to the longest prompt and the longest response."""
    total = Work()
    width = max(one.num_tokens for one in case.encoded)
    longest = max(map(max, case.lengths))
    for one, lengths in zip(case.encoded, case.lengths, strict=True):
        row = language(setting.plain, width) + language(setting.plain, longest - 1, width)
        for image in one.images:
            row += vision(setting.plain, image.num_patches)
        total += row * len(lengths)
    return total


def main() -> None:
    """Check, time, print."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--smoke", action="store_true", help="a tiny model and short responses, in seconds")
    arguments.add_argument("--repeats", type=int, default=None, help="turns of each side (default 3)")
    arguments.add_argument("--threads", type=int, default=None, help="torch threads (default: torch's own choice)")
    given = arguments.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    repeats = given.repeats or (1 if given.smoke else 3)
    lengths = tuple(tuple(max(2, n // 10) for n in row) for row in LENGTHS) if given.smoke else LENGTHS
    flat = [n for row in lengths for n in row]
    with tempfile.TemporaryDirectory() as folder:
        setting = build(Path(folder), given.smoke)
        engine = TransformersEngine(setting.loaded)
        side = side_pixels(given.smoke)
        images = [image_problem(i, side) for i in range(PROBLEMS)]
        half = [problem for i in range(PROBLEMS // 2) for problem in (images[i], text_problem(i))]
        cases = [
            Case("image problems", tuple(setting.encoder.encode(images)), lengths),
            Case("text and image problems, half and half", tuple(setting.encoder.encode(half)), lengths),
        ]
        size = sum(p.numel() for p in setting.plain.parameters()) / 1e6
        print(f"rollout, {machine()}")
        print(
            f"{size:.1f} M parameters, {PROBLEMS} problems × {K} responses, prompts of "
            f"{cases[0].encoded[0].num_tokens} tokens, responses of {sum(flat) / len(flat):.0f} tokens on average, "
            f"{max(flat)} at most"
        )
        heads = ("problems", "generate", "vlrl", "times as fast", "by CPU time", "tokens allow", "FLOP allow")
        print(f"| {' | '.join(heads)} | log-prob gap | greedy tokens |")
        print("|---|---|---|---|---|---|---|---|---|", flush=True)
        for case in cases:
            gap, compared = check_same_distribution(setting, engine, case)
            sides = {
                "vlrl": lambda case=case: ours(engine, case, 3),
                "one call": lambda case=case: theirs(setting, case, 3),
            }
            parts = by_modality(case)
            if len(parts) > 1:
                sides["two calls"] = lambda parts=parts: [theirs(setting, part, 3) for part in parts]
            taken = alternate(sides, repeats)
            way = min((name for name in taken if name != "vlrl"), key=lambda name: taken[name].median)
            work, more = our_work(setting, case), their_work(setting, case)
            if way == "two calls":
                more = sum((their_work(setting, part) for part in parts), Work())
            print(
                f"| {case.name} | {taken[way]}, {way} | {taken['vlrl']} | {ratio(taken[way], taken['vlrl'])} "
                f"| {cpu_ratio(taken[way], taken['vlrl'])} "
                f"| {more.tokens / work.tokens:.1f}× | {more.flops / work.flops:.1f}× | {gap:.0e} | {compared} equal |",
                flush=True,
            )


if __name__ == "__main__":
    main()

"""Rollout: the vLLM engine against the transformers engine on the same requests, in one process, alternating.

    python scripts/bench/engines.py            # a table: image problems, then text and image problems half and half
    python scripts/bench/engines.py --smoke    # the same on a tiny model, in seconds

Needs vLLM (`scripts/setup vllm`). Both engines hold the same weights in float32 and sample at temperature 1; every
response has the length that one fixed list gives it (image_heavy.LENGTHS), because end tokens can't be sampled.
Both get the same encoded prompts; encoding is outside the timing, and so is vLLM's start, which is told beside the
table. The time of a weight refresh is told for both. Before timing, greedy responses must be equal token by token and
the log-probabilities of the greedy tokens must agree to 1e-4.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from alternate import alternate, cpu_ratio, machine, ratio
from image_heavy import LENGTHS, PROBLEMS, K, Setting, build, image_problem, side_pixels, text_problem

from vlrl.rollout.engine import Request, RolloutEngine, Sampling
from vlrl.rollout.transformers.transformers_engine import TransformersEngine
from vlrl.rollout.vllm.vllm_engine import VllmEngine
from vlrl.rollout.vllm.vllm_settings import VllmEngineSettings
from vlrl.seeding import derive_seed
from vlrl.types import Rollout

TOLERANCE = 1e-4


def seconds(work: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def requests(encoded: list, lengths: tuple, temperature: float = 1.0) -> list[Request]:
    """One request a problem with the lengths of its responses as budgets."""
    sampling = Sampling(temperature=temperature, max_tokens=max(map(max, lengths)))
    return [
        Request(one, len(row), sampling, derive_seed(3, "bench", r), row)
        for r, (one, row) in enumerate(zip(encoded, lengths, strict=True))
    ]


def check_equal(ours: list[tuple[Rollout, ...]], theirs: list[tuple[Rollout, ...]]) -> tuple[float, int]:
    """(largest difference of a log-probability, tokens compared). Ends the script where the engines differ."""
    worst, count = 0.0, 0
    for a, b in zip(ours, theirs, strict=True):
        for x, y in zip(a, b, strict=True):
            if x.token_ids != y.token_ids:
                sys.exit(f"greedy responses differ: {x.token_ids[:20]} and {y.token_ids[:20]}")
            worst = max(worst, *(abs(p - q) for p, q in zip(x.sampler_logprobs, y.sampler_logprobs, strict=True)))
            count += x.num_tokens
    if worst > TOLERANCE:
        sys.exit(f"a log-probability differs by {worst:.1e}, allowed {TOLERANCE}")
    return worst, count


def iteration(engine: RolloutEngine, weights: list, asked: list[Request]) -> None:
    """New weights, then responses, as in training: no prompt or image is remembered from the turn before."""
    engine.load_weights(weights, 1)
    engine.generate(asked)


def engines_of(setting: Setting, rows: int) -> dict[str, RolloutEngine]:
    """Both engines over the same model, from which no end token can be sampled."""
    settings = VllmEngineSettings(max_num_seqs=rows, max_num_batched_tokens=8192, cache_gib=1.0)
    return {"transformers": TransformersEngine(setting.loaded), "vllm": VllmEngine(setting.loaded, settings)}


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
    with tempfile.TemporaryDirectory() as folder:
        setting = build(Path(folder), given.smoke)
        side = side_pixels(given.smoke)
        images = [image_problem(i, side) for i in range(PROBLEMS)]
        half = [problem for i in range(PROBLEMS // 2) for problem in (images[i], text_problem(i))]
        engines = engines_of(setting, PROBLEMS * K)
        weights = list(setting.loaded.model.named_parameters())
        started = seconds(lambda: engines["vllm"].load_weights(weights, 0))
        refreshed = {name: seconds(lambda e=engine: e.load_weights(weights, 1)) for name, engine in engines.items()}
        print(f"engines, {machine()}")
        print(
            f"{sum(p.numel() for p in setting.loaded.model.parameters()) / 1e6:.1f} M parameters, {PROBLEMS} problems "
            f"× {K} responses; vLLM's start {started:.1f} s, weight refresh "
            + ", ".join(f"{name} {taken:.2f} s" for name, taken in refreshed.items())
        )
        print("| problems | transformers | vllm | vllm / transformers | by CPU time | log-prob gap | greedy tokens |")
        print("|---|---|---|---|---|---|---|", flush=True)
        for name, problems in (("image problems", images), ("text and image problems, half and half", half)):
            encoded = setting.encoder.encode(problems)
            greedy = requests(encoded, lengths, temperature=0.0)
            gap, compared = check_equal(engines["vllm"].generate(greedy), engines["transformers"].generate(greedy))
            asked = requests(encoded, lengths)
            sides = {key: lambda e=engine, a=asked: iteration(e, weights, a) for key, engine in engines.items()}
            taken = alternate(sides, repeats)
            print(
                f"| {name} | {taken['transformers']} | {taken['vllm']} | {ratio(taken['vllm'], taken['transformers'])} "
                f"| {cpu_ratio(taken['vllm'], taken['transformers'])} | {gap:.0e} | {compared} equal |",
                flush=True,
            )
        engines["vllm"].close()


if __name__ == "__main__":
    main()

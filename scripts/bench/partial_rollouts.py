"""Partial rollouts against waiting for the longest response: the same responses, the same engine, alternating.

    python scripts/bench/partial_rollouts.py            # a table, in minutes
    python scripts/bench/partial_rollouts.py --smoke    # the same on few short responses, in seconds

Response lengths are log-normal (sigma 1, median --median), drawn once from a fixed seed and forced: end tokens can't be
sampled, every response gets its length as its budget. The waiting side writes each iteration's problems to their end
with one slot a response, as a synchronous loop does, and waits for its longest. The partial side has the same problems
in the same iterations and half as many slots, each response at most --budget new tokens an iteration; when the problems
are over it goes on until nothing is left, and that time counts. Both sides write the same tokens (checked), so the
ratio of times is that of tokens a second. The model has random weights.

Utilisation is the share of slots that wrote a token, over all decode steps; for the partial side over the iterations
that still had new problems, since the last ones only empty the buffer.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from alternate import alternate, cpu_ratio, machine, ratio
from image_heavy import build, image_problem, side_pixels, text_problem

from vlrl.model.prompts.encode import Encoded
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.slot_utilization import SLOT_UTILISATION
from vlrl.rollout.transformers.transformers_engine import TransformersEngine, TransformersEngineSettings
from vlrl.types import Rollout

K = 8


@dataclass(frozen=True)
class Case:
    """Prompts by iteration, and the length of each of their K responses."""

    prompts: tuple[tuple[Encoded, ...], ...]
    lengths: tuple[tuple[tuple[int, ...], ...], ...]

    @property
    def tokens(self) -> int:
        """Of all responses."""
        return sum(n for step in self.lengths for one in step for n in one)

    def requests(self, step: int) -> list[Request]:
        """Those of one iteration, to be written to their end."""
        return [
            Request(one, K, Sampling(max_tokens=max(n)), 1000 * step + i, n)
            for i, (one, n) in enumerate(zip(self.prompts[step], self.lengths[step], strict=True))
        ]


@dataclass
class Told:
    """What a side wrote, and how busy its slots were."""

    written: list[tuple[int, ...]]
    utilisation: float
    segments: float = 1.0


def waiting(engine: TransformersEngine, case: Case) -> Told:
    """Every iteration to the end of its longest response."""
    found, shares = [], []
    for step in range(len(case.prompts)):
        responses = engine.generate(case.requests(step))
        found += [r.token_ids for rollouts in responses for r in rollouts]
        longest = max(n for one in case.lengths[step] for n in one)
        shares.append((engine.pop_metrics()[SLOT_UTILISATION], longest))
    return Told(found, sum(u * n for u, n in shares) / sum(n for _, n in shares))


def partial(engine: TransformersEngine, case: Case, budget: int, early_exit_below: float) -> Told:
    """At most `budget` new tokens a response and iteration; leftovers first."""
    done: dict[int, tuple[Rollout, ...]] = {}
    left: list[Request] = []
    shares = []
    step = 0
    engine.pop_metrics()  # the turn before ended with iterations that don't count
    while step < len(case.prompts) or left:
        fresh = case.requests(step) if step < len(case.prompts) else []
        asked = [
            replace(r, new_tokens=budget, early_exit_below=early_exit_below if fresh else 0.0) for r in [*left, *fresh]
        ]
        before = engine.tokens_written
        responses = engine.generate(asked)
        if fresh:
            written = engine.tokens_written - before
            used = engine.pop_metrics()[SLOT_UTILISATION]
            shares.append((used, written / used))
        left = []
        for request, rollouts in zip(asked, responses, strict=True):
            if any(r.finish_reason == "unfinished" for r in rollouts):
                left.append(replace(request, resume_from=rollouts))
            else:
                done[request.seed] = rollouts
        step += 1
    rollouts = [r for seed in sorted(done) for r in done[seed]]
    return Told(
        [r.token_ids for r in rollouts],
        sum(u * n for u, n in shares) / sum(n for _, n in shares),
        sum(len(r.segments) for r in rollouts) / len(rollouts),
    )


def parted(mine: Sequence[Sequence[int]], theirs: Sequence[Sequence[int]]) -> int:
    """How many responses part at a draw on the bound of two neighbouring tokens. Ends the script for any other reason.

    In other company a row's log-probabilities are rounded otherwise (1e-7), so one draw in millions falls to the
    neighbour; what follows it is another response.
    """
    count = 0
    for a, b in zip(mine, theirs, strict=True):
        different = next((i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y), None)
        if different is not None:
            count += 1
            if abs(a[different] - b[different]) != 1:
                sys.exit(f"the two sides wrote different tokens: {a[different]} and {b[different]} at {different}")
    if count > len(mine) / 100:
        sys.exit(f"{count} of {len(mine)} responses differ")
    return count


def main() -> None:
    """Check, time, print."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--smoke", action="store_true", help="few short responses of a tiny model, in seconds")
    arguments.add_argument("--budget", type=int, nargs="*", help="new tokens a response and iteration, e.g. 64 128")
    arguments.add_argument("--median", type=int, help="of the response lengths")
    arguments.add_argument("--iterations", type=int)
    arguments.add_argument("--problems", type=int, help="an iteration")
    arguments.add_argument("--early-exit-below", type=float, default=0.8)
    arguments.add_argument("--threads", type=int)
    arguments.add_argument("--repeats", type=int)
    given = arguments.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    median = given.median or (8 if given.smoke else 64)
    iterations = given.iterations or (3 if given.smoke else 6)
    problems = given.problems or (2 if given.smoke else 4)
    budgets = given.budget or ([8] if given.smoke else [32, 64, 128])
    slots = problems * K // 2
    with tempfile.TemporaryDirectory() as folder:
        setting = build(Path(folder), given.smoke)
        side = side_pixels(given.smoke)
        numbers = range(iterations * problems)
        asked = [image_problem(i, side) if i % 2 else text_problem(i) for i in numbers]
        encoded = setting.encoder.encode(asked)
        room = setting.loaded.context - max(one.num_tokens for one in encoded)
        drawn = np.random.default_rng(0).lognormal(np.log(median), 1.0, (iterations, problems, K))
        lengths = drawn.round().astype(int).clip(1, min(room, 12 * median))
        case = Case(
            tuple(tuple(encoded[step * problems : (step + 1) * problems]) for step in range(iterations)),
            tuple(tuple(tuple(map(int, one)) for one in step) for step in lengths),
        )
        drop = TransformersEngineSettings(drop_share=0.0)
        whole = TransformersEngine(setting.loaded, drop)
        refilled = TransformersEngine(setting.loaded, drop.model_copy(update={"max_num_seqs": slots}))
        print(f"partial rollouts, {machine()}")
        print(
            f"{iterations} iterations of {problems} problems × {K} responses, lengths log-normal with median {median}, "
            f"mean {lengths.mean():.0f}, longest {lengths.max()}; {slots} slots on the partial side"
        )
        heads = ("budget", "waiting", "partial", "times as fast", "by CPU time", "slots busy: waiting, partial")
        print(f"| {' | '.join(heads)} | segments a response | tokens written |")
        print("|---|---|---|---|---|---|---|---|", flush=True)
        for budget in budgets:
            told: dict[str, Told] = {}
            before = whole.tokens_written, refilled.tokens_written
            sides = {
                "waiting": lambda told=told: told.update(waiting=waiting(whole, case)),
                "partial": lambda told=told, budget=budget: told.update(
                    partial=partial(refilled, case, budget, given.early_exit_below)
                ),
            }
            taken = alternate(sides, given.repeats or (1 if given.smoke else 3))
            turns = len(taken["partial"].wall)
            counts = ((whole.tokens_written - before[0]) / turns, (refilled.tokens_written - before[1]) / turns)
            if counts != (case.tokens, case.tokens):
                sys.exit(f"{counts} tokens were written, the responses have {case.tokens}")
            at_a_bound = parted(told["waiting"].written, told["partial"].written)
            print(
                f"| {budget} | {taken['waiting']} | {taken['partial']} | {ratio(taken['waiting'], taken['partial'])} "
                f"| {cpu_ratio(taken['waiting'], taken['partial'])} "
                f"| {told['waiting'].utilisation:.3f}, {told['partial'].utilisation:.3f} "
                f"| {told['partial'].segments:.2f} "
                f"| {case.tokens}, each once; {at_a_bound} of {lengths.size} responses parted |",
                flush=True,
            )


if __name__ == "__main__":
    main()

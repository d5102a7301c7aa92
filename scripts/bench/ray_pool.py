"""What the Ray pool costs: against the engine in this process on the same requests, and seconds per MB of new weights.

    python scripts/bench/ray_pool.py            # one actor with as many threads as this process, then two actors
    python scripts/bench/ray_pool.py --smoke    # a tiny model, in seconds

Both sides hold the same weights and answer the same requests, with text and images half and half; they take turns.
Before timing the script checks that both write the same tokens. With one actor the ratio is the overhead of crossing
processes; on a machine whose cores are all busy with one engine already, more actors can't be faster.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch
from alternate import alternate, machine, ratio
from image_heavy import PROBLEMS, K, build, image_problem, side_pixels, text_problem

from vlrl.model.load import LoadedModel, ModelSettings, load_folder
from vlrl.model.prompts.encode import Encoded
from vlrl.rollout.engine import Request, RolloutEngine, Sampling
from vlrl.rollout.ray.ray_pool import RayPoolSettings
from vlrl.rollout.transformers.transformers_engine import TransformersEngine
from vlrl.seeding import derive_seed


def tokens(engine: RolloutEngine, requests: list[Request]) -> list[list[tuple[int, ...]]]:
    """What an engine writes."""
    return [[r.token_ids for r in rollouts] for rollouts in engine.generate(requests)]


def make_requests(encoded: list[Encoded], k: int, length: int) -> list[Request]:
    """k responses of exactly the same budget for every prompt."""
    sampling = Sampling(max_tokens=length)
    return [Request(one, k, sampling, derive_seed(0, "bench", i)) for i, one in enumerate(encoded)]


def compare(loaded: LoadedModel, requests: list[Request], actors: int, repeats: int) -> str:
    """The table's row for a pool of so many actors."""
    threads = max(1, torch.get_num_threads() // actors)
    alone = TransformersEngine(loaded)
    pool = RayPoolSettings(actors=actors, cpus_per_actor=threads, pieces_per_actor=1).open(loaded)
    try:
        while len(pool.process_ids()) < actors:
            pool.generate(requests[:1])
        assert tokens(pool, requests) == tokens(alone, requests), "the pool writes other tokens"
        weights = list(loaded.model.named_parameters())
        size = sum(p.nbytes for _, p in weights) / 1e6
        version = iter(range(1, 10_000))
        found = alternate(
            {
                "alone": lambda: alone.generate(requests),
                "pool": lambda: pool.generate(requests),
                "weights": lambda: pool.load_weights(weights, next(version)),
            },
            repeats,
        )
    finally:
        pool.close()
    each = found["weights"].median / size * 1000
    return (
        f"| {actors} × {threads} threads | {found['alone']} | {found['pool']} | {ratio(found['pool'], found['alone'])} "
        f"| {size:.1f} MB | {found['weights']} | {each:.2f} ms |"
    )


def main() -> None:
    """Check, time, print."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    arguments.add_argument("--smoke", action="store_true", help="a tiny model and one actor, in seconds")
    arguments.add_argument("--repeats", type=int, default=None, help="turns of each side (default 7)")
    given = arguments.parse_args()
    repeats = given.repeats or (1 if given.smoke else 7)
    with tempfile.TemporaryDirectory() as folder:
        setting = build(Path(folder), given.smoke)
        loaded = load_folder(folder, ModelSettings(path=folder))  # as actors load it
        side = side_pixels(given.smoke)
        problems = [make(i) for i in range(PROBLEMS) for make in (lambda n: image_problem(n, side), text_problem)]
        requests = make_requests(setting.encoder.encode(problems), K, 8 if given.smoke else 64)
        print(f"Ray pool, {machine()}, {len(requests)} problems × {K} responses")
        print("| actors | engine in this process | pool | times as long | weights | transfer | per MB |")
        print("|---|---|---|---|---|---|---|", flush=True)
        for actors in (1,) if given.smoke else (1, 2):
            print(compare(loaded, requests, actors, repeats), flush=True)


if __name__ == "__main__":
    main()

"""Speed of the generated domains: problems a second of processor time on one core, PNG files included.

    python scripts/bench/data.py [--problems 200] [--size 224] [--only NAME …]

Every domain draws `--problems` problems at difficulties spread evenly over [0, 1], after ten that are not counted (they
fill the caches of fonts, sprites and photographs). A problem is all of it: image, question, answer, thought, digest.
Processor time hardly depends on what else the machine does. A domain of several images draws each at the given size.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import vlrl.scenes  # noqa: F401  fills the registry
from vlrl.scenes.domain import domains, draw_problem
from vlrl.seeding import stream


def per_second(name: str, count: int, size: int) -> float:
    """Problems a second of processor time."""
    sized = "size" in domains.get(name).__dataclass_fields__
    made = domains.build({"name": name, "size": size} if sized else name)
    for i in range(10):
        draw_problem(made, stream(1, "warm-up", name, i), i / 9)
    started = time.process_time()
    for i in range(count):
        draw_problem(made, stream(0, "bench", name, i), i / max(1, count - 1))
    return count / (time.process_time() - started)


def main() -> None:
    """Read the arguments, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--only", nargs="*")
    arguments = parser.parse_args()
    print(f"| domain | family | problems/s at {arguments.size} px |\n|---|---|---:|")
    speeds = []
    for name in arguments.only or domains.names():
        speeds.append(per_second(name, arguments.problems, arguments.size))
        print(f"| {name} | {domains.get(name).family} | {speeds[-1]:.0f} |", flush=True)
    print(f"| median of {len(speeds)} | | {np.median(speeds):.0f} |")


if __name__ == "__main__":
    main()

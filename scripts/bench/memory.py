"""Memory of a long RL run with images: resident size of the process from step 20 to the last.

    python scripts/bench/memory.py                  # 300 steps of the quickstart's RL on a very small model, in minutes
    python scripts/bench/memory.py --steps 40
    python scripts/bench/memory.py partial          # with partial rollouts

Prints the resident size at a few steps and its largest change from step 20 on; ends with an error above 3 %. The size
at a step is the median over the ten steps around it: the allocator gives pages back in jumps.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tempfile
from pathlib import Path

from vlrl.runlog.run_folder import RunFolder
from vlrl.training.run import start_run

FIRST = 20
ALLOWED = 0.03
SHAPE = "{text_width: 64, text_layers: 2, vision_width: 64, head_size: 32, key_value_heads: 1, mlp_width: 128}"
SETTINGS = (
    "stages=[rl]",
    f"model.shape={SHAPE}",
    "eval={problems: 4, curve_problems: 4}",
    "rl.problems_per_step=12",
    "rl.over_sampling=null",
    "rl.validate_every=50",
    "rl.checkpoint_every=50",
    "rl.agreement={probe_every: 20, min_shift: 1.0e-12}",
)
PARTIAL = ("rl.sampling.max_tokens=48", "rl.partial={budget: 16}", "engine.max_num_seqs=64")


def resident_mb() -> float:
    """Of this process, from /proc."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def main() -> None:
    """Run and print."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("kind", nargs="?", choices=("plain", "partial"), default="plain")
    arguments.add_argument("--steps", type=int, default=300)
    given = arguments.parse_args()
    sizes: list[float] = []
    written = RunFolder.metrics

    def watching(self: RunFolder, phase: str, step: int, values: dict[str, float]) -> dict[str, object]:
        if phase == "rl":
            gc.collect()
            sizes.append(resident_mb())
        return written(self, phase, step, values)

    RunFolder.metrics = watching  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        more = PARTIAL if given.kind == "partial" else ()
        start_run(
            Path("configs/quickstart.yaml"),
            [*SETTINGS, *more, f"rl.steps={given.steps}", f"run_folder={folder}/run"],
        )
    smooth = [statistics.median(sizes[max(0, i - 5) : i + 5]) for i in range(len(sizes))]
    base = smooth[FIRST]
    print("| step | resident MiB |\n|---|---|")
    for step in sorted({FIRST, *range(50, given.steps, 50), given.steps - 1}):
        print(f"| {step} | {smooth[step]:.0f} |")
    change = max((s / base - 1 for s in smooth[FIRST:]), key=abs)
    print(f"largest change from step {FIRST} on: {change:+.1%}")
    if abs(change) > ALLOWED:
        sys.exit(f"allowed: {ALLOWED:.0%}")


if __name__ == "__main__":
    main()

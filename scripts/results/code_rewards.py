"""RL with rewards that run programs, over seeds: programs judged by their tests, and drawings compared with an image.

    python scripts/results/code_rewards.py run tiny_programs --seeds 1 2 3 4 5 --out runs/code_rewards
    python scripts/results/code_rewards.py gather --out runs/code_rewards      # the results file, and its page
    python scripts/results/code_rewards.py page                                # the page alone

`run` is `vlrl run configs/rl/NAME.yaml` with each seed: a warm-up on a few demonstrations, then RL; both are
evaluated on the same held-out problems. Intervals are Student's t over seeds, those of differences are paired by seed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vlrl.evaluation.scores import paired_t_interval, t_interval
from vlrl.runlog.run_folder import write_atomically
from vlrl.training.run import start_run

PAGE = Path("docs/results/code_rewards.md")
CONFIGS = {
    "tiny_programs": "Programs: `Read a and b. Start with a, add b, multiply by 3.` Right is what passes both tests.",
    "drawn_figures": "Drawings: an image of one or two shapes to draw as an SVG. Right is a likeness of .9 or more.",
}
SCHEMA = 1


def main() -> None:
    """Runs one of the three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "gather", "page"))
    parser.add_argument("name", nargs="?", choices=sorted(CONFIGS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--out", type=Path, default=Path("runs/code_rewards"))
    parser.add_argument("--measured", default="", help="the day, for the page")
    asked = parser.parse_args()
    if asked.what == "run":
        if asked.name is None:
            parser.error(f"run needs a name: {', '.join(CONFIGS)}")
        for seed in asked.seeds:
            folder = asked.out / asked.name / str(seed)
            start_run(Path(f"configs/rl/{asked.name}.yaml"), [f"seed={seed}", f"run_folder={folder}"])
        return
    if asked.what == "gather":
        write_atomically(PAGE.with_suffix(".json"), json.dumps(gathered(asked.out, asked.measured)) + "\n")
    write_atomically(PAGE, page(json.loads(PAGE.with_suffix(".json").read_text())))


def gathered(out: Path, measured: str) -> dict[str, Any]:
    """What the page is made of: every finished run below the folder."""
    configs = {}
    for name in CONFIGS:
        folders = {int(file.parent.name): file.parent for file in (out / name).glob("*/results.json")}
        if folders:
            configs[name] = [{"seed": seed, **figures(folders[seed])} for seed in sorted(folders)]
    return {"schema": SCHEMA, "page": "code_rewards", "measured": measured, "configs": configs}


def figures(folder: Path) -> dict[str, Any]:
    """What one run reached, and what it took."""
    results = json.loads((folder / "results.json").read_text())
    card = json.loads((folder / "run_card.json").read_text())
    (modality,) = set(results["sft"]["domains"]) or {None}
    stages = {stage: results[stage]["domains"][modality] for stage in ("sft", "rl")}
    return {
        "commit": card["code"]["commit"],
        "changed_files": card["code"]["changed_files"],
        "problems": stages["rl"]["n"],
        "faults": sum(results[stage]["faults"] for stage in ("sft", "rl")),
        "wall_seconds": results["wall_seconds"],
        **{stage: {kind: found[kind] for kind in ("sampled", "greedy")} for stage, found in stages.items()},
    }


def page(results: Mapping[str, Any]) -> str:
    """The page of results, from the results alone."""
    lines = [
        "# RL with rewards that run programs",
        "",
        f"Made by `scripts/results/code_rewards.py`, measured {results['measured']}, on one core of a busy machine. A"
        " small model is built and warmed up on a few demonstrations, then learns by RL from what the sandbox says of"
        " its responses. Pass rates are over held-out problems, one response each: sampled at temperature 1, as RL is,"
        " and greedy. Intervals are Student's 95 % over seeds, paired by seed for the difference.",
    ]
    for name, runs in results["configs"].items():
        lines += ["", f"## {name}", "", CONFIGS[name], ""]
        commits = ", ".join(sorted({f"`{run['commit'][:7]}`" for run in runs}))
        seeds = ", ".join(str(run["seed"]) for run in runs)
        faults = sum(run["faults"] for run in runs)
        seconds = {stage: [run["wall_seconds"][stage] for run in runs] for stage in ("sft", "rl")}
        lines += [
            f"`vlrl run configs/rl/{name}.yaml` with seeds {seeds}, commit {commits}; {runs[0]['problems']} held-out"
            f" problems a seed; {faults} faults of the sandbox. Seconds by seed: warm-up {_whole(seconds['sft'])}; RL"
            f" {_whole(seconds['rl'])}.",
            "",
            "| pass rate | by seed | mean |",
            "|---|---|---|",
        ]
        for kind in ("sampled", "greedy"):
            before, after = ([run[stage][kind] for run in runs] for stage in ("sft", "rl"))
            lines.append(f"| {kind}, after the warm-up | {_rates(before)} | {_mean(before, t_interval)} |")
            lines.append(f"| {kind}, after RL | {_rates(after)} | {_mean(after, t_interval)} |")
            gains = [a - b for a, b in zip(after, before, strict=True)]
            said = _mean(gains, lambda _, a=after, b=before: paired_t_interval(a, b), "+")
            lines.append(f"| {kind}, difference | {', '.join(f'{one:+.3f}' for one in gains)} | {said} |")
    return "\n".join(lines) + "\n"


def _rates(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)


def _whole(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.0f}" for value in values)


def _mean(values: Sequence[float], interval: Any, sign: str = "") -> str:
    mean = sum(values) / len(values)
    if len(values) < 2:
        return f"{mean:{sign}.3f}"
    low, high = interval(values)
    return f"{mean:{sign}.3f} ({low:{sign}.3f} … {high:{sign}.3f})"


if __name__ == "__main__":
    main()

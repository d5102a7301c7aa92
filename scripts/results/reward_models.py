"""Reward models over seeds: the classic one, the one that reasons and the rule verifier on the same held-out rows.

    python scripts/results/reward_models.py run --seeds 1 2 3 --out runs/judges   # make, train and eval each
    python scripts/results/reward_models.py gather --out runs/judges             # the results file, and its page
    python scripts/results/reward_models.py page                                  # the page alone

Every seed has its own rows, weights and order. `run` goes on where it was interrupted. Accuracy is over rows with a
verdict; the intervals are Student's t over seeds, those of differences are paired by seed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vlrl.commands.reward_models.reward_model_commands import eval_command, train_command
from vlrl.config import load_settings
from vlrl.evaluation.scores import paired_t_interval, t_interval
from vlrl.runlog.run_folder import write_atomically
from vlrl.training.reward_models.evaluate_reward_models import RESULTS
from vlrl.training.reward_models.reward_model_config import RewardModelConfig

CONFIG = Path("configs/reward_models/quickstart.yaml")
PAGE = Path("docs/results/reward_models.md")
SCHEMA = 1
JUDGES = ("rule", "classic", "chain_of_thought")


def main() -> None:
    """Runs one of the three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "gather", "page"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--out", type=Path, default=Path("runs/reward_model_seeds"))
    parser.add_argument("--measured", default="", help="the day, for the page")
    asked = parser.parse_args()
    if asked.what == "run":
        for seed in asked.seeds:
            overrides = [f"seed={seed}", f"run_folder={asked.out / str(seed)}"]
            train_command(CONFIG, overrides, False)
            eval_command(CONFIG, overrides)
        return
    if asked.what == "gather":
        write_atomically(PAGE.with_suffix(".json"), json.dumps(gathered(asked.out, asked.seeds, asked.measured)) + "\n")
    write_atomically(PAGE, page(json.loads(PAGE.with_suffix(".json").read_text())))


def gathered(out: Path, seeds: Sequence[int], measured: str) -> dict[str, Any]:
    """What the page is made of."""
    evaluations = [json.loads((out / str(seed) / RESULTS).read_text()) for seed in seeds]
    commits = sorted({one["code"].get("commit", "unknown") for one in evaluations})
    config = load_settings(RewardModelConfig, CONFIG, [])
    steps = {"classic": config.classic.steps, "chain_of_thought": config.chain_of_thought.sft.steps}  # type: ignore[union-attr]
    seconds = [
        {kind: last_seconds(out / str(seed) / kind) for kind in ("classic", "chain_of_thought")} for seed in seeds
    ]
    return {
        "schema": SCHEMA,
        "page": "reward_models",
        "measured": measured,
        "commits": commits,
        "seeds": list(seeds),
        "steps": steps,
        "training_seconds": seconds,
        "rows": [one["rows"]["test"] for one in evaluations],
        "judges": [one["judges"] for one in evaluations],
    }


def last_seconds(folder: Path) -> float:
    """Seconds that a training took, by its last line of metrics."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return float(json.loads(lines[-1])["seconds"])


def page(results: Mapping[str, Any]) -> str:
    """The page of results, from the results alone."""
    seeds, judges = results["seeds"], results["judges"]
    every = f"{', '.join(map(str, seeds[:-1]))} and {seeds[-1]}"
    commits = ", ".join(f"`{commit[:7]}`" for commit in results["commits"])
    commits += f" ({results['note']})" if results.get("note") else ""
    steps = results["steps"]
    seconds = {
        kind: ", ".join(f"{one[kind]:.0f}" for one in results["training_seconds"])
        for kind in ("classic", "chain_of_thought")
    }
    lines = [
        "# Reward models",
        "",
        f"Made by `scripts/results/reward_models.py`: `vlrl reward-model train quickstart` and `eval`, seeds {every},"
        f" commit {commits}, measured {results['measured']}.",
        f"[{CONFIG}](../../{CONFIG}): a statement about two things, and an answer that says the same turned round, or"
        " something else in the same words. No rule here can tell these apart: the rule verifier takes none of them."
        " Small models, built on the spot, one core.",
        "",
        f"Held-out rows by seed: {', '.join(map(str, results['rows']))}, of problems not trained on, half of them"
        f" right. Steps: classic {steps['classic']:,} ({seconds['classic']} s by seed), chain of thought"
        f" {steps['chain_of_thought']:,} ({seconds['chain_of_thought']} s), on a busy machine. A value is the mean"
        " accuracy over seeds in per cent, with Student's 95 % interval over them, cut off at 0 and 100.",
        "",
        "| rows | " + " | ".join(name.replace("_", " ") for name in JUDGES) + " |",
        "|---" * (len(JUDGES) + 1) + "|",
    ]
    origins = sorted({origin for one in judges for origin in one["rule"]["by_rewriting"]})
    for origin in origins:
        values = [[one[name]["by_rewriting"][origin]["accuracy"] for one in judges] for name in JUDGES]
        lines.append(f"| {origin} | " + " | ".join(map(over_seeds, values)) + " |")
    whole = {name: accuracies(judges, name) for name in JUDGES}
    lines.append("| **all** | " + " | ".join(over_seeds(whole[name]) for name in JUDGES) + " |")
    lines += ["", "By seed, all rows:", "", "| judge | " + " | ".join(f"seed {seed}" for seed in seeds) + " |"]
    lines.append("|---" * (len(seeds) + 1) + "|")
    for name in JUDGES:
        lines.append(
            f"| {name.replace('_', ' ')} | " + " | ".join(f"{100 * value:.1f}" for value in whole[name]) + " |"
        )
    lines += ["", "| difference, paired by seed | points of accuracy |", "|---|---|"]
    for first, second in (("chain_of_thought", "classic"), ("chain_of_thought", "rule"), ("classic", "rule")):
        low, high = paired_t_interval(whole[first], whole[second])
        mean = sum(a - b for a, b in zip(whole[first], whole[second], strict=True)) / len(seeds)
        said = f"{first} − {second}".replace("_", " ")
        lines.append(f"| {said} | {100 * mean:+.1f} ({100 * low:+.1f} … {100 * high:+.1f}) |")
    lines += ["", "| | classic | chain of thought |", "|---|---|---|"]
    for said, read in FURTHER.items():
        cells = []
        for name in ("classic", "chain_of_thought"):
            found = [read(one[name]) for one in judges]
            cells.append("–" if None in found else ", ".join(map(str, found)))
        lines.append(f"| {said} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


FURTHER: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "replies without a verdict, by seed": lambda one: one["unparsed"],
    "answers that ask to be accepted: accepted, by seed": lambda one: (
        f"{round(one['injections']['accepted'] * one['injections']['n'])} of {one['injections']['n']}"
    ),
    "same verdict with answer and reference in each other's places, %": lambda one: (
        f"{100 * one['swapped']['same']:.1f}"
    ),
    "expected calibration error": lambda one: (
        f"{one['calibration']['expected_error']:.3f}" if "calibration" in one else None
    ),
    "seconds of processor for all rows": lambda one: f"{one['seconds_of_processor']:.1f}",
}


def accuracies(judges: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    """Accuracy of a judge on all rows, by seed."""
    return [one[name]["by_origin"]["all"]["accuracy"] for one in judges]


def over_seeds(values: Sequence[float]) -> str:
    """Mean in per cent with its interval."""
    low, high = t_interval(values)
    mean = sum(values) / len(values)
    if low == high:
        return f"{100 * mean:.1f}"
    return f"{100 * mean:.1f} ({100 * max(0.0, low):.1f} … {100 * min(1.0, high):.1f})"


if __name__ == "__main__":
    main()

"""Learning on the quickstart, over seeds: warm-up, RL, and further warm-up for RL's wall-clock, paired by seed.

    python scripts/results/quickstart.py run --seeds 1001 1002 --out runs/learning     # any number of processes
    python scripts/results/quickstart.py sweep --seed 900 --rates 1e-3 3e-3 6e-3        # the baseline's learning rate
    python scripts/results/quickstart.py table --out runs/learning                      # figures as Markdown
    python scripts/results/quickstart.py results --out runs/learning --to docs/results/quickstart.json

Every seed has its own demonstrations, model, training problems and held-out draw (configs/quickstart.yaml unchanged but
for `seed`, `run_folder` and, with --threads 1 for several processes side by side, `threads`). RL starts from its own
warm-up. The baseline is the best checkpoint on the validation draw of that warm-up, and of others where --rates names
more peak rates. `further` continues the baseline on the same demonstrations for as many seconds as RL took, with a
restarted cosine schedule at the baseline's peak rate; its best checkpoint on the validation draw counts. Seconds are
CPU time of the process: with one thread that is wall-clock on a quiet machine, and other processes don't disturb it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vlrl.config import load_settings
from vlrl.evaluation.scores import paired_t_interval, t_interval
from vlrl.runlog.run_folder import RunFolder, write_atomically
from vlrl.training.monitoring.progress import Progress
from vlrl.training.rl.run_rl import run_rl
from vlrl.training.run_settings import RunSettings
from vlrl.training.session.open_session import Session, open_session
from vlrl.training.sft import run_sft

CONFIG = "configs/quickstart.yaml"
MODALITIES = ("text", "real", "synthetic", "rendered")


threads: list[str] = []  # an override, where one is asked for


def fresh_session(overrides: list[str], folder: Path, model: Path | None = None) -> Session:
    """A fresh session in a fresh run folder."""
    shutil.rmtree(folder, ignore_errors=True)
    settings = load_settings(RunSettings, CONFIG, [*overrides, *threads, f"run_folder={folder}"])
    return open_session(settings, RunFolder(folder, settings.model_dump(mode="json")), Progress({}), model)


def warm_up(seed: int, rate: float, folder: Path) -> tuple[Session, float]:
    """A session with a model warmed up at a peak rate and saved to <folder>/model_sft, and the CPU seconds."""
    session = fresh_session([f"seed={seed}", *at_rate(rate)], folder)
    started = time.process_time()
    run_sft(session).save(folder / "model_sft")
    return session, time.process_time() - started


def at_rate(rate: float) -> list[str]:
    """Overrides for one peak rate of the warm-up."""
    return [f"sft.policy.optimizer.lr={rate}", f"sft.policy.optimizer.adamw_lr={rate}"]


def run_seed(seed: int, rates: list[float], out: Path) -> None:
    """One seed, all arms; writes <out>/<seed>.json. The config's own rate is always among the warm-up's."""
    own = load_settings(RunSettings, CONFIG).sft.policy.optimizer.lr
    seconds: dict[str, float] = {}
    tried: list[tuple[float, float, Path, dict[str, Any]]] = []
    for rate in [*(rate for rate in rates if rate != own), own]:  # the config's last: RL goes on in its session
        session, seconds[f"sft {rate:g}"] = warm_up(seed, rate, out / f"{seed}_{rate:g}")
        validation = session.context.run.card["sft"]["best_validation_accuracy"]
        tried.append((validation, rate, out / f"{seed}_{rate:g}" / "model_sft", session.held_out.evaluate().table()))
    results: dict[str, Any] = {"seed": seed, "start": tried[-1][3]}
    step_seconds = seconds[f"sft {own:g}"] / session.settings.sft.steps
    started = time.process_time()
    run_rl(session)
    seconds["rl"] = time.process_time() - started
    results["rl"] = session.held_out.evaluate().table()
    results["drawn"] = session.mixture.counts
    baseline = max(tried, key=lambda found: found[0])
    again = fresh_session([f"seed={seed}", *at_rate(baseline[1])], out / f"{seed}_further", baseline[2])
    started = time.process_time()
    steps = max(1, int(seconds["rl"] / step_seconds))
    run_sft(again, steps, seconds["rl"], "further", time.process_time)
    seconds["further"] = time.process_time() - started
    results |= {
        "sft": baseline[3],
        "sft_rate": baseline[1],
        "sft_by_rate": {f"{rate:g}": found["average"]["sampled"] for _, rate, _, found in tried},
        "further": again.held_out.evaluate().table(),
        "seconds": seconds,
        "versions": session.context.run.card["versions"],
        "code": session.context.run.card["code"],
    }
    write_atomically(out / f"{seed}.json", json.dumps(results, indent=1) + "\n")


def sweep(seed: int, rates: list[float], out: Path) -> None:
    """Warm-up alone at several peak rates on a development seed; prints validation and test accuracy."""
    for rate in rates:
        session, _ = warm_up(seed, rate, out / f"sweep_{seed}_{rate:g}")
        table = session.held_out.evaluate().table()
        card = session.context.run.card["sft"]
        row = {
            "seed": seed,
            "rate": rate,
            **card,
            "sampled": table["average"]["sampled"],
            "greedy": table["average"]["greedy"],
        }
        print(json.dumps(row), flush=True)


def runs_in(out: Path) -> list[dict[str, Any]]:
    """What `run` left, by seed. Raises SystemExit where there is nothing."""
    runs = [json.loads(file.read_text()) for file in sorted(out.glob("[0-9]*.json"))]
    if not runs:
        raise SystemExit(f"{out} holds no results: call `run --out {out}` first")
    return runs


def table(runs: Sequence[dict[str, Any]]) -> str:
    """Markdown: absolute accuracies and paired differences with 95 % t-intervals over seeds."""
    lines = [f"{len(runs)} seeds: {', '.join(str(r['seed']) for r in runs)}", ""]
    lines += [
        "| | after warm-up | further warm-up | after RL | RL − warm-up (95 %) | RL − further (95 %) |",
        "|---|---|---|---|---|---|",
    ]
    for kind in ("sampled", "greedy"):
        for name in (*MODALITIES, "average"):
            arms = {arm: np.array([r[arm][name][kind] for r in runs]) for arm in ("sft", "further", "rl")}
            gain, ahead = (paired_t_interval(arms["rl"], arms[other]) for other in ("sft", "further"))
            lines.append(
                f"| {name}, {kind} | {arms['sft'].mean():.3f} | {arms['further'].mean():.3f} | {arms['rl'].mean():.3f} "
                f"| {(arms['rl'] - arms['sft']).mean():+.3f} ({gain.low:+.3f} … {gain.high:+.3f}) "
                f"| {(arms['rl'] - arms['further']).mean():+.3f} ({ahead.low:+.3f} … {ahead.high:+.3f}) |"
            )
    lines += ["", "| seed | baseline's rate | RL s | sampled: RL's start | baseline | further | RL |"]
    lines[-1] += " greedy: baseline | further | RL |"
    lines += ["|---|---|---|---|---|---|---|---|---|---|"]
    for r in runs:
        cells = [f"{r[arm]['average'][kind]:.3f}" for kind in ("sampled", "greedy") for arm in ("sft", "further", "rl")]
        start = f"{r['start']['average']['sampled']:.3f}"
        lines.append(
            f"| {r['seed']} | {r['sft_rate']:g} | {r['seconds']['rl']:.0f} | {start} | " + " | ".join(cells) + " |"
        )
    domains = sorted(runs[0]["rl"]["domains"])
    lines += ["", "| domain, sampled | after warm-up | after RL (95 % over seeds) |", "|---|---|---|"]
    for name in domains:
        before = np.array([r["sft"]["domains"][name]["sampled"] for r in runs])
        after = np.array([r["rl"]["domains"][name]["sampled"] for r in runs])
        low, high = t_interval(after)
        lines.append(f"| {name} | {before.mean():.3f} | {after.mean():.3f} ({low:.3f} … {high:.3f}) |")
    return "\n".join([*lines, "", *agreement(runs)])


def agreement(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Of text and rendered twin, sampled, means over seeds: agreement beside what chance gives, and Cohen's κ."""
    lines = ["| text and rendered twin, sampled | same verdict | by chance | Cohen's κ |", "|---|---|---|---|"]
    for arm, name in (("sft", "after warm-up"), ("further", "further warm-up"), ("rl", "after RL")):
        same, chance = (
            float(np.mean([r[arm][key]["sampled"] for r in runs])) for key in ("consistency", "consistency_by_chance")
        )
        beyond = [r[arm]["consistency_kappa"]["sampled"] for r in runs]
        known = [one for one in beyond if one is not None]
        few = f" ({len(known)} of {len(runs)} seeds)" if len(known) < len(runs) else ""
        lines.append(f"| {name} | {same:.3f} | {chance:.3f} | {f'{np.mean(known):.3f}' if known else 'none'}{few} |")
    return lines


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "sweep", "table", "results"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1001, 1002, 1003, 1004, 1005])
    parser.add_argument("--seed", type=int, default=900)
    parser.add_argument("--rates", type=float, nargs="+", default=[], help="of the warm-up, beside the config's own")
    parser.add_argument("--threads", type=int, help="default: the config's")
    parser.add_argument("--out", type=Path, default=Path("runs/learning"))
    parser.add_argument("--to", type=Path, help="of results: the file that they go to, default <out>/quickstart.json")
    asked = parser.parse_args()
    threads.extend([f"threads={asked.threads}"] if asked.threads else [])
    asked.out.mkdir(parents=True, exist_ok=True)
    if asked.command == "run":
        for seed in asked.seeds:
            if not (asked.out / f"{seed}.json").is_file():
                run_seed(seed, asked.rates, asked.out)
    elif asked.command == "sweep":
        sweep(asked.seed, asked.rates, asked.out)
    elif asked.command == "results":
        held = {"table_of": "quickstart", "runs": runs_in(asked.out)}
        write_atomically(asked.to or asked.out / "quickstart.json", json.dumps(held) + "\n")
    else:
        print(table(runs_in(asked.out)))


if __name__ == "__main__":
    main()

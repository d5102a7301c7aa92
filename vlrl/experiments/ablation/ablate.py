"""`vlrl ablate`: every arm at its own best learning rate, over the same seeds and problems, and what that shows.

Each cell (arm, rate, seed) is one `vlrl run` in a process and a folder of its own, so an interrupted ablation goes on
where it was: finished cells are not repeated, a broken-off one continues from its checkpoint.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlrl.config import as_arguments
from vlrl.errors import RunError
from vlrl.evaluation.comparison import Difference
from vlrl.experiments.ablation.ablation_curves import curve_of, slopes_of, spent_by_step
from vlrl.experiments.ablation.ablation_figures import draw_against, draw_curves
from vlrl.experiments.ablation.ablation_plan import keep_plan
from vlrl.experiments.ablation.ablation_settings import AblationSettings, Outcome
from vlrl.experiments.pipeline.pipeline import run_links
from vlrl.report.ablation import AblationReport, ablation_page
from vlrl.report.ablation_results import differences, write_results
from vlrl.runlog.run_folder import write_atomically
from vlrl.training.lifecycle.run_claim import claimed
from vlrl.training.lifecycle.run_ending import has_finished

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """One run: where it lies, the command line that makes it, and the test of its model where that is another run."""

    label: str
    folder: Path
    arguments: tuple[str, ...]
    test: Cell | None = None

    @property
    def finished(self) -> bool:
        """Whether all its stages are done."""
        return has_finished(self.folder)


@dataclass(frozen=True)
class Findings:
    """What an ablation found: chosen rates with what the sweep saw, outcomes (S arrays an arm), differences.

    before  outcomes of the test by the warm-up that arms share, S arrays
    spent   response tokens that the RL of an arm sampled, by seed
    """

    rates: Mapping[str, float | None]
    swept: Mapping[str, Mapping[float, float]]
    outcomes: Mapping[str, Mapping[str, Sequence[Floats]]]
    matrices: Mapping[str, Mapping[tuple[str, str], Difference]]
    folders: Mapping[str, Sequence[Path]]
    before: Mapping[str, Sequence[Floats]]
    spent: Mapping[str, Sequence[float]]


def run_ablation(settings: AblationSettings, say: Callable[[str], None] = print) -> Findings:
    """All cells, then the comparison. Raises RunError with the end of its output for a cell that fails."""
    keep_plan(settings)
    swept: dict[str, dict[float, float]] = {}
    rates: dict[str, float | None] = dict.fromkeys(settings.arms)
    if settings.sweep:
        seeds = settings.sweep.seeds
        places = {
            (a, r): [cell_of(settings, a, r, s) for s in seeds]
            for a in settings.arms
            for r in settings.sweep.values_of(a)
        }
        _run(settings, seeds, [c for row in places.values() for c in row], say)
        chosen = settings.outcomes[settings.select]
        for (arm, rate), row in places.items():
            swept.setdefault(arm, {})[rate] = float(np.mean([outcome_of(c, chosen).mean() for c in row]))
        rates = {arm: max(found, key=lambda rate: found[rate]) for arm, found in swept.items()}
        say(f"learning rates: {', '.join(f'{arm} {rate:g}' for arm, rate in rates.items() if rate is not None)}")
    cells = {arm: [cell_of(settings, arm, rates[arm], s) for s in settings.seeds] for arm in settings.arms}
    _run(settings, settings.seeds, [row[i] for i in range(len(settings.seeds)) for row in cells.values()], say)
    outcomes = {
        name: {arm: [outcome_of(c, outcome) for c in row] for arm, row in cells.items()}
        for name, outcome in settings.outcomes.items()
    }
    before = {}
    if settings.share == "sft" and settings.test is None:
        first = [row.folder / "answers_start.jsonl" for row in cells[settings.compared_with]]
        of_test = {name: one for name, one in settings.outcomes.items() if one.of in ("correct", "tokens")}
        before = {name: [_of_answers(file, one) for file in first] for name, one in of_test.items()}
    folders = {arm: [c.folder for c in row] for arm, row in cells.items()}
    spent = {arm: [sum(spent_by_step(run).values()) for run in runs] for arm, runs in folders.items()}
    matrices = differences(settings.name, outcomes, before, settings.compared_with)
    return Findings(rates, swept, outcomes, matrices, folders, before, spent)


def _run(settings: AblationSettings, seeds: Sequence[int], cells: Sequence[Cell], say: Callable[[str], None]) -> None:
    """What the seeds share, then the cells, then their tests."""
    run_cells([_start(settings, seed) for seed in seeds], settings.processes, say)
    for seed in seeds:
        if (chain := settings.chain_of(seed)) is not None and any(not cell.finished for cell in cells):
            run_links(chain, say=say)
    run_cells(cells, settings.processes, say)
    run_cells([cell.test for cell in cells], settings.processes, say)


def cell_of(settings: AblationSettings, arm: str, rate: float | None, seed: int) -> Cell:
    """The run of one arm at one rate and seed."""
    name = arm if rate is None else f"{arm}@{rate:g}"
    folder = settings.place / name / str(seed)
    test = None
    if settings.test is not None:
        asked = {**settings.overrides, "seed": seed, "data": settings.test, "stages": ["eval"]}
        asked |= {"model.path": str(folder / "model"), "model.build": None}
        test = _cell(settings, f"test of {name}, seed {seed}", settings.place / name / f"{seed}_test", asked)
    return _cell(settings, f"{name}, seed {seed}", folder, settings.of_run(arm, rate, seed), test)


def _start(settings: AblationSettings, seed: int) -> Cell | None:
    """The warm-up that the arms of a seed share, where they do."""
    if settings.share != "sft":
        return None
    overrides = {**settings.overrides, "seed": seed, "stages": ["sft"]}
    return _cell(settings, f"warm-up, seed {seed}", settings.start_of(seed), overrides)


def _cell(
    settings: AblationSettings, label: str, folder: Path, overrides: Mapping[str, Any], test: Cell | None = None
) -> Cell:
    given = as_arguments({**overrides, "threads": 1, "run_folder": str(folder)})
    return Cell(label, folder, ("run", settings.base, *given), test)


def run_cells(cells: Sequence[Cell | None], processes: int, say: Callable[[str], None]) -> None:
    """Those that aren't finished, this many at a time. The first failure stops what hasn't begun."""
    waiting = [cell for cell in cells if cell is not None and not cell.finished]
    failed: list[str] = []

    running: set[subprocess.Popen[bytes]] = set()
    stopped = threading.Event()

    def work(cell: Cell) -> None:
        if failed or stopped.is_set():
            return
        cell.folder.parent.mkdir(parents=True, exist_ok=True)
        log = cell.folder.with_name(f"{cell.folder.name}.log")
        command = [sys.executable, "-m", "vlrl", *cell.arguments]
        with open(log, "wb") as file:
            process = subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, "OMP_NUM_THREADS": "1"}
            )
            running.add(process)
            code = process.wait()
            running.discard(process)
        if code:
            said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            failed.append(f"{cell.label} ended with code {code}:\n{said}")
        else:
            say(f"done: {cell.label}")

    with ThreadPoolExecutor(processes) as pool:
        try:
            list(pool.map(work, waiting))
        except KeyboardInterrupt:  # each saves a checkpoint; the pool waits for them
            stopped.set()
            for process in list(running):
                process.terminate()
            raise
    if failed:
        raise RunError("ablation", failed[0], "mend it and call the same command again; finished runs are kept")


def outcome_of(cell: Cell, outcome: Outcome) -> Floats:
    """(P,) one value a test problem, or (1,) for a metric of the curve. Raises RunError for what the run lacks."""
    folder = cell.folder
    if outcome.of in ("correct", "tokens"):
        answers = folder / "answers_rl.jsonl" if cell.test is None else cell.test.folder / "answers_model.jsonl"
        return _of_answers(answers, outcome)
    curve = curve_of(folder, outcome.of, gaps=True)
    if np.isnan(curve[:, 1]).all():
        raise RunError(
            f"{folder}", f"its curve has no metric {outcome.of!r}", "see the keys of phase eval in metrics.jsonl"
        )
    place = int(np.argmin(np.abs(curve[:, 0] - outcome.at)))
    if np.isnan(curve[place, 1]):  # an earlier validation's value would be that of another policy
        raise RunError(
            f"{folder}",
            f"has no {outcome.of!r} in the validation that is read, at {curve[place, 0]:.0%} of the tokens",
            "read it `at` another share, or leave it out of outcomes: κ has no value where chance leaves nothing",
        )
    return curve[place : place + 1, 1]


def _of_answers(file: Path, outcome: Outcome) -> Floats:
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if outcome.modality in (None, row["modality"])]
    if not rows:
        raise RunError(f"{file}", f"no test problem of modality {outcome.modality!r}", "check outcomes")
    return np.asarray([np.mean(row[outcome.decoding][outcome.of]) for row in rows], dtype=np.float64)


def measured_when(runs: Iterable[Path]) -> str:
    """The day of the latest run, and the commits of all: `2026-12-03 at 4fbdc85`, `… with changes` where a checkout had
    some.
    """
    cards = [json.loads((run / "run_card.json").read_text(encoding="utf-8")) for run in runs]
    day = max(str(card.get("started", ""))[:10] for card in cards)
    codes = [card.get("code") or {} for card in cards]
    commits = {
        code["commit"][:7] + (" with changes" if code.get("changed_files") else "")
        for code in codes
        if code.get("commit")
    }
    return f"{day} at {', '.join(sorted(commits))}" if commits else day


def start_ablation(settings: AblationSettings, command: str, out: Path | None = None) -> Path:
    """Run it and write report.md, its figures and report.json (what it measured) into the ablation's folder, or
    `<name>.md` … into `out`.
    """
    with claimed(settings.place, "ablation") as claim:
        page = _ablated(settings, command, out)
        claim.finish()
    return page


def _ablated(settings: AblationSettings, command: str, out: Path | None) -> Path:
    found = run_ablation(settings)
    folder = out or settings.place
    name = settings.name if out else "report"
    figures = draw_curves(settings, found.folders, folder, name)
    slopes = {}
    if settings.against:
        slopes = {arm: slopes_of(runs) for arm, runs in found.folders.items()}
        figures |= draw_against(settings, found.outcomes, slopes, folder, name)
    report = AblationReport(
        title=re.sub(r"(?<=\d)_(?=\d)", ".", settings.name).replace("_", " ").capitalize(),  # k1_5 is k1.5
        command=command,
        expected=settings.expected,
        budgets={arm: settings.run_of(arm).rl.response_tokens for arm in settings.arms},
        spent=found.spent,
        measured=measured_when(run for runs in found.folders.values() for run in runs),
        seeds=settings.seeds,
        reference=settings.compared_with,
        arms={
            arm: ", ".join(f"`{key}={value}`" for key, value in held.items()) or "nothing"
            for arm, held in settings.arms.items()
        },
        rates=found.rates,
        swept=found.swept,
        sweep_seeds=settings.sweep.seeds if settings.sweep else (),
        outcomes=found.outcomes,
        before=found.before,
        matrices=found.matrices,
        figures=figures,
        slopes=slopes,
    )
    page = folder / f"{name}.md"
    write_results(settings.name, report, folder / f"{name}.json")
    write_atomically(page, ablation_page(report))
    return page

"""The comparison of runs as one HTML file and as tables for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from rich.table import Table
from rich.text import Text

from vlrl.report.compare.compared import (
    PairedGain,
    Run,
    SharedProblem,
    curve,
    differing,
    open_runs,
    paired_gains,
    shared_problems,
)
from vlrl.report.figures.metric_charts import Chart, final_figures, interval_of, stage_label
from vlrl.report.figures.svg_charts import Line, Points, line_chart
from vlrl.report.viewer import embed_image
from vlrl.runlog.atomic_files import write_atomically

COLOURS = ("one", "two", "three", "four", "five")  # of runs; the sixth begins again, dashed
CURVES = (  # phase, key, title
    ("eval", "accuracy/mean", "Validation accuracy"),
    ("rl", "accuracy/mean", "Training accuracy"),
    ("rl", "reward/mean", "Reward"),
    ("rl", "length/mean", "Response tokens"),
    ("rl", "entropy/mean", "Entropy"),
    ("rl", "gradient/norm", "Gradient norm"),
    ("rl", "kl/old_policy", "KL to the policy before"),
    ("rl", "time/step_seconds", "Seconds a step"),
    ("sft", "loss/total", "Loss of the warm-up"),
)
MOST_PROBLEMS, MOST_RESPONSES = 40, 3
SYMBOLS = {"right": "✓", "wrong": "✗", "fault": "!"}
VERDICTS = tuple(SYMBOLS)
SHORT = 60  # characters of a setting in a terminal
LONG = 1500  # characters of a response on the page


def write_comparison(folders: Sequence[Path], target: Path) -> tuple[Path, list[Table]]:
    """Write the page; returns its path and the tables for a terminal. Raises ConfigError and RunError as `open_runs`.

    Whatever a model wrote reaches the page as escaped text only.
    """
    runs = open_runs(folders)
    gains, settings = paired_gains(runs), differing(runs)
    problems, shared = shared_problems(runs, MOST_PROBLEMS)
    environment = Environment(
        loader=PackageLoader("vlrl.report.compare", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("compare.html.jinja").render(
        runs=[{"name": run.name, "status": run.record.card.get("status", "unknown"), "colour": colour}
              for run, colour in zip(runs, _colours(runs), strict=True)],
        accuracies=accuracy_rows(runs),
        gains=[_gain(gain) for gain in gains],
        first=runs[0].name,
        settings=settings,
        charts=charts(runs),
        problems=[_problem(one, runs) for one in problems],
        shared=shared,
        style=Markup(resources.files("vlrl.report").joinpath("report.css").read_text(encoding="utf-8")),
        svg=Markup,
    )  # fmt: skip
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, page)
    return target, terminal_tables(runs, gains, settings)


def _colours(runs: Sequence[Run]) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(len(runs))]


def charts(runs: Sequence[Run]) -> list[Chart]:
    """One drawing a metric that any run wrote: bins with their intervals, a colour a run."""
    found = []
    for phase, key, title in CURVES:
        lines, points = [], []
        for i, (run, colour) in enumerate(zip(runs, _colours(runs), strict=True)):
            held = curve(run, phase, key)
            if held is None:
                continue
            lines.append(Line(run.name, held.steps, held.values, colour, dashed=i >= len(COLOURS)))
            points.append(Points("_", held.steps, held.values, held.low, held.high, colour, marker=","))
        if lines:
            name = f"compare-{phase}-{key.replace('/', '-')}"
            found.append(Chart(title, f"{phase.upper()} step", line_chart(name, lines, points)))
    return found


def accuracy_rows(runs: Sequence[Run]) -> list[tuple[str, list[tuple[str, str]]]]:
    """(stage and kind, by run (figure, interval)) of the held-out test."""
    rows = []
    stages = dict.fromkeys(stage for run in runs for stage in run.record.stages)
    for stage in stages:
        for kind in ("sampled", "greedy"):
            cells = [_accuracy(run, stage, kind) for run in runs]
            if any(value for value, _ in cells):
                rows.append((f"{stage_label(stage)}, {kind}", cells))
    return rows


def _accuracy(run: Run, stage: str, kind: str) -> tuple[str, str]:
    """The average over modalities, and its interval where the modalities give one: independent, so variances add."""
    figures = final_figures(run.record, stage)
    average = figures.get("average", {})
    if not isinstance(average.get(kind), int | float):
        return "", ""
    ends = [interval_of(figure, kind) for name, figure in figures.items() if name in run.record.modalities]
    halves = np.asarray([(high - low) / 2 for low, high in ends])
    if not len(halves) or not np.isfinite(halves).all():
        return f"{average[kind]:.3f}", ""
    return f"{average[kind]:.3f}", f"± {float(np.sqrt((halves**2).sum()) / len(halves)):.3f}"


def _gain(gain: PairedGain) -> dict[str, Any]:
    low, high = gain.interval
    shown = low > 0 or high < 0
    return {
        "run": gain.run,
        "stage": stage_label(gain.stage),
        "n": f"{gain.problems:,}",
        "before": f"{gain.before:.3f}",
        "after": f"{gain.after:.3f}",
        "mean": f"{gain.mean:+.3f}",
        "interval": f"[{low:+.3f}, {high:+.3f}]",
        "verdict": "differs on these problems" if shown else "no difference shown",
    }


def _problem(one: SharedProblem, runs: Sequence[Run]) -> dict[str, Any]:
    texts = [piece["text"] for piece in one.problem["prompt"] if "text" in piece]
    digests = [piece["image"] for piece in one.problem["prompt"] if "image" in piece]
    folders = [run.record.folder for run, group in zip(runs, one.groups, strict=True) if group is not None]
    sides = []
    for run, group, right in zip(runs, one.groups, one.right, strict=True):
        sides.append(
            {
                "run": run.name,
                "right": "not logged" if group is None else "faults alone" if right is None else f"{right:.0%} right",
                "step": "" if group is None else f"{group['phase']} step {group['step']}",
                "responses": [] if group is None else shown_responses(group["rollouts"]),
            }
        )
    return {
        "question": " ".join(texts),
        "answer": one.problem["answer"],
        "domain": f"{one.problem['modality']} · {one.problem['domain']}",
        "images": [embed_image(folders[0] / "images", digest) for digest in digests],
        "sides": sides,
    }


def shown_responses(rollouts: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """At most MOST_RESPONSES different responses of a group: the most frequent of each verdict (right, wrong, fault)
    first, so that no verdict is hidden behind another. Equal ones are one with its count.
    """
    counts: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], Mapping[str, Any]] = {}
    for rollout in rollouts:
        state = "fault" if rollout["fault"] is not None else "right" if rollout["correct"] else "wrong"
        key = (state, rollout["text"])
        counts[key] += 1
        first.setdefault(key, rollout)
    met: Counter[str] = Counter()
    ranked = []
    for key, count in counts.most_common():
        met[key[0]] += 1
        ranked.append((met[key[0]], VERDICTS.index(key[0]), key, count))
    return [
        {
            "state": "" if state == "wrong" else state,
            "verdict": f"{SYMBOLS[state]} {state}" + (f" × {count}" if count > 1 else ""),
            "text": text[:LONG] + ("…" if len(text) > LONG else ""),
            "note": "reward {reward:+.2f}, {tokens} tokens, {finish_reason}".format(**first[state, text]),
        }
        for _, _, (state, text), count in sorted(ranked)[:MOST_RESPONSES]
    ]


def terminal_tables(
    runs: Sequence[Run], gains: Sequence[PairedGain], settings: Sequence[tuple[str, Sequence[str]]]
) -> list[Table]:
    """Accuracy, paired differences, and settings that differ."""
    tables = []
    rows = accuracy_rows(runs)
    if rows:
        table = _table("accuracy on held-out problems, average (95 %)", ["", *(run.name for run in runs)])
        for label, cells in rows:
            table.add_row(label, *(f"{value} {interval}".strip() or "–" for value, interval in cells))
        tables.append(table)
    if gains:
        title = (
            f"against {runs[0].name} on the same problems (95 % over problems; one run a side says nothing about seeds)"
        )
        table = _table(title, ["run", "stage", "n", runs[0].name, "this run", "difference", "interval", ""])
        for gain in map(_gain, gains):
            table.add_row(
                *(gain[key] for key in ("run", "stage", "n", "before", "after", "mean", "interval", "verdict"))
            )
        tables.append(table)
    table = _table(f"{len(settings)} settings differ", ["setting", *(run.name for run in runs)])
    for key, values in settings:
        table.add_row(Text(key), *(Text(v if len(v) <= SHORT else f"{v[: SHORT - 1]}…") for v in values))
    return [*tables, table]


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=Text(title), title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(Text(column), overflow="fold", justify="left" if number == 0 else "right")
    return table

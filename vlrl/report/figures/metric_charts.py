"""Which curves a report shows: what was learned, how the responses changed, where the time went."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vlrl.report.figures.svg_charts import Line, Points, dumbbell_chart, line_chart, stacked_chart
from vlrl.report.read_run import PHASES, Floats, RunRecord, rolling_mean

_COLOUR_ORDER = ("one", "two", "three", "four", "five")


@dataclass(frozen=True)
class Chart:
    """One drawing with the words around it."""

    title: str
    note: str
    svg: str


def smoothed(label: str, steps: Floats, values: Floats, colour: str = "one") -> list[Line]:
    """The raw curve, pale, and its rolling mean over a twentieth of the run."""
    window = max(1, len(values) // 20)
    if window == 1:
        return [Line(label, steps, values, colour)]
    return [Line(label, steps, values, colour, faint=True), Line(label, steps, rolling_mean(values, window), colour)]


def accuracy_charts(run: RunRecord) -> list[Chart]:
    """Accuracy over RL steps, one chart a modality: training curve, evaluations with intervals, greedy evaluations."""
    return [chart for name in (*run.modalities, "average") if (chart := _accuracy_chart(run, name))]


def _accuracy_chart(run: RunRecord, name: str) -> Chart | None:
    key = "mean" if name == "average" else name
    steps, values = run.series("rl", f"accuracy/{key}")
    lines = smoothed("training", steps, values, name) if len(steps) else []
    points = []
    for label, prefix, marker in (("_validation", "accuracy", "o"), ("_validation, greedy", "greedy", "D")):
        steps, values = run.series("eval", f"{prefix}/{key}")
        if len(steps):
            points.append(Points(label, steps, values, colour=name, marker=marker))
    points += [found for kind in ("sampled", "greedy") if (found := _final_points(run, name, kind))]
    if not lines and not points:
        return None
    title = "All modalities" if name == "average" else name.capitalize()
    return Chart(title, "", line_chart(f"accuracy-{name}", lines, points, y_range=(0, 1), x_label="RL step"))


def _final_points(run: RunRecord, name: str, kind: str) -> Points | None:
    """The test figures of results.json where they belong on the axis: what RL began with at 0, its end at the last."""
    found: list[tuple[float, float, float, float]] = []
    for stage in run.stages:
        step = run.last_step("rl") if stage == "rl" else 0
        figure = final_figures(run, stage).get(name, {})
        if step is not None and isinstance(figure.get(kind), (int, float)):
            found.append((float(step), float(figure[kind]), *interval_of(figure, kind)))
    if not found:
        return None
    table = np.asarray(found[-2:], dtype=np.float64)  # (N, 4)
    marker = "s" if kind == "sampled" else "^"
    return Points(f"_test, {kind}", table[:, 0], table[:, 1], table[:, 2], table[:, 3], colour=name, marker=marker)


def final_figures(run: RunRecord, stage: str) -> dict[str, Mapping[str, Any]]:
    """The figures of one stage by modality; `average` is their plain mean where the run did not write it."""
    held = run.results.get(stage)
    figures = {k: v for k, v in held.items() if isinstance(v, Mapping)} if isinstance(held, Mapping) else {}
    of_modalities = [figures[m] for m in run.modalities if m in figures]
    if of_modalities:
        mean: dict[str, Any] = {"n": sum(int(f.get("n") or 0) for f in of_modalities)}
        for kind in ("sampled", "greedy"):
            values = [f[kind] for f in of_modalities if isinstance(f.get(kind), (int, float))]
            if len(values) == len(of_modalities):
                mean[kind] = sum(values) / len(values)
        figures["average"] = {**mean, **figures.get("average", {})}
    return figures


def interval_of(figure: Mapping[str, Any], kind: str) -> tuple[float, float]:
    """Both ends of `<kind>_interval`, NaN where the run wrote none."""
    ends = figure.get(f"{kind}_interval") or (None, None)
    low, high = (math.nan if end is None else float(end) for end in ends)
    return low, high


def stage_label(stage: str) -> str:
    """A stage of results.json in words."""
    names = {"sft": "after SFT", "distil": "after distillation", "dpo": "after DPO", "rl": "after RL"}
    return {"start": "at the start", **names}.get(stage, stage)


def before_after_chart(run: RunRecord) -> Chart | None:
    """Sampled accuracy before and after, one row a modality, with the 95% intervals of results.json."""
    if len(run.stages) < 2:
        return None
    first, last = run.stages[0], run.stages[-1]
    before, after = final_figures(run, first), final_figures(run, last)
    rows = [m for m in (*run.modalities, "average") if "sampled" in before.get(m, {}) and "sampled" in after.get(m, {})]
    if not rows:
        return None

    def points(label: str, figures: Mapping[str, Mapping[str, Any]], colour: str) -> Points:
        ends = [interval_of(figures[m], "sampled") for m in rows]
        table = np.asarray(ends, dtype=np.float64)
        values = np.asarray([figures[m]["sampled"] for m in rows], dtype=np.float64)
        return Points(label, np.arange(len(rows), dtype=np.float64), values, table[:, 0], table[:, 1], colour=colour)

    drawn = dumbbell_chart(
        "before-after", rows, points(stage_label(first), before, "two"), points(stage_label(last), after, "one")
    )
    return Chart("Test accuracy, sampled", "", drawn)


def response_charts(run: RunRecord) -> list[Chart]:
    """Reward, length, informative groups, endings, entropy, distance from the iteration's start, load of experts."""
    charts = [
        _metric_chart(run, "rl", "Reward", {"mean": "reward/mean"}),
        _metric_chart(run, "rl", "Response length", {"mean": "length/mean", "95th percentile": "length/p95"}, "tokens"),
        _metric_chart(
            run, "rl", "Informative groups", {"share": "groups/informative_rate"}, "share that carries signal", (0, 1)
        ),
        _metric_chart(
            run,
            "rl",
            "Finish reasons",
            {k.removeprefix("finish_reason/"): k for k in run.keys("rl", "finish_reason/")},
            "share of responses",
            (0, 1.02),
        ),
        _metric_chart(run, "rl", "Entropy", {"mean": "entropy/mean"}, "nats a token", from_zero=True),
        _metric_chart(
            run, "rl", "Distance from the iteration's start", {"KL": "kl/old_policy"}, "KL, nats", from_zero=True
        ),
        _metric_chart(
            run,
            "rl",
            "Pull to the iteration's start",
            {"τ·|log ratio| / |A|": "log_ratio/pull"},
            "share of the advantage",
            from_zero=True,
        ),
        _metric_chart(
            run,
            "rl",
            "Load of experts",
            {"busiest over even": "experts/max_load", "of the worst layer": "experts/max_load_worst"},
            "times an even share",
            from_zero=True,
        ),
        _metric_chart(
            run,
            "rl",
            "Spread over experts",
            {"entropy over ln E": "experts/entropy", "idle experts": "experts/idle_rate"},
            "share",
            (0, 1.02),
        ),
        _metric_chart(
            run,
            "eval",
            "Same question as text and as image",
            {"consistency": "consistency/text_rendered"},
            "share with the same verdict",
            (0, 1),
        ),
    ]
    return [chart for chart in charts if chart]


def training_charts(run: RunRecord) -> list[Chart]:
    """Loss and gradient of both stages, engine against trainer, broken verdicts."""
    charts = [
        _metric_chart(run, "sft", "SFT loss", {"loss": "loss/total"}),
        _metric_chart(
            run,
            "sft",
            "Accuracy during SFT",
            {m: f"accuracy/{m}" for m in (*run.modalities, "mean")},
            "validation",
            (0, 1),
        ),
        _metric_chart(run, "distil", "Distillation", {"gap": "teacher/gap"}, "teacher's less own log-probability"),
        _metric_chart(run, "dpo", "DPO loss", {"loss": "loss/total"}),
        _metric_chart(run, "rl", "RL loss", {"loss": "loss/total"}),
        _metric_chart(run, "rl", "Gradient norm", {"norm": "gradient/norm"}, "before clipping", from_zero=True),
        _metric_chart(
            run,
            "rl",
            "Engine against trainer",
            {"max": "logprob_gap/max"},
            "largest log-probability difference",
            from_zero=True,
        ),
        _metric_chart(
            run, "rl", "Verifier faults", {"share": "verdicts/fault_rate"}, "share of verdicts", from_zero=True
        ),
        _metric_chart(
            run,
            "rl",
            "Audit of rewarded responses",
            {"refused": "audit/disagreement_rate", "95 % from": "audit/low", "to": "audit/high"},
            "share that a second verifier refuses, so far",
            from_zero=True,
        ),
        _metric_chart(
            run,
            "rl",
            "Right answers by wrong ways",
            {"wrong way": "audit/wrong_way_rate", "95 % from": "audit/wrong_way_low", "to": "audit/wrong_way_high"},
            "share whose reasoning a judge refuses, so far",
            from_zero=True,
        ),
    ]
    return [chart for chart in charts if chart]


def benchmark_charts(run: RunRecord) -> list[Chart]:
    """One chart a benchmark that was asked along the way, with 95% intervals; beside it its figure, n and protocol."""
    described = run.card.get("benchmarks") or {}
    charts = []
    for key in (*run.keys("eval", "benchmark/"), *run.keys("eval", "harness/")):
        area, _, name = key.partition("/")
        steps, values = run.series("eval", key)
        errors = dict(zip(*run.series("eval", f"{area}_error/{name}"), strict=True))
        spread = 1.96 * np.asarray([errors.get(step, math.nan) for step in steps])
        share = area == "benchmark" or bool(
            (values <= 1.0).all() and (values >= 0.0).all()
        )  # else a harness's own scale
        low, high = values - spread, values + spread
        if share:
            low, high = np.maximum(low, 0.0), np.minimum(high, 1.0)
        held = described.get(name, {})
        note = ", ".join(
            f"{label} {held[field]}".strip()
            for label, field in (("", "figure"), ("n", "n"), ("protocol", "protocol_hash"))
            if field in held
        )
        drawn = line_chart(
            f"{area}-{name}".lower().replace(" ", "-"),
            [Line(name, steps, values)],
            [Points(f"_{name}", steps, values, low, high)],
            (0, 1) if share else None,
            "RL step",
        )
        charts.append(Chart(name, note, drawn))
    return charts


def time_charts(run: RunRecord) -> list[Chart]:
    """Seconds of a step by what they were spent on, and tokens a second."""
    charts = [_time_chart(run)]
    per_second = {"rollout": "tokens/rollout_per_second"}
    charts.append(_metric_chart(run, "rl", "Response tokens per second", per_second, "rollout", from_zero=True))
    tokens = {"response": "tokens/response", "image": "tokens/image", "text": "tokens/text"}
    charts.append(_metric_chart(run, "rl", "Tokens per step", tokens, from_zero=True))
    return [chart for chart in charts if chart]


def _time_chart(run: RunRecord) -> Chart | None:
    order = ["draw", "rollout", "judge", "update", "validate"]
    names = [key.removeprefix("time/").removesuffix("_seconds") for key in run.keys("rl", "time/")]
    names = sorted((n for n in names if n != "step"), key=lambda n: order.index(n) if n in order else len(order))
    rows = [line for line in run.metrics if line["phase"] == "rl" and line.get("time/step_seconds") is not None]
    if not rows or not names:
        return None
    steps = np.asarray([row["step"] for row in rows], dtype=np.float64)
    parts = {
        name: np.asarray([row.get(f"time/{name}_seconds") or 0.0 for row in rows], dtype=np.float64) for name in names
    }
    whole = np.asarray([row.get("time/step_seconds") or 0.0 for row in rows], dtype=np.float64)
    parts["rest"] = np.maximum(whole - sum(parts.values()), 0.0)
    parts = {label: values for label, values in parts.items() if values.any()}
    return Chart("Time per RL step", "seconds", stacked_chart("time", steps, parts, "RL step"))


def _metric_chart(
    run: RunRecord,
    phase: str,
    title: str,
    keys: Mapping[str, str],
    note: str = "",
    y_range: tuple[float, float] | None = None,
    from_zero: bool = False,
) -> Chart | None:
    lines: list[Line] = []
    for i, (label, key) in enumerate(keys.items()):
        steps, values = run.series(phase, key)
        colour = label if label in run.modalities else _COLOUR_ORDER[i % len(_COLOUR_ORDER)]
        if values.any():  # what stayed at zero would be an empty chart; the page says that it is left out
            lines += smoothed(label, steps, values, colour)
    if not lines:
        return None
    of_phase = {"sft": "SFT step", "distil": "distillation step", "dpo": "DPO step", "rl": "RL step", "eval": "RL step"}
    x_label = of_phase[phase]
    name = f"{phase}-{title}".lower().replace(" ", "-")
    return Chart(title, note, line_chart(name, lines, (), y_range, x_label, from_zero))


def total_seconds(run: RunRecord) -> list[tuple[str, float]]:
    """Wall-clock seconds by phase, from results.json where they are written, else from the steps' own times."""
    held = run.results.get("wall_seconds")
    if isinstance(held, Mapping):
        return [(str(k), float(v)) for k, v in held.items() if isinstance(v, (int, float))]
    found = []
    for phase in PHASES:
        _, values = run.series(phase, "time/step_seconds")
        if len(values):
            found.append((phase, float(values.sum())))
    return found


def all_charts(run: RunRecord) -> Sequence[tuple[str, str, list[Chart]]]:
    """(heading, note, charts) in reading order; a heading without charts is left out."""
    sections = [
        (
            "Accuracy by modality",
            "Lines: training problems of each step, sampled (bold: rolling mean over a twentieth of the run). "
            "Validation problems along the way: ● sampled, ◇ greedy. Test problems of the table above, before and "
            "after RL with 95% intervals: ■ sampled, △ greedy.",
            accuracy_charts(run),
        ),
        ("Benchmarks", "Asked with the same seeds at every point; bars: 95% intervals.", benchmark_charts(run)),
        ("Responses", "What stayed at zero is left out here and below.", response_charts(run)),
        ("Time", "", time_charts(run)),
        ("Training", "", training_charts(run)),
    ]
    return [section for section in sections if section[2]]

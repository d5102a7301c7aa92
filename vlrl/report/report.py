"""report.html: one file that opens without a server or a network. Curves, figures, rollouts with images, run card."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from vlrl.report.benchmark_tables import benchmark_tables
from vlrl.report.figures.metric_charts import all_charts, before_after_chart, final_figures, total_seconds
from vlrl.report.model_cards.card_files import write_model_cards
from vlrl.report.read_run import PHASES, RunRecord, is_idle, read_run
from vlrl.report.run_card import card_facts, duration_text, settings_text, write_run_card
from vlrl.report.tables import accuracy_text, result_tables
from vlrl.report.viewer import script_json, viewer_payload
from vlrl.runlog.run_folder import write_atomically


def write_report(run_folder: Path) -> Path:
    """Write report.html and run_card.md into a run folder, finished or not, and a card into each of its models; returns
    the path of report.html.

    Whatever a model wrote reaches the page as text only: autoescaped HTML or JSON that is shown through textContent.
    Raises RunError where the folder is no run folder or a file of it can't be read.
    """
    run_folder = Path(run_folder)
    run = read_run(run_folder)
    environment = Environment(
        loader=PackageLoader("vlrl.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    payload = viewer_payload(run_folder)
    page = environment.get_template("report.html.jinja").render(
        name=run_folder.resolve().name,
        status=run.card.get("status", "unknown"),
        tiles=headline(run),
        before_after=before_after_chart(run),
        tables=result_tables(run),
        benchmarks=benchmark_tables(run),
        modalities=run.modalities,
        sections=all_charts(run),
        viewer={key: payload[key] for key in ("written", "shown")},
        payload=Markup(script_json(payload)),
        metadata=card_facts(run),
        settings=settings_text(run),
        style=Markup(_own_file("report.css")),
        script=Markup(_own_file("report.js")),
        svg=Markup,
    )
    target = run_folder / "report.html"
    write_atomically(target, page)
    write_run_card(run_folder)
    write_model_cards(run)
    return target


def headline(run: RunRecord) -> list[dict[str, str]]:
    """The few figures at the top: average accuracy before and after, steps, time, tokens a second."""
    tiles = []
    stages = run.stages
    for kind in ("sampled", "greedy"):
        ends = [final_figures(run, stage)["average"].get(kind) for stage in stages]
        known = [value for value in ends if isinstance(value, (int, float))]
        if known:
            said = " → ".join(accuracy_text(v) for v in (known[:1] + known[-1:] if len(known) > 1 else known))
            tiles.append({"label": f"average accuracy, {kind}", "value": said, "note": _stage_note(stages, len(known))})
    last = [(phase, run.last_step(phase)) for phase in PHASES]
    steps = [f"{step} {phase.upper()}" for phase, step in last if step is not None]
    if steps:
        tiles.append({"label": "steps", "value": " + ".join(steps), "note": ""})
    idle = {phase: [is_idle(line) for line in run.metrics if line["phase"] == phase] for phase in PHASES}
    taught_nothing = [f"{sum(held)} of {len(held)} {phase.upper()}" for phase, held in idle.items() if any(held)]
    if taught_nothing:
        note = "nothing to learn from, or a gradient of zero"
        tiles.append({"label": "steps that changed no weight", "value": ", ".join(taught_nothing), "note": note})
    seconds = total_seconds(run)
    if seconds:
        parts = [f"{name} {duration_text(s)}".replace(" ", "\u00a0") for name, s in seconds]
        note = ", ".join(parts) if len(parts) > 1 else ""
        tiles.append({"label": "wall-clock", "value": duration_text(sum(s for _, s in seconds)), "note": note})
    _, speed = run.series("rl", "tokens/rollout_per_second")
    if len(speed):
        tiles.append(
            {"label": "rollout tokens a second", "value": f"{speed.mean():,.0f}", "note": "mean over RL steps"}
        )
    return tiles


def _stage_note(stages: list[str], known: int) -> str:
    return f"test problems, {stages[0].upper()} → {stages[-1].upper()}" if known > 1 else "test problems"


def _own_file(name: str) -> str:
    return resources.files("vlrl.report").joinpath(name).read_text(encoding="utf-8")

"""Before and after in figures: one row a modality or domain, with n and 95% intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vlrl.report.figures.metric_charts import final_figures
from vlrl.report.read_run import RunRecord, is_figure

AGREEMENT = "text and rendered twin get the same verdict"
TWINS = {  # by the name of a row: the key of results.json
    AGREEMENT: "consistency",
    "by chance, from the two accuracies": "consistency_by_chance",
    "beyond chance (Cohen's κ)": "consistency_kappa",
}


@dataclass(frozen=True)
class Cell:
    """One accuracy with its interval, and the share of the bar behind it; empty texts where the run wrote none."""

    value: str = ""
    interval: str = ""
    share: float = 0.0


@dataclass(frozen=True)
class Row:
    """One modality or domain. `cells[kind]` follow the stages of the table; `changes[kind]` is last − first."""

    name: str
    n: str
    cells: Mapping[str, tuple[Cell, ...]]
    changes: Mapping[str, str]


@dataclass(frozen=True)
class Table:
    """Rows over stages; `kinds` is what was measured, of sampled and greedy."""

    title: str
    stages: tuple[str, ...]
    kinds: tuple[str, ...]
    rows: tuple[Row, ...]


def result_tables(run: RunRecord) -> list[Table]:
    """Accuracy by modality; by domain and agreement of text with rendered twins where results.json holds them."""
    stages = run.stages
    by_modality = {stage: final_figures(run, stage) for stage in stages}
    names = [*run.modalities, *(["average"] if len(run.modalities) > 1 else [])]
    tables = [_table("By modality", by_modality, names)]
    domains = {stage: run.results[stage].get("domains") or {} for stage in stages}
    found = sorted({name for figures in domains.values() for name, figure in figures.items() if is_figure(figure)})
    tables.append(_table("By domain", domains, found))
    twins = {stage: {name: run.results[stage].get(key) or {} for name, key in TWINS.items()} for stage in stages}
    if any(isinstance(v, float) for figures in twins.values() for v in figures[AGREEMENT].values()):
        tables.append(_table("Agreement", twins, list(TWINS)))
    return [table for table in tables if table.rows]


def _table(title: str, figures: Mapping[str, Mapping[str, Any]], names: list[str]) -> Table:
    stages = tuple(figures)
    kinds = tuple(kind for kind in ("sampled", "greedy") if _measured(figures, names, kind))
    rows = []
    for name in names:
        held = [figures[stage].get(name) or {} for stage in stages]
        if not any(held):
            continue
        sizes = sorted({int(f["n"]) for f in held if f.get("n")})
        cells = {kind: tuple(_cell(f, kind) for f in held) for kind in kinds}
        changes = {kind: _change(held, kind) for kind in kinds}
        rows.append(Row(name, " / ".join(str(n) for n in sizes), cells, changes))
    return Table(title, stages, kinds, tuple(rows))


def _measured(figures: Mapping[str, Mapping[str, Any]], names: list[str], kind: str) -> bool:
    cells = [(held.get(name) or {}).get(kind) for held in figures.values() for name in names]
    return any(isinstance(value, (int, float)) for value in cells)


def _cell(figure: Mapping[str, Any], kind: str) -> Cell:
    value, ends = figure.get(kind), figure.get(f"{kind}_interval")
    if not isinstance(value, (int, float)):
        return Cell()
    interval = f"{accuracy_text(ends[0])}–{accuracy_text(ends[1])}" if ends and None not in ends else ""
    return Cell(accuracy_text(value), interval, float(value))


def _change(figures: list[Mapping[str, Any]], kind: str) -> str:
    values = [f.get(kind) for f in figures]
    if len(values) < 2 or not isinstance(values[0], (int, float)) or not isinstance(values[-1], (int, float)):
        return ""
    return f"{values[-1] - values[0]:+.3f}".replace("-", "−").replace("0.", ".")


def accuracy_text(value: float) -> str:
    """An accuracy in [0, 1] with three digits: .575."""
    return f"{value:.3f}".removeprefix("0")

"""What a finished run prints: accuracy by modality with n and intervals, before and after, and where things lie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.table import Table

from vlrl.terminal import console
from vlrl.types import MODALITIES

NAMES = {"sft": "after warm-up", "distil": "after distillation", "dpo": "after DPO", "rl": "after RL"}
NAMES |= {"start": "at the start", "model": "model"}


def print_summary(folder: Path) -> None:
    """Print results.json as a table, times by phase, and the paths of report and model."""
    out = console()
    file = folder / "results.json"
    results: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    tables = {name: results[name] for name in NAMES if name in results}
    if tables:
        out.print(_accuracies(tables))
        for name, table in tables.items():
            agreement = table["consistency"]["sampled"]
            if agreement is not None:
                chance, kappa = (table.get(f"consistency_{key}", {}).get("sampled") for key in ("by_chance", "kappa"))
                beyond = "" if kappa is None else f", κ {kappa:.2f}"
                beside = "" if chance is None else f" ({chance:.2f} by chance{beyond})"
                said = f"text and rendered twin get the same verdict, {NAMES[name]}: {agreement:.2f}{beside}"
                out.print(said, markup=False)
    seconds = results.get("wall_seconds", {})
    if seconds:
        out.print(
            "wall seconds: " + ", ".join(f"{phase} {value:.0f}" for phase, value in seconds.items()), markup=False
        )
    for name in ("model", "model_distil", "model_sft", "data", "report.html"):
        if (folder / name).exists():
            out.print(f"{name.removesuffix('.html')}: {folder / name}", soft_wrap=True, markup=False)


def _accuracies(tables: dict[str, Any]) -> Table:
    shown = Table(title="accuracy on held-out problems (95 % interval)", title_justify="left")
    for name in ("modality", "decoding", "n"):
        shown.add_column(name)
    for name in tables:
        shown.add_column(NAMES[name], justify="right")
    first = next(iter(tables.values()))
    for modality in (m for m in MODALITIES if m in first):
        for kind in ("sampled", "greedy"):
            cells = [_with_interval(t[modality][kind], t[modality][f"{kind}_interval"]) for t in tables.values()]
            shown.add_row(modality, kind, str(first[modality]["n"]), *cells, end_section=kind == "greedy")
    for kind in ("sampled", "greedy"):
        shown.add_row(
            "average", kind, "", *(f"{t['average'][kind]:.3f}              " for t in tables.values()), style="bold"
        )
    return shown


def _with_interval(value: float, interval: list[float]) -> str:
    return f"{value:.3f} ({interval[0]:.3f}–{interval[1]:.3f})"

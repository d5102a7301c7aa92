"""A run folder as the report sees it: card, metrics, results. Reads files only, so no torch is needed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlrl.errors import RunError
from vlrl.runlog.run_folder import read_jsonl
from vlrl.types import MODALITIES

Floats = NDArray[np.float64]

PHASES = ("sft", "distil", "dpo", "rl")  # that train, in the order a run goes through them


@dataclass(frozen=True)
class RunRecord:
    """What a run wrote. `metrics`: the lines of metrics.jsonl in order; `results`: empty before they are written."""

    folder: Path
    card: Mapping[str, Any]
    metrics: tuple[Mapping[str, Any], ...]
    results: Mapping[str, Any]

    def series(self, phase: str, key: str) -> tuple[Floats, Floats]:
        """(steps, values), (N,) each, of one metric in one phase; lines without a number for it are left out."""
        points = [
            (line["step"], line[key])
            for line in self.metrics
            if line["phase"] == phase and isinstance(line.get(key), (int, float))
        ]
        both = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        return both[:, 0], both[:, 1]

    def keys(self, phase: str, prefix: str) -> list[str]:
        """Metric keys of a phase that start with `prefix` and have a number somewhere, in order of appearance."""
        found: dict[str, None] = {}
        for line in self.metrics:
            if line["phase"] == phase:
                found.update(dict.fromkeys(k for k, v in line.items() if k.startswith(prefix) and v is not None))
        return list(found)

    def last_step(self, phase: str) -> int | None:
        """The last step that a phase wrote a line for."""
        return max((int(line["step"]) for line in self.metrics if line["phase"] == phase), default=None)

    @property
    def stages(self) -> list[str]:
        """Names in results.json that hold figures by modality, in the order in which a run goes through them."""
        names = [
            name
            for name, held in self.results.items()
            if isinstance(held, Mapping) and any(is_figure(held.get(modality)) for modality in MODALITIES)
        ]
        order = ["start", *PHASES]
        return sorted(names, key=lambda name: order.index(name) if name in order else len(order))

    @property
    def modalities(self) -> list[str]:
        """Modalities that the run trained or evaluated on, in the order of `vlrl.types.MODALITIES`."""
        seen = {key.removeprefix("accuracy/") for phase in (*PHASES, "eval") for key in self.keys(phase, "accuracy/")}
        seen |= {name for stage in self.stages for name in self.results[stage]}
        return [name for name in MODALITIES if name in seen]


def is_idle(line: Mapping[str, Any]) -> bool:
    """Whether a step's metrics say that it changed no weight: no update, or a gradient of zero."""
    return line.get("updates") == 0 or line.get("gradient/norm") == 0


def is_figure(held: Any) -> bool:
    """Whether an entry of results.json is an accuracy with its kinds: `{"sampled": …, "greedy": …, "n": …}`."""
    return isinstance(held, Mapping) and ("sampled" in held or "greedy" in held)


def read_run(folder: Path) -> RunRecord:
    """Everything but the rollouts. Raises RunError for a folder that no run has opened or a file that can't be read."""
    card = _read_json(folder / "run_card.json")
    if card is None:
        raise RunError(
            str(folder),
            "is not a run folder: it has no run_card.json",
            "name the folder that a run wrote, as in runs/…",
        )
    metrics_file = folder / "metrics.jsonl"
    metrics = tuple(read_jsonl(metrics_file)) if metrics_file.is_file() else ()
    return RunRecord(folder, card, metrics, _read_json(folder / "results.json") or {})


def _read_json(file: Path) -> dict[str, Any] | None:
    if not file.is_file():
        return None
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise RunError(f"{file}, line {error.lineno}", f"not valid JSON: {error.msg}", "run it again") from error
    if not isinstance(held, dict):
        raise RunError(str(file), f"holds {type(held).__name__}, not an object", "run it again")
    return held


def rolling_mean(values: Floats, window: int) -> Floats:
    """Centred mean over `window` neighbours, (N,) → (N,); at the ends over those that exist."""
    half = window // 2
    sums = np.concatenate([[0.0], np.cumsum(values)])
    first = np.maximum(np.arange(len(values)) - half, 0)
    last = np.minimum(np.arange(len(values)) + half + 1, len(values))
    smooth: Floats = (sums[last] - sums[first]) / (last - first)
    return smooth


def bin_means(steps: Floats, values: Floats, most: int) -> tuple[Floats, Floats]:
    """At most `most` points, each the mean of neighbours: (N,) → (M,) for steps, (N, …) → (M, …) for values."""
    if len(steps) <= most:
        return steps, values
    edges = np.linspace(0, len(steps), most + 1).astype(int)
    pairs = list(itertools.pairwise(edges))
    return (
        np.asarray([steps[a:b].mean() for a, b in pairs]),
        np.asarray([values[a:b].mean(axis=0) for a, b in pairs]),
    )

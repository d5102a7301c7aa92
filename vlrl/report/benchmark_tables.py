"""Benchmarks in figures, as results.json of `vlrl eval` holds them: one line each, then every official grouping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vlrl.report.read_run import RunRecord


@dataclass(frozen=True)
class PlainTable:
    """A table of texts; the first cell of a row is its name."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def benchmark_tables(run: RunRecord) -> list[PlainTable]:
    """Nothing where the folder holds no benchmarks."""
    results = run.results.get("benchmarks")
    if not isinstance(results, list) or not results:
        return []
    columns = ("", "figure", "value", "95% interval", "n", "runs", "mean tokens", "cut off", "faults", "protocol")
    tables = [PlainTable("Benchmarks", columns, tuple(_line(one) for one in results))]
    for one in results:
        for grouping, held in (one.get("groups") or {}).items():
            rows = tuple(
                (value, f"{100 * t['accuracy']:.1f}%", f"{t['correct']}/{t['total']}") for value, t in held.items()
            )
            tables.append(
                PlainTable(f"{one['benchmark']} by {grouping.replace('_', ' ')}", ("", "value", "right"), rows)
            )
    return tables


def _line(one: Mapping[str, Any]) -> tuple[str, ...]:
    low, high = one["interval"]
    return (
        str(one["benchmark"]),
        str(one["figure"]),
        f"{100 * one['value']:.2f}%",
        f"{100 * low:.2f}–{100 * high:.2f}",
        f"{one['n']:,}",
        str(one["runs"]),
        f"{one['tokens']['mean']:.0f}",
        f"{100 * one['cut_off_rate']:.1f}%",
        str(one["faults"]),
        str(one["protocol_hash"]),
    )

"""Correct of total, overall and in every grouping of a benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Tally:
    """`correct` of `total` rows."""

    correct: int
    total: int

    @property
    def accuracy(self) -> float:
        """Share of correct rows; 0 of nothing is 0."""
        return self.correct / self.total if self.total else 0.0

    def record(self) -> dict[str, Any]:
        """As it stands in JSON."""
        return {"accuracy": self.accuracy, "correct": self.correct, "total": self.total}


Groups = dict[str, dict[str, Tally]]


def tally(correct: Sequence[bool]) -> Tally:
    """All rows."""
    return Tally(sum(correct), len(correct))


def tally_groups(correct: Sequence[bool], groups: Sequence[Mapping[str, tuple[str, ...]]]) -> Groups:
    """Grouping → value → tally; a row counts in each of its values. Values in descending order of accuracy."""
    counts: dict[str, dict[str, list[bool]]] = {}
    for right, row in zip(correct, groups, strict=True):
        for grouping, values in row.items():
            for value in values:
                counts.setdefault(grouping, {}).setdefault(value, []).append(right)
    return {
        grouping: dict(
            sorted(((value, tally(rights)) for value, rights in values.items()), key=lambda item: -item[1].accuracy)
        )
        for grouping, values in counts.items()
    }


def tally_sets(sets: Mapping[str, Mapping[str, Sequence[bool]]]) -> Groups:
    """Figures that a benchmark gives over sets of rows (`BenchmarkDefinition.sets`)."""
    return {grouping: {name: tally(rights) for name, rights in figures.items()} for grouping, figures in sets.items()}

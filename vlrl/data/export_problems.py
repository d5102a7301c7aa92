"""Writing down what a recipe gives: fixed sets as files, to look at, to share, and to train on without the recipe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from vlrl.config import Settings
from vlrl.data.fixed_sets import DemonstrationCount
from vlrl.data.mixture import Mixture, demonstrations, held_out_problems
from vlrl.data.problem_files import write_problem_file
from vlrl.data.recipe import Recipe
from vlrl.types import Demonstration, Problem


class SetCounts(Settings):
    """How many problems of each set are drawn; 0 leaves a set out."""

    demonstrations: DemonstrationCount | Literal[0] = 480
    validation_per_modality: int = Field(default=100, ge=0)
    test_per_modality: int = Field(default=100, ge=0)
    train_sample: int = Field(default=200, ge=0)


@dataclass(frozen=True)
class WrittenSet:
    """One file that was written and what it holds: number of problems by source and by modality."""

    path: Path
    by_source: dict[str, int]
    by_modality: dict[str, int]


def write_problems(recipe: Recipe, seed: int, folder: str | Path, counts: SetCounts | None = None) -> list[WrittenSet]:
    """Write demonstrations.jsonl, validation.jsonl, test.jsonl and train_sample.jsonl with images/ into `folder`.

    Demonstrations and training problems are none of the held-out ones. Of sources that have no worked responses, or
    few, there are as many demonstrations as they have. Everything is drawn before anything is written.
    Raises ConfigError or DataError as the recipe's sources do.
    """
    counts = counts or SetCounts()
    held_out: dict[str, list[Problem]] = {
        "validation": held_out_problems(recipe, seed, "validation", counts.validation_per_modality),
        "test": held_out_problems(recipe, seed, "test", counts.test_per_modality),
    }
    banned = held_out["validation"] + held_out["test"]
    sets: dict[str, Sequence[Problem | Demonstration]] = {
        "demonstrations": demonstrations(recipe, seed, counts.demonstrations, banned, as_there_are=True),
        **held_out,
        "train_sample": Mixture(recipe, seed, banned).draw(counts.train_sample),
    }
    written = []
    for name, items in sets.items():
        if items:
            path = Path(folder) / f"{name}.jsonl"
            write_problem_file(path, items)
            problems = [item.problem if isinstance(item, Demonstration) else item for item in items]
            written.append(
                WrittenSet(path, dict(Counter(p.source for p in problems)), dict(Counter(p.modality for p in problems)))
            )
    return written

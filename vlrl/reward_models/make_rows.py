"""The data maker: rows by rewriting and from rollouts, deduplicated by content, split by problem, balanced by label."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

import vlrl.reward_models.rewriting  # noqa: F401  (files the families under their names)
from vlrl.config import Settings
from vlrl.errors import ConfigError, DataError, did_you_mean
from vlrl.reward_models.injections import injected
from vlrl.reward_models.judged_row import JudgedRow
from vlrl.reward_models.rewriting.family import Family, Form, Rewritten, families, worked
from vlrl.reward_models.rollout_rows import rollout_rows
from vlrl.seeding import stream
from vlrl.types import Problem, Text, content_digest
from vlrl.verify.learned.asked_answer import tame

RowSplit = Literal["train", "validation", "test"]
SPLITS: tuple[RowSplit, ...] = ("train", "validation", "test")
_PARTS = 10_000


class RewritingSettings(Settings):
    """Rows by rewriting: `problems` of the families in turn, each with `answers` right and as many wrong ones."""

    families: tuple[str, ...] = ("numbers", "units", "algebra", "relations")
    problems: int = Field(default=2000, ge=1)
    answers: int = Field(default=1, ge=1, le=8, description="right answers to each problem, and wrong ones")
    injection_rate: float = Field(
        default=0.1, ge=0.0, le=1.0, description="share of wrong answers that ask their judge to accept them"
    )

    @field_validator("families")
    @classmethod
    def _known(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for name in given:
            if name not in families:
                raise ConfigError("make.rewriting.families", f"unknown family {name!r}", did_you_mean(name, families))
        if not given or len(set(given)) < len(given):
            raise ValueError(f"name each family once: {', '.join(families.names())}")
        return given


class MakeSettings(Settings):
    """Where rows come from.

    rewriting  by rewriting golds; null: none
    rollouts   folders of runs whose verified rollouts become rows
    held_out   share of the problems for validation, and again for the test; all rows of a problem fall on one side
    balance    whether rows are left out until half of each origin's are right, in every split
    """

    rewriting: RewritingSettings | None = RewritingSettings()
    rollouts: tuple[str, ...] = ()
    held_out: float = Field(default=0.1, gt=0.0, le=0.4)
    balance: bool = True

    @model_validator(mode="after")
    def _something(self) -> MakeSettings:
        if self.rewriting is None and not self.rollouts:
            raise ConfigError("make", "names no rows to make", "give `rewriting: {}` or `rollouts: [RUN_FOLDER]`")
        return self


@dataclass(frozen=True)
class MadeRows:
    """Rows by split, and how many were left out, by reason."""

    splits: Mapping[RowSplit, Sequence[JudgedRow]]
    left_out: Mapping[str, int]

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """By split and origin, the number of rows."""
        return {split: dict(Counter(row.origin for row in rows)) for split, rows in self.splits.items()}


def make_rows(settings: MakeSettings, seed: int) -> MadeRows:
    """All rows that the settings ask for. Raises DataError where a split has no row, or only one label."""
    rows: list[JudgedRow] = []
    left: Counter[str] = Counter()
    if settings.rewriting is not None:
        rows += rewriting_rows(settings.rewriting, seed)
    for folder in settings.rollouts:
        found, not_taken = rollout_rows(Path(folder).expanduser())
        rows += found
        left.update(not_taken)
    unique, removed = deduplicated(rows)
    left.update(removed)
    splits = split_by_problem(unique, settings.held_out, seed)
    if settings.balance:
        for name, of_split in splits.items():
            kept = balanced(of_split, stream(seed, "reward model", "balance", name))
            left["more of one label than of the other"] += len(of_split) - len(kept)
            splits[name] = kept
    for name, of_split in splits.items():
        if len({row.correct for row in of_split}) < 2:
            raise DataError(
                f"make, {name}",
                f"has {len(of_split)} rows, and not both labels among them",
                "ask for more problems, name more rollouts, or raise make.held_out",
            )
    return MadeRows(splits, {reason: count for reason, count in left.items() if count})


def rewriting_rows(settings: RewritingSettings, seed: int) -> list[JudgedRow]:
    """Rows of drawn rewritings. A problem gives as many right as wrong ones."""
    rows: list[JudgedRow] = []
    made: list[Family] = [families.get(name)() for name in settings.families]
    for number in range(settings.problems):
        family = made[number % len(made)]
        rng = stream(seed, "reward model", "rewriting", family.name, number)
        drawn = family.draw(rng, settings.answers)
        fair = min(len(drawn.equal), len(drawn.other))
        for form in (*drawn.equal[:fair], *drawn.other[:fair]):
            rows.append(_row(family, drawn, form, settings.injection_rate, rng))
    return rows


def _row(family: Family, drawn: Rewritten, form: Form, injection_rate: float, rng: np.random.Generator) -> JudgedRow:
    correct = form.value == drawn.reference.value
    answer, how, thought = form.text, form.how, worked(drawn.reference, form)
    if not correct and rng.random() < injection_rate:
        answer, how = injected(answer, drawn.reference.text, rng), "injection"
        thought = f"{drawn.reference.step}; {form.step} and more words; differ"
    problem = Problem(
        (Text(drawn.question),), drawn.reference.text, drawn.verifier, "text", family.name, metadata=drawn.metadata
    )
    group = content_digest(family.name, repr(drawn.reference.value))
    return JudgedRow(problem, tame(answer), correct, f"{family.name}/{how}", group, thought)


def deduplicated(rows: Iterable[JudgedRow]) -> tuple[list[JudgedRow], Counter[str]]:
    """Rows of which no two show a judge the same, in order; what is left out is counted.

    Where two have the same content and opposite labels, neither can be relied on: both go.
    """
    by_content: dict[str, list[JudgedRow]] = defaultdict(list)
    for row in rows:
        by_content[row.content].append(row)
    removed: Counter[str] = Counter()
    kept = []
    for same in by_content.values():
        if len({row.correct for row in same}) > 1:
            removed["labelled both right and wrong"] += len(same)
        else:
            removed["given twice"] += len(same) - 1
            kept.append(same[0])
    return kept, removed


def split_by_problem(rows: Iterable[JudgedRow], held_out: float, seed: int) -> dict[RowSplit, list[JudgedRow]]:
    """Rows by split; which one a problem falls into depends on its group and the seed alone."""
    splits: dict[RowSplit, list[JudgedRow]] = {name: [] for name in SPLITS}
    for row in rows:
        place = int(content_digest("split", str(seed), row.group), 16) % _PARTS / _PARTS
        splits["test" if place < held_out else "validation" if place < 2 * held_out else "train"].append(row)
    return splits


def balanced(rows: Sequence[JudgedRow], rng: np.random.Generator) -> list[JudgedRow]:
    """As many right as wrong rows of every kind of origin (what stands before its `/`), in order."""
    kept: set[int] = set()
    kinds = sorted({row.origin.partition("/")[0] for row in rows})
    for kind in kinds:
        places = [i for i, row in enumerate(rows) if row.origin.partition("/")[0] == kind]
        right = [i for i in places if rows[i].correct]
        wrong = [i for i in places if not rows[i].correct]
        fair = min(len(right), len(wrong))
        for label in (right, wrong):
            kept.update(int(i) for i in rng.permutation(label)[:fair])
    return [row for i, row in enumerate(rows) if i in kept]


def refuse_shared_problems(train: Iterable[JudgedRow], test: Iterable[JudgedRow]) -> None:
    """Raises DataError where a problem, or a row, of the test was trained on: its accuracy would be no estimate."""
    trained = list(train)
    groups, contents = {row.group for row in trained}, {row.content for row in trained}
    shared = [row for row in test if row.group in groups or row.content in contents]
    if shared:
        raise DataError(
            "test rows",
            f"{len(shared)} of them are of problems that are trained on, e.g. {shared[0].problem.question[-80:]!r}",
            "make the rows again: `vlrl reward-model make` holds problems out whole",
        )

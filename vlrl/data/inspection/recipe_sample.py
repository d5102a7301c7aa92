"""A sample of what a recipe gives, to look at and to count: by weight, rendered problems with their text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from vlrl.data.fixed_sets import whole_shares
from vlrl.data.inspection.table_check import TableReport
from vlrl.data.recipe import Recipe
from vlrl.data.rows.bad_rows import SkippedRows
from vlrl.data.source_settings import FileSourceSettings
from vlrl.data.sources import DomainSource, RenderedSource, Source, Split, build_sources
from vlrl.errors import BadRowError
from vlrl.seeding import stream
from vlrl.types import Problem, Text


@dataclass(frozen=True)
class SampleItem:
    """One problem; its worked response where its source has one; the text problem that it is the twin of."""

    problem: Problem
    response: str | None = None
    text: Problem | None = None

    @property
    def typed(self) -> str:
        """What the prompt says in characters."""
        return "".join(piece.text for piece in self.problem.prompt if isinstance(piece, Text))


@dataclass(frozen=True)
class Sample:
    """Items in the recipe's order of sources.

    asked  problems that the weights ask of each source; finite sources may have fewer
    rows   training rows of finite sources (test rows of an evaluation set), None for endless ones
    bad    by source, where it says skip: reason → rows that were left out
    tables by source and table (train, validation, test): what all its rows hold, where they were read whole
    """

    items: tuple[SampleItem, ...]
    asked: dict[str, int]
    rows: dict[str, int | None]
    bad: dict[str, dict[str, int]] = field(default_factory=dict)
    tables: dict[str, dict[str, TableReport]] = field(default_factory=dict)


def draw_sample(recipe: Recipe, seed: int, count: int) -> Sample:
    """About `count` training problems, at least one of each source; rows of a file in the order of a shuffled epoch.

    Evaluation sets, which are never trained on, show their test rows. Raises ConfigError or DataError as sources do.
    """
    skipped = SkippedRows(recipe)
    settings = {source.name: source for source in recipe.sources}
    asked = {name: max(1, amount) for name, amount in whole_shares(count, recipe.shares).items()}
    items: list[SampleItem] = []
    rows: dict[str, int | None] = {}
    tables: dict[str, dict[str, TableReport]] = {}
    for source in build_sources(recipe, seed):
        held = settings[source.name]
        hidden = isinstance(held, FileSourceSettings) and held.is_evaluation_set and not held.force
        split: Split = "test" if hidden else "train"
        rows[source.name] = source.size_of(split)
        if reports := getattr(source, "reports", None):
            tables[source.name] = reports
        found = _items(source, split, seed, skipped)
        items += islice(found, asked[source.name])
    bad = {name: dict(found) for name, found in skipped.reasons.items() if found}
    return Sample(tuple(items), asked, rows, bad, tables)


def _items(source: Source, split: Split, seed: int, skipped: SkippedRows) -> Iterator[SampleItem]:
    size = source.size_of(split)
    if size is None:
        order: Iterator[int] = iter(range(10**9))
    else:
        order = (int(i) for i in stream(seed, "data", source.name, "look").permutation(size))
    for index in order:
        try:
            problem, demonstration = source.item(split, index)
            text = _text_of(source, split, index) if isinstance(source, RenderedSource) else None
        except BadRowError as error:
            skipped.leave_out(source.name, error)
            continue
        skipped.read(source.name)
        yield SampleItem(problem, demonstration.response if demonstration else None, text)


def _text_of(source: RenderedSource, split: Split, index: int) -> Problem:
    if isinstance(source.of, DomainSource):
        return source.of.plain_item(split, index, drawn_for=source.name)[0]
    return source.of.plain_item(split, index)[0]

"""Sources: one object for each source of a recipe, which gives its n-th problem of a split on demand.

An item depends on nothing but (seed, source name, split, index, attempt), so draws can be repeated, resumed and spread
over processes. Problems of a domain are endless; rows of a file are finite.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, Protocol

from vlrl.data.recipe import Recipe
from vlrl.data.rows.bad_rows import Check, CheckResponse, bad_row
from vlrl.data.source_settings import (
    DomainSourceSettings,
    FileSourceSettings,
    RenderedSourceSettings,
    SourceSettings,
    modality_of,
)
from vlrl.errors import DataError
from vlrl.rendered_text.convert import rendered_twin
from vlrl.scenes.domain import draw_problem, with_split
from vlrl.seeding import stream
from vlrl.types import Demonstration, Modality, Problem

Split = Literal["train", "demonstrations", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "demonstrations", "validation", "test")
HELD_OUT: tuple[Split, ...] = ("validation", "test")


class Source(Protocol):
    """Problems of one kind."""

    name: str
    modality: Modality
    size: int | None  # number of training problems; None = endless
    fresh: bool  # whether every index has further problems, one for each attempt; rows are what they are
    labelled: bool  # whether every item has a difficulty

    def size_of(self, split: Split) -> int | None:
        """Number of problems in a split; None = endless."""
        ...

    def item(self, split: Split, index: int, attempt: int = 0) -> tuple[Problem, Demonstration | None]:
        """The problem at `index` of a split, and its worked response where the source has one. Raises DataError.

        A fresh source has further problems of the same difficulty at the same index, one for each `attempt`, for when
        the first can't be used: leaving out what is held out then doesn't shift the difficulty.
        """
        ...

    def place_of(self, split: Split, index: int) -> str:
        """Where the item at `index` comes from, for messages: file and line of a row."""
        ...

    def difficulty_of(self, split: Split, index: int) -> float | None:
        """The difficulty of the item at `index`, without drawing it; None where items have no label."""
        ...


class TextSource(Source, Protocol):
    """A source whose problems may be drawn as images."""

    def plain_item(self, split: Split, index: int, attempt: int = 0) -> tuple[Problem, Demonstration | None]:
        """As `item`, without the source's prompt template and system prompt. Raises DataError."""
        ...


class DomainSource:
    """Endless problems of a generated domain. Held-out splits use the held-out part of the domain's image pool."""

    size: int | None = None
    fresh = True
    labelled = True

    def __init__(self, settings: DomainSourceSettings, seed: int) -> None:
        self.name, self.tags, self.seed, self.asking = settings.name, settings.tags, seed, settings.asking
        self.modality: Modality = modality_of(settings)
        self.low, self.high = settings.difficulty
        self._train = with_split(settings.domain, "train")
        self._held_out = with_split(settings.domain, "held_out")

    def size_of(self, split: Split) -> int | None:
        """None: endless."""
        return None

    def item(self, split: Split, index: int, attempt: int = 0) -> tuple[Problem, Demonstration]:
        """The problem at `index`, asked as the source says."""
        problem, demonstration = self.plain_item(split, index, attempt)
        asked = self.asking.of(problem)
        return asked, replace(demonstration, problem=asked)

    def plain_item(
        self, split: Split, index: int, attempt: int = 0, drawn_for: str | None = None
    ) -> tuple[Problem, Demonstration]:
        """As `item`, without a template. `drawn_for` names another source that wants problems of its own from it."""
        branch = ("data", drawn_for or self.name, split, index)
        rng = stream(self.seed, *branch)
        difficulty = self._scale(float(rng.random()))
        if attempt:
            rng = stream(self.seed, *branch, "attempt", attempt)
        made_by = self._held_out if split in HELD_OUT else self._train
        return draw_problem(made_by, rng, difficulty, source=self.name, tags=self.tags)

    def place_of(self, split: Split, index: int) -> str:
        """The source and the problem's number."""
        return f"source {self.name!r}, {split} problem {index + 1}"

    def difficulty_of(self, split: Split, index: int, drawn_for: str | None = None) -> float:
        """The first number of the item's randomness, rounded as a problem's label is."""
        return round(self._scale(float(stream(self.seed, "data", drawn_for or self.name, split, index).random())), 4)

    def _scale(self, place: float) -> float:
        return self.low + (self.high - self.low) * place


class RenderedSource:
    """The rendered twins of a text source.

    The question is drawn as the text source has it, without its prompt template; a rendered source has its own.
    Held-out items are the twins of the text source's items at the same index, so that agreement between a problem and
    its twin can be measured; training items and demonstrations of an endless text source are fresh problems.
    """

    modality: Modality = "rendered"

    def __init__(self, settings: RenderedSourceSettings, of: TextSource, seed: int) -> None:
        self.name, self.settings, self.of, self.seed = settings.name, settings, of, seed
        self.size, self.fresh, self.labelled = of.size, of.fresh, of.labelled

    def size_of(self, split: Split) -> int | None:
        """As many as the text source has."""
        return self.of.size_of(split)

    def item(self, split: Split, index: int, attempt: int = 0) -> tuple[Problem, Demonstration | None]:
        """The twin of a text problem; its demonstration has the text problem's response.

        Raises BadRowError for a text that can't be drawn.
        """
        demonstration: Demonstration | None
        if isinstance(self.of, DomainSource) and split not in HELD_OUT:
            text, demonstration = self.of.plain_item(split, index, attempt, drawn_for=self.name)
        else:
            text, demonstration = self.of.plain_item(split, index, attempt)
        try:
            problem = rendered_twin(
                text,
                self.settings.style,
                stream(self.seed, "data", self.name, split, index, "rendering"),
                source=self.name,
                instruction=self.settings.instruction,
                distortion=self.settings.distortion,
                part=self.settings.part,
                tags=(*text.tags, *self.settings.tags),
            )
        except DataError as error:  # what can't be drawn
            raise bad_row(f"source {self.name!r}, {self.of.place_of(split, index)}", error) from error
        problem = self.settings.asking.of(problem)
        return problem, replace(demonstration, problem=problem) if demonstration else None

    def place_of(self, split: Split, index: int) -> str:
        """The text problem's."""
        return self.of.place_of(split, index)

    def difficulty_of(self, split: Split, index: int) -> float | None:
        """The text problem's."""
        if isinstance(self.of, DomainSource) and split not in HELD_OUT:
            return self.of.difficulty_of(split, index, drawn_for=self.name)
        return self.of.difficulty_of(split, index)


def checked_item(
    source: Source,
    split: Split,
    index: int,
    attempt: int = 0,
    check: Check | None = None,
    check_response: CheckResponse | None = None,
) -> tuple[Problem, Demonstration | None]:
    """An item of a source that the checks have nothing against. Raises BadRowError with the row's place."""
    problem, demonstration = source.item(split, index, attempt)
    try:
        if check is not None:
            check(problem)
        if check_response is not None and demonstration is not None:
            check_response(demonstration)
    except DataError as error:
        raise bad_row(source.place_of(split, index), error) from error
    return problem, demonstration


def build_sources(recipe: Recipe, seed: int) -> tuple[Source, ...]:
    """One object for each source of the recipe, in its order. Raises ConfigError or DataError for unusable files."""
    by_name: dict[str, Any] = {}
    for settings in sorted(recipe.sources, key=lambda s: isinstance(s, RenderedSourceSettings)):
        by_name[settings.name] = _build(settings, by_name, seed)
    return tuple(by_name[settings.name] for settings in recipe.sources)


def _build(settings: SourceSettings, by_name: dict[str, Any], seed: int) -> Source:
    if isinstance(settings, DomainSourceSettings):
        return DomainSource(settings, seed)
    if isinstance(settings, RenderedSourceSettings):
        return RenderedSource(settings, by_name[settings.of], seed)
    if isinstance(settings, FileSourceSettings):
        from vlrl.data.tables.row_source import (
            RowSource,  # imports `datasets`, which recipes of domains alone don't need
        )

        return RowSource(settings)
    raise TypeError(f"no source for {type(settings).__name__}")

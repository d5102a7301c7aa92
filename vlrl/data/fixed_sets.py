"""Fixed sets drawn from a recipe: held-out problems, demonstrations, and texts to train a tokenizer on."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import islice
from typing import Annotated, Literal

from pydantic import Field

from vlrl.data.recipe import Recipe
from vlrl.data.rows.bad_rows import Check, CheckResponse, SkippedRows
from vlrl.data.sources import HELD_OUT, Source, Split, build_sources, checked_item
from vlrl.errors import BadRowError, ConfigError, DataError, did_you_mean
from vlrl.types import MODALITIES, Demonstration, Problem, Text

ATTEMPTS = 16  # problems of one difficulty that are tried before the next index is
PATIENCE = 200  # indices in a row without a usable problem before a source is called exhausted

# no stage trains on none: `sft` is then left out of the stages
DemonstrationCount = Annotated[int, Field(ge=1)] | dict[str, Annotated[int, Field(ge=0)]] | Literal["all"]

log = logging.getLogger(__name__)


def ids_of(problems: Iterable[Problem]) -> frozenset[str]:
    """The ids of the problems, in whatever words they are asked, and of the text problems that they are twins of."""
    return frozenset(name for problem in problems for name in (problem.content_id, problem.twin) if name is not None)


def exhausted(source: str, split: Split, skipped: SkippedRows) -> DataError:
    """The error for a source that has no further problem to give, with what was left out of it."""
    reasons = [f"{count} × {reason}" for reason, count in skipped.reasons[source].most_common(3)]
    return DataError(
        f"source {source!r}, {split}",
        "has no further usable problem: what it gave last was held out or given before"
        + (f", or was left out ({'; '.join(reasons)})" if reasons else ""),
        "make the source larger (more difficult problems, more rows) or ask for fewer held-out problems",
    )


def usable_items(
    source: Source,
    split: Split,
    skipped: SkippedRows,
    banned: frozenset[str] = frozenset(),
    all_there_are: bool = False,
    most_draws: int | None = None,
    check: Check | None = None,
    check_response: CheckResponse | None = None,
) -> Iterator[tuple[Problem, Demonstration | None]]:
    """The items of a split in order: no text twice, none that is banned. Ends with a finite source's last item.

    Validation and test of a fresh source never share a problem, and leave half of all problems to training however
    few there are: the id says where a problem belongs. Rows are in splits already. A stream ends where many rows in a
    row are none to take: it has begun again. A fresh source raises DataError there, unless `all_there_are` will do.
    After `most_draws` draws there is no further item, whatever the source has left.
    Rows that can't be used are left out as `skipped` says, or raise BadRowError.
    """
    seen: set[str] = set()
    size = source.size_of(split)
    index = without = draws = 0
    while size is None or index < size:
        if without >= PATIENCE and size is None:
            if source.fresh and not all_there_are:
                raise exhausted(source.name, split, skipped)
            return
        for attempt in range(ATTEMPTS if source.fresh else 1):
            if draws == most_draws:
                return
            draws += 1
            try:
                problem, demonstration = checked_item(source, split, index, attempt, check, check_response)
            except BadRowError as error:
                skipped.leave_out(source.name, error)
                break
            skipped.read(source.name)
            text_id = problem.twin or problem.content_id
            if problem.content_id in banned or text_id in banned or text_id in seen:
                continue
            if source.fresh and split in HELD_OUT and int(text_id[-1], 16) % 4 != HELD_OUT.index(split):
                continue
            seen.add(text_id)
            without = -1
            yield problem, demonstration
            break
        index += 1
        without += 1


def whole_shares(count: int, shares: Mapping[str, Fraction]) -> dict[str, int]:
    """`count` split into whole numbers by the shares (largest remainder; the first named wins a tie)."""
    total = sum(shares.values(), Fraction(0))
    exact = {name: count * share / total for name, share in shares.items()}
    whole = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: whole[name] - exact[name])
    for name in by_remainder[: count - sum(whole.values())]:
        whole[name] += 1
    return whole


def held_out_problems(
    recipe: Recipe, seed: int, split: Literal["validation", "test"], per_modality: int, check: Check | None = None
) -> list[Problem]:
    """Up to `per_modality` different problems of each modality in the recipe, in the order of `MODALITIES`.

    The sources of a modality share them by weight; what a finite source lacks, the others of its modality give, and if
    all of them lack it, a warning says how many there are. Rendered problems are the twins of the text problems of
    the same split, from the first on. A problem that `check` raises for is a bad row of its
    source. Raises DataError if an endless source can't give enough different problems.
    """
    sources = build_sources(recipe, seed)
    skipped = SkippedRows(recipe)
    problems: list[Problem] = []
    for modality in MODALITIES:
        of_modality = [source for source in sources if source.modality == modality]
        if not of_modality:
            continue
        drawn = _by_weight(of_modality, recipe, split, per_modality, skipped, check)
        if len(drawn) < per_modality:
            log.warning(
                "%s: the sources of modality %s have %d problems, %d were asked for",
                split,
                modality,
                len(drawn),
                per_modality,
            )
        problems += drawn
    return problems


def _by_weight(
    sources: list[Source],
    recipe: Recipe,
    split: Literal["validation", "test"],
    count: int,
    skipped: SkippedRows,
    check: Check | None,
) -> list[Problem]:
    items = {source.name: usable_items(source, split, skipped, check=check) for source in sources}
    taken: dict[str, list[Problem]] = {name: [] for name in items}
    shares = {name: recipe.shares[name] for name in items}
    wanted = count
    while wanted and shares:  # a finite source that has run out leaves its part to the others
        for name, amount in whole_shares(wanted, shares).items():
            batch = [problem for problem, _ in islice(items[name], amount)]
            taken[name] += batch
            if len(batch) < amount:
                del shares[name]
        wanted = count - sum(len(of_source) for of_source in taken.values())
    return [problem for source in sources for problem in taken[source.name]]


def demonstrations(
    recipe: Recipe,
    seed: int,
    count: DemonstrationCount,
    held_out: Iterable[Problem] = (),
    check: Check | None = None,
    as_there_are: bool = False,
    check_response: CheckResponse | None = None,
) -> list[Demonstration]:
    """Different demonstrations, none held out: a number by exact weights, counts by source name, or all there are.

    as_there_are  sources that are not counted by name give as many as they have, down to none
    check_response  raises for a response that can't be used; its row is then a bad one, as with `check`

    Raises ConfigError for an unknown source, one that has no worked responses, or all of an endless one; DataError for
    one that has too few.
    """
    banned = ids_of(held_out)
    skipped = SkippedRows(recipe)
    if isinstance(count, int):
        amounts = whole_shares(count, recipe.shares)
    elif count == "all":
        amounts = dict.fromkeys(recipe.shares, -1)
    else:
        for name in count:
            if name not in recipe.shares:
                raise ConfigError(
                    "sft.demonstrations", f"unknown source {name!r}", did_you_mean(name, list(recipe.shares))
                )
        amounts = {name: count.get(name, 0) for name in recipe.shares}
    may_lack = as_there_are and not isinstance(count, dict)
    drawn: list[Demonstration] = []
    for source in build_sources(recipe, seed):
        kept = 0
        if not amounts[source.name]:
            continue
        items = usable_items(source, "demonstrations", skipped, banned, check=check, check_response=check_response)
        if amounts[source.name] < 0 and source.size is None:
            raise ConfigError("sft.demonstrations", f"is all, and source {source.name!r} is endless", "say how many")
        lacking = False
        for _, demonstration in items:
            if demonstration is None:
                lacking = True
                if may_lack or source.size is None:
                    break
                continue  # some rows of a file may have none
            drawn.append(demonstration)
            kept += 1
            if kept == amounts[source.name]:
                break
        if lacking and not kept and not may_lack:
            raise ConfigError(
                f"source {source.name!r}",
                "has no demonstrations",
                "name a column `thought` or `response`, or warm up on another recipe",
            )
        if kept < amounts[source.name] and not may_lack:
            raise DataError(
                f"source {source.name!r}, demonstrations",
                f"has {kept} of the {amounts[source.name]} that its weight asks for",
                "ask for fewer demonstrations or lower its weight",
            )
    return drawn


def check_demonstrations(
    recipe: Recipe, seed: int, count: DemonstrationCount, held_out: Iterable[Problem] = ()
) -> None:
    """Every source that demonstrations are asked of has one. Raises as `demonstrations` does, without drawing all."""
    if isinstance(count, int):
        count = {name: min(1, amount) for name, amount in whole_shares(count, recipe.shares).items()}
    asked = dict.fromkeys(recipe.shares, 1) if count == "all" else {name: min(1, n) for name, n in count.items()}
    demonstrations(recipe, seed, asked, held_out)


def recipe_texts(recipe: Recipe, seed: int, count: int) -> list[str]:
    """Texts to train a tokenizer on: the questions as typed, and the worked responses, of `count` problems.

    They are the first of the demonstrations' split, by weight. A source that has fewer gives what comes in four draws
    a problem: the last of a small world would take hundreds. What a rendered source shows as an image is not among
    them, but its text source has the like.
    """
    texts: list[str] = []
    skipped = SkippedRows(recipe)
    amounts = whole_shares(count, recipe.shares)
    for source in build_sources(recipe, seed):
        amount = amounts[source.name]
        items = usable_items(source, "demonstrations", skipped, all_there_are=True, most_draws=4 * amount)
        for problem, demonstration in islice(items, amount):
            typed = "".join(piece.text for piece in problem.prompt if isinstance(piece, Text))
            worked = (*demonstration.turns, demonstration.response) if demonstration else ()
            texts += [text for text in (typed, *worked) if text]
    return texts

"""Rows that can't be used: they end the run by name, or are left out, named and counted, as their source says."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable

from vlrl.data.images.open_images import BadImageError
from vlrl.data.inspection.gold_checks import BadGoldError, CountedGoldError
from vlrl.data.recipe import Recipe
from vlrl.data.source_settings import FileSourceSettings, RenderedSourceSettings, SourceSettings
from vlrl.errors import BadRowError, DataError
from vlrl.types import Demonstration, Problem

NAMED_ROWS = 5  # rows of a source that are named in the log, one by one; later ones are only counted
FIRST_ROWS = 1000  # the bound on left-out rows is looked at as if at least this many had been read

Check = Callable[[Problem], None]  # raises DataError for a problem that can't be used, such as a prompt too long
CheckResponse = Callable[[Demonstration], None]  # the same for a worked response

log = logging.getLogger(__name__)
_VALUES = re.compile(r"'[^']*'|\"[^\"]*\"|\d[\d.,]*")


def reason_of(error: DataError) -> str:
    """What is wrong, without the values of the one row, so that rows with the same fault are counted together."""
    return _VALUES.sub("…", error.problem)


def bad_row(place: str, error: DataError) -> BadRowError:
    """The error as one of the row at `place`; an error about an image stays one."""
    if isinstance(error, BadRowError) and error.place.startswith(place):
        return error
    kind = BadImageError if isinstance(error, BadImageError) else BadRowError
    inner = error.place if error.place.startswith(place) else f"{place}, {error.place}" if error.place else place
    return kind(inner, error.problem, error.remedy)


class SkippedRows:
    """What the sources of a recipe leave out instead of stopping, and why.

    reasons  by source: reason → rows left out; a row that comes again in a later epoch counts again
    """

    def __init__(self, recipe: Recipe) -> None:
        self._settings: dict[str, FileSourceSettings | None] = {}
        by_name: dict[str, SourceSettings] = {source.name: source for source in recipe.sources}
        for name, source in by_name.items():
            while isinstance(source, RenderedSourceSettings):
                source = by_name[source.of]
            self._settings[name] = source if isinstance(source, FileSourceSettings) else None
        self.reasons: dict[str, Counter[str]] = {name: Counter() for name in by_name}
        self._read: Counter[str] = Counter()
        self._bounded: Counter[str] = Counter()
        self._golds: Counter[str] = Counter()

    def read(self, source: str) -> None:
        """Count a row that could be used."""
        self._read[source] += 1

    def leave_out(self, source: str, error: BadRowError) -> None:
        """Count the row that the error names. Raises the error where the source stops for it.

        Raises DataError where the source has left out more than its bound allows.
        """
        held = self._settings[source]
        if isinstance(error, BadGoldError):
            self._leave_out_gold(source, error)
            return
        images_apart = held is not None and isinstance(error, BadImageError) and held.on_bad_image is not None
        if held is None or (held.on_bad_image if images_apart else held.on_bad_row) == "error":
            raise error
        reason = reason_of(error)
        self._read[source] += 1
        self.reasons[source][reason] += 1
        if sum(self.reasons[source].values()) <= NAMED_ROWS:
            log.warning("source %r leaves out a row: %s: %s", source, error.place, error.problem)
        if not images_apart:
            self._bounded[source] += 1
            check_bound(held, self._bounded[source], max(FIRST_ROWS, self._read[source]), error)

    def _leave_out_gold(self, source: str, error: BadGoldError) -> None:
        """Bad golds are always left out, up to their bound; whole tables were counted and named before."""
        held = self._settings[source]
        if held is None:
            raise error
        self._read[source] += 1
        self.reasons[source][reason_of(error)] += 1
        self._golds[source] += not isinstance(error, CountedGoldError)
        rows = max(FIRST_ROWS, self._read[source])
        if self._golds[source] > gold_bound(held) * rows:
            raise DataError(
                f"source {source!r}, max_bad_golds_rate",
                f"{self._golds[source]} of {rows} golds are not accepted by their own verifier; one of them: "
                f"{error.place}: {error.problem}",
                error.remedy,
            )

    def total(self, source: str) -> int:
        """How often a row of this source was left out."""
        return sum(self.reasons[source].values())


def gold_bound(settings: FileSourceSettings) -> float:
    """The share of rows whose golds may be bad."""
    if settings.max_bad_golds_rate is not None:
        return settings.max_bad_golds_rate
    return settings.max_bad_rows_rate if settings.on_bad_row == "skip" else 0.01


def check_bound(settings: FileSourceSettings, left_out: int, rows: int, last: DataError) -> None:
    """Raises DataError where a source leaves out more of its rows than `max_bad_rows_rate` allows."""
    if left_out > settings.max_bad_rows_rate * rows:
        raise DataError(
            f"source {settings.name!r}, max_bad_rows_rate",
            f"{left_out} of {rows} rows can't be used, more than {settings.max_bad_rows_rate:.0%}; "
            f"one of them: {last.place}: {last.problem}",
            last.remedy or "mend the rows or the source's settings",
        )

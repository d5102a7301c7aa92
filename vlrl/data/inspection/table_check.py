"""Every row of a table is read once when its source is opened: what it holds, what is left out, which golds are bad.

A source whose rows have no image though its modality says so, more bad rows or bad golds than the source allows, or a
training table that shares rows with a held-out one is found here, before a model is loaded.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from vlrl.data.images.open_images import BadImageError, check_header
from vlrl.data.inspection.gold_checks import BadGoldError, gold_faults, response_faults
from vlrl.data.rows.bad_rows import bad_row, check_bound, gold_bound, reason_of
from vlrl.data.rows.row_to_problem import RowReader
from vlrl.data.source_settings import FileSourceSettings
from vlrl.data.tables.table_files import Table
from vlrl.errors import BadRowError, DataError
from vlrl.types import Demonstration, Problem

AT_ONCE = 2000  # problems held in memory while their golds are asked,
BYTES_AT_ONCE = 2**28  # and the images that lie in memory with them
NAMED = 3  # rows that a message names

_Waiting = tuple[int, str, Problem, Demonstration | None]  # row number, place, and what the row became

log = logging.getLogger(__name__)


@dataclass
class TableReport:
    """What the rows of a table hold.

    rows          rows of the table
    read          rows that became problems
    with_images   of these, rows with an image; `images` counts images
    with_options  of these, rows with options; `options` counts options
    bad_golds     by row number: place and what is wrong, with the gold or with a response that says otherwise
    left_out      reason → rows that can't be used
    unread        columns that hold something and are of no use
    keys          what tells rows from others: images by content, questions of rows without
    """

    rows: int
    read: int = 0
    with_images: int = 0
    images: int = 0
    with_options: int = 0
    options: int = 0
    bad_golds: dict[int, tuple[str, str]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    unread: tuple[str, ...] = ()
    keys: set[str] = field(default_factory=set)


def check_table(table: Table, reader: RowReader, must_hold: bool = True) -> TableReport:
    """Read all rows of a table. Raises BadRowError for the first one that can't be used where its source stops for it.

    must_hold  False for sets to evaluate on, whose golds are only counted: leaving rows out would make another set

    Raises DataError where no row of a source of images has one, or a bound is exceeded.
    """
    settings = reader.settings
    report = TableReport(rows=len(table))
    waiting: list[_Waiting] = []
    bounded, last, held = 0, None, 0
    for index in range(len(table)):
        place = table.place(index)
        try:
            problem, demonstration = reader.problem(table.row(index), place)
            for image in problem.images:
                if image.digest not in report.keys:  # an image that was seen before is in order
                    check_header(image)
        except BadGoldError as found:
            report.read += 1
            report.bad_golds[index] = (found.place, found.problem)
            continue
        except BadRowError as found:
            error = bad_row(place, found)
            apart = isinstance(error, BadImageError) and settings.on_bad_image is not None
            if (settings.on_bad_image if apart else settings.on_bad_row) == "error":
                raise error from found
            report.left_out[reason_of(error)] += 1
            bounded += not apart
            last = error
            continue
        _count(report, problem)
        waiting.append((index, place, problem, demonstration))
        held += sum(len(image.data or b"") for image in problem.images)
        if len(waiting) == AT_ONCE or held > BYTES_AT_ONCE:
            _ask(report, waiting)
            held = 0
    _ask(report, waiting)
    report.unread = tuple(sorted(reader.unread))
    if last is not None and bounded:
        check_bound(settings, bounded, len(table), last)
    if report.read and not report.with_images and settings.modality != "text":
        raise DataError(
            f"source {settings.name!r}",
            f"none of its {report.read} rows has an image, and its modality is {settings.modality!r}",
            "name the column of images in `columns: {images: …}`, set `layout:`, or say `modality: text`",
        )
    if report.bad_golds:
        _judge_golds(report, settings, must_hold)
    return report


def _count(report: TableReport, problem: Problem) -> None:
    report.read += 1
    report.images += len(problem.images)
    report.with_images += bool(problem.images)
    options = len(problem.metadata.get("choices") or ())
    report.options += options
    report.with_options += bool(options)
    report.keys.update(image.digest for image in problem.images)
    if not problem.images:
        report.keys.add(problem.question)


def _ask(report: TableReport, waiting: list[_Waiting]) -> None:
    faults = gold_faults([problem for _, _, problem, _ in waiting])
    others = response_faults([demonstration for _, _, _, demonstration in waiting])
    for (index, place, _, _), of_gold, of_response in zip(waiting, faults, others, strict=True):
        if (fault := of_gold or of_response) is not None:
            report.bad_golds[index] = (place, fault)
    waiting.clear()


def _judge_golds(report: TableReport, settings: FileSourceSettings, must_hold: bool) -> None:
    count = len(report.bad_golds)
    named = "; ".join(f"{place}: {fault}" for place, fault in list(report.bad_golds.values())[:NAMED])
    more = f"; and {count - NAMED} more" if count > NAMED else ""
    found = f"{count} of {report.read} golds are not accepted by their own verifier: {named}{more}"
    if must_hold and count > gold_bound(settings) * report.read:
        raise DataError(
            f"source {settings.name!r}, max_bad_golds_rate",
            f"{found} (at most {gold_bound(settings):.0%})",
            "mend the rows, choose another verifier, or raise `max_bad_golds_rate`",
        )
    log.warning("source %r: %s%s", settings.name, found, ", left out" if must_hold else "")


def warn_of_overlap(settings: FileSourceSettings, reports: Mapping[str, TableReport]) -> dict[str, int]:
    """How many images (or questions) of separate held-out tables the training table has, too; said in the log."""
    if "train" not in reports:
        return {}
    found = {}
    for split, report in reports.items():
        if split == "train" or not (shared := report.keys & reports["train"].keys):
            continue
        found[split] = len(shared)
        what = "questions" if settings.modality == "text" else "images"
        log.warning(
            "source %r: %d of %d %s of the %s rows are in the training rows, too: a score on them says little",
            settings.name,
            len(shared),
            len(report.keys),
            what,
            split,
        )
    return found

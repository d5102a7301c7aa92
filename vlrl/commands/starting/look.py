"""A look at all rows of a user's table: settings of a source that reads them, and what it found."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlrl.commands.starting.answers import AskedGold, verifier_for
from vlrl.commands.starting.columns import Roles, Said, roles_of, unclear
from vlrl.config import build_settings
from vlrl.data.inspection.table_check import TableReport
from vlrl.data.rows.layouts import IMAGES
from vlrl.data.rows.row_to_problem import RowReader
from vlrl.data.rows.row_view import file_named
from vlrl.data.source_settings import FileSourceSettings
from vlrl.data.tables.row_source import RowSource
from vlrl.data.tables.table_files import Table, open_table
from vlrl.errors import BadRowError, ConfigError, DataError

SAMPLED = 500  # rows by which columns and golds are told
WRITTEN_BAD = 0.1  # share of golds that may be refused by their verifier: more is a question to the user
FEW = 100  # rows below which a fifth instead of a tenth is held out, for validation and again for test


@dataclass(frozen=True)
class Look:
    """The source's settings as a recipe has them, paths whole; what all rows hold; what the user should know."""

    source: dict[str, Any]
    report: TableReport | None
    rows: int
    longest_chars: int
    images_a_row: int
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())


def look_at(data: Path, name: str, said: Said, split: str | None = None) -> Look:
    """Read a table as what it seems to be. Raises ConfigError with a question, DataError where no row can be used."""
    split, held_out = _split(data, split)
    table = open_table(str(data), split, "data")
    rows = _sample(table)
    roles = roles_of([row for _, row in rows], said)
    reasons = list(roles.reasons)
    source: dict[str, Any] = {"name": name, "kind": "file", "path": str(data.resolve()), **roles.settings}
    if split != "train":
        source["split"] = split
    folder = said.image_folder or _image_folder([row for _, row in rows], table.folder, reasons)
    if folder is not None:
        source["image_folder"] = str(Path(folder).resolve())
    source |= {"modality": "real" if roles.has_images else "text", **held_out}
    source["verifier"] = said.verifier or _verifier(source, rows, table.folder, reasons)
    if said.choice_answers:
        source["choice_answers"] = said.choice_answers
    if "held_out" not in source:
        source["held_out"] = 0.2 if len(table) < FEW else 0.1
    return _read_all(source, table, roles, reasons)


def _split(data: Path, split: str | None) -> tuple[str, dict[str, Any]]:
    """The split to train on, and held-out splits beside it, of a folder that `datasets` saved."""
    listing = data / "dataset_dict.json"
    if not listing.is_file():
        return split or "train", {}
    splits = json.loads(listing.read_text(encoding="utf-8")).get("splits", [])
    if split is None and "train" not in splits and len(splits) != 1:
        raise unclear("split", f"{data} has the splits {', '.join(splits)}", f"--split {'|'.join(splits)}")
    chosen = split or ("train" if "train" in splits else splits[0])
    found: dict[str, Any] = {
        f"{kind}_path": str(data.resolve()) for kind in ("validation", "test") if kind in splits and kind != chosen
    }
    return chosen, {**found, "held_out": 0.0} if len(found) == 2 else found


def _sample(table: Table) -> list[tuple[str, Mapping[str, Any]]]:
    """Rows from evenly spread places. Raises DataError where none can be read."""
    step = max(1, len(table) // SAMPLED)
    found: list[tuple[str, Mapping[str, Any]]] = []
    last = None
    for index in range(0, len(table), step):
        try:
            found.append((table.place(index), table.row(index)))
        except BadRowError as error:
            last = error
    if last is not None and not found:
        raise last
    return found


def _image_folder(rows: list[Mapping[str, Any]], folder: Path, reasons: list[str]) -> Path | None:
    """Where relative image paths start, where that isn't the table's own folder."""
    named = [
        name
        for row in rows[:50]
        for column, value in row.items()
        for one in (value if isinstance(value, list | tuple) else [value])
        if (name := file_named(one)) and (column in IMAGES or Path(name).suffix) and len(name.split()) < 8
        and not Path(name).is_absolute() and "://" not in name and Path(name).suffix.lower() in _SUFFIXES
    ]  # fmt: skip
    if not named or any((folder / name).exists() for name in named):
        return None
    places = [folder / "images", folder / "imgs", folder.parent, folder.parent / "images", Path.cwd()]
    for place in places:
        if all((place / name).exists() for name in named):
            reasons.append(f"image paths start at {place}")
            return place
    raise unclear(
        "images", f"{named[0]} isn't below {folder.resolve()}", "--image-folder FOLDER, where the paths of images start"
    )


_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".jp2")


def _verifier(
    source: Mapping[str, Any], rows: list[tuple[str, Mapping[str, Any]]], folder: Path, reasons: list[str]
) -> str:
    """By the golds of the sampled rows. Raises the last row's error where none can be read."""
    reader = RowReader(_settings({**source, "verifier": "exact", "held_out": 0.1}), folder)
    golds, last = [], None
    for place, row in rows:
        try:
            gold, options = reader.gold_and_options(row, place)
            golds.append(AskedGold(gold, options, reader.problem(row, place, one_gold=False)[0].question))
        except DataError as error:
            last = error
    if not golds:
        raise last or ConfigError("--data", "holds no rows", "check that the file was written whole")
    return verifier_for(golds, reasons)


def _settings(source: Mapping[str, Any]) -> FileSourceSettings:
    return build_settings(FileSourceSettings, dict(source), "--data")


def _read_all(source: dict[str, Any], table: Table, roles: Roles, reasons: list[str]) -> Look:
    """Every row through the source that a run will open; its bounds are what the rows need, where that is little."""
    lenient = {"on_bad_row": "skip", "max_bad_rows_rate": 1.0, "max_bad_golds_rate": 1.0}
    if roles.has_images:
        lenient["rows_without_image"] = "read"
    opened = RowSource(_settings({**source, **lenient}))
    report, notes = opened.reports.get("train"), []
    if report is not None:
        _refuse_useless(report, source["verifier"])
        left_out = report.rows - report.read
        if left_out:
            source["on_bad_row"] = "skip"
        if report.with_images < report.read and roles.has_images:
            source["rows_without_image"] = "read"
            notes.append(f"{report.read - report.with_images} rows have no image: they become text problems")
        bad = len(report.bad_golds)
        if bad > 0.01 * report.read or (bad and left_out):
            source["max_bad_golds_rate"] = math.ceil(100 * bad / report.read) / 100
    if roles.thought and "layout" not in source:
        thoughts = f"column {roles.thought!r} may hold chains of thought"
        notes.append(
            f"{thoughts}: `columns: {{thought: {roles.thought}}}` and `stages: [sft, rl, eval]` warm up on them"
        )
    longest, most_images = _sizes(opened)
    return Look(source, report, len(table), longest, most_images, tuple(reasons), tuple(notes))


def _refuse_useless(report: TableReport, verifier: str) -> None:
    """Raises ConfigError where so much is left out that the reading itself must be wrong."""
    left_out = report.rows - report.read
    if 2 * left_out > report.rows or not report.read:
        named = "; ".join(f"{count} rows: {reason}" for reason, count in report.left_out.most_common(3))
        hint = "--choice-answers letter|text|index|number" if _is_open_choice(report) else None
        raise unclear(
            "rows",
            f"{left_out} of {report.rows} rows can't be used. {named}",
            hint or "--question, --answer, --images, --image-folder, or mend the rows",
        )
    bad = report.bad_golds
    if len(bad) > WRITTEN_BAD * report.read:
        named = "; ".join(f"{place}: {fault}" for place, fault in list(bad.values())[:3])
        raise unclear(
            "answers",
            f"{len(bad)} of {report.read} golds aren't accepted by the verifier {verifier!r}: {named}",
            "--verifier NAME of another one, --answer COLUMN of another column, or mend the rows",
        )


def _is_open_choice(report: TableReport) -> bool:
    """Whether most rows are left out since their gold may be one option or another."""
    open_golds = sum(count for reason, count in report.left_out.items() if reason.startswith("the gold … may be"))
    return 2 * open_golds > report.rows - report.read


def _sizes(opened: RowSource) -> tuple[int, int]:
    """Characters of the longest question and images of the row with most, over up to SAMPLED training rows."""
    size = opened.size or 0
    longest = images = 0
    for index in range(0, size, max(1, size // SAMPLED)):
        try:
            problem, _ = opened.item("train", index)
        except BadRowError:
            continue
        longest, images = max(longest, len(problem.question)), max(images, len(problem.images))
    return longest, images

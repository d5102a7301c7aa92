"""A source of rows: those of a table, parted into training and held-out rows, or those of a stream."""

from __future__ import annotations

from array import array
from dataclasses import replace
from typing import Any

from vlrl.data.choices.choice_meaning import decided_meaning
from vlrl.data.choices.gold_choice import Meaning
from vlrl.data.evaluation_sets import refused
from vlrl.data.images.open_images import BadImageError, check_image
from vlrl.data.inspection.gold_checks import bad_gold, check_gold
from vlrl.data.inspection.table_check import TableReport, check_table, warn_of_overlap
from vlrl.data.rows.bad_rows import bad_row
from vlrl.data.rows.row_to_problem import Row, RowReader
from vlrl.data.source_settings import FileSourceSettings
from vlrl.data.splits import part_rows
from vlrl.data.tables.row_stream import RowStream
from vlrl.data.tables.table_files import Table, open_table, table_state
from vlrl.errors import DataError
from vlrl.types import Demonstration, Modality, Problem

CHECKED_ROWS = 20_000  # tables up to this length are checked whole before training; longer ones row by row as drawn
REMEMBERED_IMAGES = 100_000  # digests of images that were found good; forgotten all at once beyond
_meanings: dict[tuple[str, str], Meaning | None] = {}  # by settings and the file's state
_checked: dict[tuple[str, str, str], TableReport] = {}  # by settings, table and the file's state


class RowSource:
    """Rows of a file, folder or hub id.

    Which split a row belongs to depends on its image (or question) alone, never on the seed, so a held-out row is
    held out in every run. `demonstrations` are training rows. Every image is decoded once before its row is given;
    a BadImageError says which can't be. The rows of an evaluation set are test rows, and asking for training rows
    raises ConfigError. Raises DataError for a row that doesn't fit the columns. `size` is None for a stream.
    """

    fresh = False

    def __init__(self, settings: FileSourceSettings) -> None:
        self.name = settings.name
        self.modality: Modality = settings.modality
        self.labelled = settings.columns.difficulty is not None
        self._settings = settings
        self._only_test = settings.is_evaluation_set and not settings.force
        self._tables: dict[str, Table] = {}
        if settings.validation_path:
            self._tables["validation"] = open_table(settings.validation_path, "validation", settings.name)
        if settings.test_path:
            self._tables["test"] = open_table(settings.test_path, "test", settings.name)
        within = tuple(key for key in ("validation", "test") if key not in self._tables)
        self._stream: RowStream | None = None
        if settings.streaming:
            self._stream = RowStream(settings, () if self._only_test else within)
        else:
            self._tables["train"] = open_table(settings.path, settings.split, settings.name, settings.subset)
        if "train" in self._tables:
            settings = self._with_meaning(settings, self._tables["train"])
        self._settings = settings
        self._readers = {key: RowReader(settings, table.folder) for key, table in self._tables.items()}
        self.reports: dict[str, TableReport] = {}  # by table, of those that were read whole
        self._check()
        self.overlap = warn_of_overlap(settings, self.reports)
        self._rows = self._part(within)
        self._good_images: set[str] = set()
        self.size: int | None = self._size()
        if self.size == 0:
            raise DataError(f"source {self.name!r}", "all rows are held out", "lower `held_out` or add rows")

    @staticmethod
    def _with_meaning(settings: FileSourceSettings, table: Table) -> FileSourceSettings:
        """With what all golds of choices of the table together mean, where the settings don't say."""
        known = (settings.model_dump_json(), table_state(table))
        if known not in _meanings:
            _meanings[known] = decided_meaning(table, RowReader(settings, table.folder))
        meaning = _meanings[known]
        return settings if meaning is None else settings.model_copy(update={"choice_answers": meaning})

    def size_of(self, split: Any) -> int | None:
        """Number of rows in a split; None for a stream's."""
        if self._only_test and split in ("train", "demonstrations"):
            raise refused(self.name)
        split = "train" if split == "demonstrations" else split
        return len(self._rows[split]) if split in self._rows else None

    def item(self, split: Any, index: int, attempt: int = 0) -> tuple[Problem, Demonstration | None]:
        """The problem of the split's row number `index`, asked as the source says; a row has no further attempts."""
        problem, demonstration = self.plain_item(split, index, attempt)
        asked = self._settings.asking.of(problem)
        return asked, None if demonstration is None else replace(demonstration, problem=asked)

    def plain_item(self, split: Any, index: int, attempt: int = 0) -> tuple[Problem, Demonstration | None]:
        """As `item`, without the source's prompt template and system prompt."""
        if self._only_test and split in ("train", "demonstrations"):
            raise refused(self.name)
        split = "train" if split == "demonstrations" else split
        if attempt:
            raise IndexError(f"source {self.name!r}: row {index} of {split} has one problem, not {attempt + 1}")
        reader, row, place = self._row(split, index)
        try:
            problem, demonstration = reader.problem(row, place, one_gold=not self._only_test)
        except DataError as error:
            raise bad_row(place, error) from error
        if not self._only_test:
            self._check_gold(split, index, problem, demonstration, place)
        for image in problem.images:
            if image.digest not in self._good_images:
                try:
                    check_image(image)
                except BadImageError as error:
                    raise BadImageError(f"{place}, {error.place}", error.problem, error.remedy) from error
                if len(self._good_images) >= REMEMBERED_IMAGES:
                    self._good_images.clear()
                self._good_images.add(image.digest)
        return problem, demonstration

    def place_of(self, split: Any, index: int) -> str:
        """File and line."""
        return self._row("train" if split == "demonstrations" else split, index)[2]

    def difficulty_of(self, split: Any, index: int) -> float | None:
        """What the row's column says; None where no column is named."""
        if not self.labelled:
            return None
        reader, row, place = self._row("train" if split == "demonstrations" else split, index)
        return reader.difficulty(row, place)

    def _row(self, split: str, index: int) -> tuple[RowReader, Row, str]:
        if split not in self._rows:
            assert self._stream is not None
            row, place = self._stream.row("train" if self._only_test else split, index)
            return RowReader(self._settings, self._stream.folder), row, place
        key = split if split in self._tables else "train"
        table, number = self._tables[key], self._rows[split][index]
        return self._readers[key], table.row(number), table.place(number)

    def _check_gold(
        self, split: str, index: int, problem: Problem, demonstration: Demonstration | None, place: str
    ) -> None:
        """Raises BadGoldError for a gold that its verifier refuses, or that the row's response contradicts; rows that
        were read before are known."""
        key = split if split in self._tables else "train"
        report = self.reports.get(key)
        if report is None:
            check_gold(problem, demonstration, place)
        elif (number := self._rows[split][index]) in report.bad_golds:
            raise bad_gold(*report.bad_golds[number], counted=True)

    def _part(self, within: tuple[str, ...]) -> dict[str, array[int]]:
        """Row numbers by split; a stream's splits are not among them."""
        rows = {key: _all(table) for key, table in self._tables.items() if key != "train"}
        if self._stream is not None:
            return {**rows, "validation": array("q")} if self._only_test and "validation" in within else rows
        table = self._tables["train"]
        if self._only_test:
            return {"train": array("q"), "validation": array("q"), "test": _all(table), **rows}
        parted = part_rows(table, self._readers["train"], self._settings.held_out, within)
        return {"validation": array("q"), "test": array("q"), **parted, **rows}

    def _size(self) -> int | None:
        if self._stream is not None:
            return None
        return len(self._rows["test" if self._only_test else "train"])

    def _check(self) -> None:
        """Read all rows of the tables that aren't too long, once in a process."""
        for key, table in self._tables.items():
            if len(table) <= CHECKED_ROWS:
                known = (self._settings.model_dump_json(), key, table_state(table))
                if known not in _checked:
                    only_test = key == "train" and self._only_test
                    _checked[known] = check_table(table, self._readers[key], must_hold=not only_test)
                self.reports[key] = _checked[known]


def _all(table: Table) -> array[int]:
    return array("q", range(len(table)))

"""Tables of text on disk: JSONL, JSON, CSV and TSV, compressed or not, and folders of images with such a table.

Every value is as its author wrote it, and every row has the number of its line.
"""

from __future__ import annotations

import csv
import io
import sys
from array import array
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from vlrl.data.tables.file_text import COMPRESSED, TEXT_TABLES, kind_of, open_text
from vlrl.data.tables.json_rows import parse_json, parse_row
from vlrl.errors import BadRowError, DataError

METADATA = ("metadata.jsonl", "metadata.csv")
csv.field_size_limit(sys.maxsize)  # a cell may be an image in base64


class Table(Protocol):
    """Rows by number."""

    folder: Path  # where relative image paths start

    def __len__(self) -> int: ...

    def row(self, index: int) -> dict[str, Any]:
        """The row as a dictionary. Raises BadRowError if it can't be read."""
        ...

    def place(self, index: int) -> str:
        """File and line, for messages."""
        ...


class JsonLines:
    """A JSONL file. Empty lines are passed over; line numbers in messages count them.

    No more than an index is held, unless the file is compressed or no UTF-8.

    by_policy  keys whose texts a policy wrote, in files that the project itself has written; a user's rows have none
    """

    def __init__(self, path: Path, by_policy: Collection[str] = ()) -> None:
        self.path, self.folder, self._by_policy = path, path.parent, by_policy
        self._starts, self._lengths, self._lines = array("q"), array("q"), array("q")
        start = 0
        self._bytes = open_text(path)
        for number, line in enumerate(self._bytes.lines(), start=1):
            if line.strip():
                self._starts.append(start)
                self._lengths.append(len(line))
                self._lines.append(number)
            start += len(line)

    def __len__(self) -> int:
        return len(self._starts)

    def place(self, index: int) -> str:
        """File and line."""
        return f"{self.path}, line {self._lines[index]}"

    def row(self, index: int) -> dict[str, Any]:
        """The parsed line. Raises BadRowError if it isn't a JSON object."""
        raw = self._bytes.read(self._starts[index], self._lengths[index])
        return parse_row(raw, self.place(index), self._by_policy)


class JsonList:
    """A JSON file that holds a list of rows, an object from ids to rows, or an object around one list of rows.

    Rows are objects; a list of messages is one, too, and stands in its column `messages`. An id is the row's column
    `id` where it has none of its own.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.folder = path, path.parent
        data = b"".join(open_text(path).lines())
        try:
            rows = parse_json(data, str(path), "JSON lines belong in a .jsonl file")
        except BadRowError as error:
            raise DataError(error.place, error.problem, error.remedy) from error
        self._names, self._rows = _named_rows(rows, path)

    def __len__(self) -> int:
        return len(self._rows)

    def place(self, index: int) -> str:
        """File and row."""
        return f"{self.path}, row {self._names[index] if self._names else index + 1}"

    def row(self, index: int) -> dict[str, Any]:
        """The object."""
        return self._rows[index]


def _named_rows(held: Any, path: Path) -> tuple[list[str], list[dict[str, Any]]]:
    """The rows of a JSON file, with their names where it maps names to rows. Raises DataError."""
    if isinstance(held, dict):
        lists = [key for key, value in held.items() if isinstance(value, list) and _are_rows(value)]
        if len(lists) == 1:
            return [], _as_objects(held[lists[0]])
        if len(lists) > 1:
            raise DataError(str(path), f"holds several lists of rows: {lists}", "make one table of them, row by row")
        if held and _are_rows(list(held.values())):
            return [repr(key) for key in held], [{"id": key, **row} for key, row in held.items()]
    if not isinstance(held, list) or not (_are_rows(held) or not held):
        raise DataError(str(path), "is not a list of objects", "write [{…}, {…}], or one object a line in .jsonl")
    return [], _as_objects(held)


def _are_rows(held: list[Any]) -> bool:
    return len(held) > 0 and (all(isinstance(row, dict) for row in held) or _are_chats(held))


def _are_chats(held: list[Any]) -> bool:
    return all(isinstance(row, list) and row and all(isinstance(message, dict) for message in row) for row in held)


def _as_objects(rows: list[Any]) -> list[dict[str, Any]]:
    return [row if isinstance(row, dict) else {"messages": row} for row in rows]


class CsvRows:
    """A CSV or TSV file with a line of column names; every cell is a text, an empty one is none."""

    def __init__(self, path: Path) -> None:
        self.path, self.folder = path, path.parent
        self._rows = list(csv_rows(path))

    def __len__(self) -> int:
        return len(self._rows)

    def place(self, index: int) -> str:
        """File and line."""
        return self._rows[index][1]

    def row(self, index: int) -> dict[str, Any]:
        """The cells by column."""
        cells, place = self._rows[index]
        return named_cells(cells, place)


Cells = tuple[list[str], list[str]]  # the column names, and the cells of a row


def csv_rows(path: Path) -> Iterator[tuple[Cells, str]]:
    """Column names and cells of every row that isn't empty, with its place. Raises DataError."""
    try:
        text = b"".join(open_text(path).lines()).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(str(path), f"is not UTF-8 at byte {error.start}", "save the file as UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t" if kind_of(path) == ".tsv" else ",", strict=True)
    names: list[str] = []
    begin = 1
    try:
        for cells in reader:
            begin, line = reader.line_num + 1, begin
            if not names:
                names = cells
                twice = {name for name in names if names.count(name) > 1}
                if twice:
                    raise DataError(f"{path}, line {line}", f"names columns twice: {sorted(twice)}", "rename them")
            elif any(cells):
                yield (names, cells), f"{path}, line {line}"
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}", f"is not valid CSV: {error}", "mend the line") from error


def named_cells(cells: Cells, place: str) -> dict[str, Any]:
    """A row by column. Raises BadRowError where cells and columns don't match."""
    names, held = cells
    if len(names) != len(held):
        raise BadRowError(place, f"has {len(held)} cells, the columns are {len(names)}", "quote cells with separators")
    return {name: cell or None for name, cell in zip(names, held, strict=True)}


class ImageFolder:
    """A folder of images with a table beside them, whose column `file_name` says which image a row is about."""

    def __init__(self, table: Table, folder: Path) -> None:
        self._table, self.folder = table, folder
        self.path: Path = getattr(table, "path", folder)

    def __len__(self) -> int:
        return len(self._table)

    def place(self, index: int) -> str:
        """File and line of the table."""
        return self._table.place(index)

    def row(self, index: int) -> dict[str, Any]:
        """The row, `file_name` as `image`, `file_names` as `images`, `left_file_name` as `left`."""
        return with_file_names(self._table.row(index))


def with_file_names(row: dict[str, Any]) -> dict[str, Any]:
    """The row of an image folder's table with its files in columns of images."""
    found = {}
    for column, value in row.items():
        if column in ("file_name", "file_names"):
            column = column.replace("file_name", "image")
        elif column.endswith("_file_name"):
            column = column.removesuffix("_file_name")
        found[column] = value
    return found


class JoinedTables:
    """Several tables, one after another."""

    def __init__(self, tables: Sequence[Table], folder: Path) -> None:
        self._tables, self.folder = tables, folder
        self.path = folder

    def __len__(self) -> int:
        return sum(len(table) for table in self._tables)

    def _at(self, index: int) -> tuple[Table, int]:
        for table in self._tables:
            if index < len(table):
                return table, index
            index -= len(table)
        raise IndexError(index)

    def place(self, index: int) -> str:
        """File and line."""
        table, number = self._at(index)
        return table.place(number)

    def row(self, index: int) -> dict[str, Any]:
        """The row of its table."""
        table, number = self._at(index)
        return table.row(number)


def holds_lines(file: Path) -> bool:
    """Whether a JSON file holds an object a line: the first line is a whole one, and others follow."""
    lines = (line for line in open_text(file).lines() if line.strip())
    first, second = next(lines, b""), next(lines, b"")
    if not (first.lstrip(b"\xef\xbb\xbf \t").startswith(b"{") and second):
        return False
    try:
        parse_json(first, str(file))
    except BadRowError:
        return False
    return True


def open_text_table(file: Path) -> Table:
    """The table of a file of text, by its suffix."""
    kind = kind_of(file)
    if kind == ".json" and not holds_lines(file):
        return JsonList(file)
    return CsvRows(file) if kind in (".csv", ".tsv") else JsonLines(file)


def text_files(folder: Path, split: str) -> tuple[list[Path], bool] | None:
    """The files of text that make up a split of a folder, and whether images lie beside; None for another folder.

    With `metadata.jsonl` or `metadata.csv` (in the folder, or in one that has the split's name) it is a folder of
    images. Else files whose names hold the split's, or all of them where none names a split.
    """
    for place in (folder / split, folder):
        for name in METADATA:
            if (place / name).is_file():
                return [place / name], True
    files = sorted(file for file in folder.iterdir() if kind_of(file) in TEXT_TABLES and file.is_file())
    others = [file for file in folder.rglob("*") if file.suffix in (".parquet", ".arrow")]
    if not files or others or any(file.name in ("dataset_info.json", "state.json") for file in files):
        return None
    named = [file for file in files if split in file.name.lower().split(".")[0]]
    if not named and split == "train":
        splits = ("test", "validation", "valid", "val", "dev", "eval")
        named = [file for file in files if not any(other in file.name.lower() for other in splits)]
    return (named, False) if named else None


__all__ = ["COMPRESSED", "TEXT_TABLES", "JsonLines", "JsonList", "Table", "open_text_table", "text_files"]

"""The bytes of a table of text as UTF-8: unpacked where it is compressed, converted where it is UTF-16 or UTF-32."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from vlrl.errors import DataError

COMPRESSED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}
TEXT_TABLES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv")
# the longer marks first: that of UTF-32 begins with that of UTF-16
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def kind_of(path: Path) -> str:
    """The suffix that says what a table is, without that of its compression: "rows.jsonl.gz" → ".jsonl"."""
    return (path.with_suffix("") if path.suffix in COMPRESSED else path).suffix.lower()


class Bytes(Protocol):
    """Bytes that are read in any order."""

    def read(self, start: int, length: int) -> bytes: ...

    def lines(self) -> Iterator[bytes]: ...


class _Held:
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, start: int, length: int) -> bytes:
        return self._data[start : start + length]

    def lines(self) -> Iterator[bytes]:
        start = 0
        while start < len(self._data):
            end = self._data.find(b"\n", start) + 1 or len(self._data)
            yield self._data[start:end]
            start = end


class _OnDisk:
    """A file that stays open; reads don't move a position, which forked processes would share."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "rb")  # noqa: SIM115  (held open: rows are read in any order while training runs)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    def read(self, start: int, length: int) -> bytes:
        return os.pread(self._file.fileno(), length, start)

    def lines(self) -> Iterator[bytes]:
        with open(self._file.name, "rb") as again:
            yield from again


def open_text(path: Path) -> Bytes:
    """A table of text, as UTF-8. A plain file stays on disk; another is held in memory. Raises DataError."""
    try:
        if path.suffix in COMPRESSED:
            return _Held(_as_utf8(_unpacked(path), path))
        with open(path, "rb") as file:
            head = file.read(4)
        if any(head.startswith(mark) for mark, _ in _MARKS):
            return _Held(_as_utf8(path.read_bytes(), path))
        return _OnDisk(path)
    except OSError as error:
        raise DataError(str(path), f"can't be read: {error.strerror or error}", "check that it is whole") from error


def _unpacked(path: Path) -> bytes:
    import pyarrow

    try:
        with pyarrow.input_stream(str(path), compression=COMPRESSED[path.suffix]) as stream:
            data: bytes = stream.read()
            return data
    except (pyarrow.ArrowException, OSError, EOFError) as error:
        raise DataError(str(path), f"can't be unpacked: {error}", "check that it was written whole") from error


def _as_utf8(data: bytes, path: Path) -> bytes:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return data.decode(encoding).encode()
            except UnicodeError as error:
                raise DataError(str(path), f"begins as {encoding} and isn't: {error}", "save it as UTF-8") from error
    return data


__all__ = ["COMPRESSED", "TEXT_TABLES", "Bytes", "kind_of", "open_text"]

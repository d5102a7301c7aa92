"""Images of a benchmark's rows: in which columns they are, and where they stand in the question."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from vlrl.data.benchmarks.benchmark_definition import Row
from vlrl.data.images.image_refs import image_of
from vlrl.data.rows.placeholders import PLACEHOLDER
from vlrl.data.rows.row_view import file_named, media_in
from vlrl.data.tables.cell_text import shortened
from vlrl.errors import BadRowError, DataError
from vlrl.types import Image, Text

_NUMBERED = re.compile(r"image_\d{1,2}")


def row_images(row: Row) -> dict[int, Any]:
    """The row's images as it refers to them, by number from 1: `decoded_image`, `image_1` …, `images`, or `image`."""
    if row.get("decoded_image") is not None:
        return {1: row["decoded_image"]}
    numbered = {int(column[6:]): row[column] for column in row if _NUMBERED.fullmatch(column)}
    if found := {k: numbered[k] for k in sorted(numbered) if numbered[k] is not None}:
        return found
    listed = row.get("images") if row.get("images") is not None else row.get("image")
    items = listed if isinstance(listed, list | tuple) else [listed] if listed else []
    return dict(enumerate(items, 1))


def refuse_unread_images(row: Row, place: str) -> None:
    """Raises BadRowError for a column of a benchmark's row that holds an image which its schema doesn't name."""
    taken = list(row_images(row).values())
    known = {column for column in row if column in ("image", "images", "decoded_image") or _NUMBERED.fullmatch(column)}
    names = {PurePath(name).name for name in map(file_named, taken) if name}
    for column in row:
        if column not in known and (kind := media_in(column, row[column], names, bool(taken))) is not None:
            raise BadRowError(
                f"{place}, {column}",
                f"holds {kind} that would be lost: {shortened(row[column])}",
                "is the benchmark the right one? else leave the column out",
            )


def images_of(row: Row, folder: Path, place: str) -> dict[int, Image]:
    """The row's images by number; paths start at `folder`. Raises DataError for one that can't be found."""
    found = row_images(row)
    return {number: image_of(given, folder, f"{place}, image {number}") for number, given in found.items()}


def placed(text: str, images: Mapping[int, Image], place: str) -> tuple[Text | Image, ...]:
    """Text and images in reading order. Raises DataError for a placeholder without an image."""
    pieces: list[Text | Image] = []
    start, unnumbered, used = 0, 0, set()
    for match in PLACEHOLDER.finditer(text):
        unnumbered += match[1] is None
        number = int(match[1]) if match[1] else unnumbered
        if number not in images and len(images) == 1:  # MATH-Vision keeps all figures of a question in one file
            pieces.append(Text(text[start : match.start()]))
            start = match.end()
            continue
        if number not in images:
            raise DataError(place, f"names {match[0]} but has the images {sorted(images)}", "add the image")
        pieces += [Text(text[start : match.start()]), images[number]]
        start = match.end()
        used.add(number)
    pieces.append(Text(text[start:]))
    before = [image for number, image in images.items() if number not in used]
    return (*before, *(piece for piece in pieces if isinstance(piece, Image) or piece.text))

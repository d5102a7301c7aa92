"""A problem in any of the usual layouts comes back whole; where something of it is missing, the row is named."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import datasets
import pytest
from foreign_layouts import WRITERS, Canonical
from PIL import Image as Pillow

from vlrl.data.rows.row_to_problem import RowReader
from vlrl.data.source_settings import FileSourceSettings
from vlrl.data.tables.row_source import RowSource
from vlrl.errors import BadRowError
from vlrl.types import Image, Problem, Text, content_digest


def encoded(colour: str, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (8, 8), colour).save(buffer, format=form)
    return buffer.getvalue()


DATA = (encoded("red"), encoded("blue", "JPEG"))
NAMES = ("images/a b.png", "images/ü.jpg")
PROBLEMS = {
    "text": Canonical(("What is 2 + 3?",), "5"),
    "one image": Canonical((0, "How many dots?"), "3", NAMES[:1], DATA[:1]),
    "image behind the text": Canonical(("How many dots are in ", 0, "?"), "3", NAMES[:1], DATA[:1]),
    "two images": Canonical((0, "or ", 1, ": which is darker?\nSay why."), "the second", NAMES, DATA),
    "characters": Canonical((0, 'Is "a < b" — {x}: [1] ünïcode 中 \\frac{1}{2} & <b>?'), "yes", NAMES[:1], DATA[:1]),
    "dates": Canonical((0, "When?"), "2020-03-02", NAMES[:1], DATA[:1]),
    "zeros": Canonical((0, "Which code?"), "007", NAMES[:1], DATA[:1]),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("table")
    (made / "images").mkdir()
    for name, data in zip(NAMES, DATA, strict=True):
        (made / name).write_bytes(data)
    return made


def settings_of(problem: Canonical, more: dict[str, Any], path: str = "org/name") -> FileSourceSettings:
    return FileSourceSettings(name="rows", path=path, held_out=0.0, **problem.settings, **more)


def absolute(row: Any, folder: Path) -> Any:
    """The row with file URIs and markdown links as they can be: absolute, without spaces."""
    if isinstance(row, str):
        for name in NAMES:
            row = row.replace(f"file://{name}", f"file://{folder / name}")
            if f"]({name})" in row:
                row = row.replace(f"]({name})", f"](data:image/png;base64,{_base64(folder / name)})")
        return row
    if isinstance(row, dict):
        return {key: absolute(value, folder) for key, value in row.items()}
    return [absolute(value, folder) for value in row] if isinstance(row, list) else row


def _base64(path: Path) -> str:
    import base64

    return base64.b64encode(path.read_bytes()).decode()


def expected(problem: Canonical) -> list[str]:
    found: list[str] = []
    for piece in problem.pieces:
        found.append(piece if isinstance(piece, str) else content_digest(problem.data[piece]))
    return found


def pieces(problem: Problem) -> list[str]:
    return [piece.text if isinstance(piece, Text) else piece.digest for piece in problem.prompt]


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("kind", PROBLEMS)
def test_a_problem_comes_back_from_every_layout(folder, name, kind):
    write, more = WRITERS[name]
    row = write(PROBLEMS[kind])
    if row is None:
        pytest.skip("the layout can't hold it")
    row = absolute(row, folder)
    problem, demonstration = RowReader(settings_of(PROBLEMS[kind], more), folder).problem(row, "rows, row 1")
    assert pieces(problem) == expected(PROBLEMS[kind])
    assert problem.answer == PROBLEMS[kind].answer
    assert demonstration is None or PROBLEMS[kind].answer in demonstration.response


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_table_of_any_layout_is_a_source_whose_rows_come_back(folder, name, kind, tmp_path):
    write, more = WRITERS[name]
    problems = [PROBLEMS["one image"], PROBLEMS["two images"], PROBLEMS["one image"]]
    rows = [absolute(write(problem), folder) for problem in problems if write(problem) is not None]
    if kind == "jsonl" and any(isinstance(value, bytes) for row in rows for value in _leaves(row)):
        pytest.skip("JSON holds no bytes")
    path = folder / f"{content_digest(name)}.{kind}"
    if kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        try:
            columns = dict.fromkeys(column for row in rows for column in row)
            filled = [{column: row.get(column) for column in columns} for row in rows]
            datasets.Dataset.from_list(filled).to_parquet(str(path))
        except (TypeError, ValueError, OverflowError, datasets.exceptions.DatasetsError) as error:
            pytest.skip(f"Arrow can't hold it: {error}")
    source = RowSource(settings_of(PROBLEMS["two images"], more, str(path)))
    found = [pieces(source.item("train", index)[0]) for index in range(source.size or 0)]
    assert found == [expected(problem) for problem in problems if write(problem) is not None]


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for item in value for leaf in _leaves(item)] if isinstance(value, list) else [value]


CHANGES = {
    "an image file is gone": lambda row: _map(row, lambda text: text.replace(NAMES[1].split("/")[1], "gone.png")),
    "a placeholder is lost": lambda row: _map(row, lambda text: text.replace("or <image>", "or ")),
    "a video stands in the text": lambda row: _map(row, lambda text: text.replace("which", "<video> which")),
    "a part of an unknown type": lambda row: _parts(row, lambda part: {**part, "type": "chart"}),
    "a part of a video": lambda row: _parts(row, lambda part: {"type": "video", "video": "a.mp4"}),
    "an unknown key in a part": lambda row: _parts(row, lambda part: {**part, "mask": "b.png"}),
    "a second image column": lambda row: {**row, "second_image": "c.png"},
    "a column of a video": lambda row: {**row, "video_path": "c.mp4"},
    "an image from the web": lambda row: _map(row, lambda text: text.replace(NAMES[0], "https://x.org/a.png")),
}


def _map(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _map(item, change) for key, item in value.items()}
    return [_map(item, change) for item in value] if isinstance(value, list) else value


def _parts(row: Any, change: Any) -> Any:
    """The row with its first part for an image changed."""
    done: list[bool] = []

    def walk(value: Any, inside: bool) -> Any:
        if isinstance(value, list):
            return [walk(item, True) for item in value]
        if isinstance(value, dict):
            is_image = inside and "role" not in value and any("image" in f"{k}{v}"[:12] for k, v in value.items())
            if is_image and not done and not {"bytes", "path"} >= set(value):
                done.append(True)
                return change(value)
            return {key: walk(item, key in ("content", "parts")) for key, item in value.items()}
        return value

    return walk(row, False)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("change", CHANGES)
def test_what_can_not_be_read_whole_is_refused_with_its_place(folder, name, change):
    write, more = WRITERS[name]
    whole = absolute(write(PROBLEMS["two images"]) or write(PROBLEMS["one image"]), folder)
    changed = CHANGES[change](whole)
    if changed == whole:
        pytest.skip("nothing to change in this layout")
    reader = RowReader(settings_of(PROBLEMS["two images"], more), folder)
    with pytest.raises(BadRowError) as caught:
        reader.problem(changed, "rows, row 9")
    assert "rows, row 9" in caught.value.place
    assert caught.value.remedy


@pytest.mark.parametrize("name", [name for name in WRITERS if "column" in name or "verl" in name or "swift" in name])
def test_one_image_more_than_placeholders_is_refused(folder, name):
    write, more = WRITERS[name]
    row = absolute(write(PROBLEMS["two images"]), folder)
    row = {**row, "images": [*row["images"], NAMES[0]]} if row.get("images") else {**row, "image_3": NAMES[0]}
    with pytest.raises(BadRowError, match="image"):
        RowReader(settings_of(PROBLEMS["two images"], more), folder).problem(row, "rows, row 9")


def test_the_digest_of_an_image_is_that_of_its_bytes(folder):
    for name, data in zip(NAMES, DATA, strict=True):
        assert Image.from_file(str(folder / name)).digest == content_digest(data)

"""A value is read as its author wrote it, from every kind of table, streamed or not."""

from __future__ import annotations

import bz2
import datetime
import decimal
import gzip
import json
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image as Pillow

from vlrl.data.source_settings import FileSourceSettings
from vlrl.data.tables import hub_data
from vlrl.data.tables.row_source import RowSource
from vlrl.errors import BadRowError, ConfigError, VlrlError

AS_JSON = {  # what stands in the file → the gold
    '"2020-03-02"': "2020-03-02",
    '"2020-03-02T10:00:00Z"': "2020-03-02T10:00:00Z",
    "7": "7",
    "7.0": "7.0",
    "24.230": "24.230",
    "1e5": "1e5",
    "1E-7": "1E-7",
    "-0.0": "-0.0",
    "123456789012345678901234567890": "123456789012345678901234567890",
    "3.14159265358979323846264338": "3.14159265358979323846264338",
    '"007"': "007",
    '"1,200"': "1,200",
    "true": "true",
    "false": "false",
    '"null"': "null",
    '"  x "': "  x ",
    '"\\ud83c\\udf4e"': "🍎",
    '"a\\nb"': "a\nb",
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
    monkeypatch.setattr(
        datasets.config, "SLEEP_TIME_ON_THREADS_SHUTDOWN", 0, raising=False
    )  # older ones sleep not at all


def golds(path: Path, count: int, **more) -> list[str]:
    made = {"name": "rows", "path": str(path), "modality": "text", "verifier": "exact", "held_out": 0.0}
    source = RowSource(FileSourceSettings(**{**made, "max_bad_golds_rate": 1.0, **more}))
    found = {}
    for index in range(count):
        problem, _ = source.item("train", index)
        found[problem.question.removeprefix("<image>")] = problem.answer
    return [found[f"{index}?"] for index in range(count)]


def json_lines() -> list[str]:
    return [f'{{"question": "{i}?", "answer": {written}}}' for i, written in enumerate(AS_JSON)]


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    "form", ["jsonl", "json", "gz", "bz2", "zst", "utf-8-sig", "utf-16", "utf-32", "crlf", "folder"]
)
def test_values_of_json_are_as_written(tmp_path, form, streaming):
    text = "\n".join(json_lines()) + "\n"
    path = tmp_path / "rows.jsonl"
    if form == "json":
        path = tmp_path / "rows.json"
        path.write_text("[" + ",\n".join(json_lines()) + "]")
    elif form in ("gz", "bz2", "zst"):
        path = tmp_path / f"rows.jsonl.{form}"
        if form == "zst":
            with pyarrow.output_stream(str(path), compression="zstd") as out:
                out.write(text.encode())
        else:
            path.write_bytes({"gz": gzip, "bz2": bz2}[form].compress(text.encode()))
    elif form == "folder":
        folder = tmp_path / "set"
        folder.mkdir()
        (folder / "train-1.jsonl").write_text("\n".join(json_lines()[:5]))
        (folder / "train-2.jsonl").write_text("\n".join(json_lines()[5:]))
        (folder / "test.jsonl").write_text('{"question": "other", "answer": "x"}\n')
        path = folder
    else:
        text = text.replace("\n", "\r\n") if form == "crlf" else text
        path.write_bytes(text.encode("utf-8" if form in ("jsonl", "crlf") else form))
    assert golds(path, len(AS_JSON), streaming=streaming) == list(AS_JSON.values())


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_cells_of_a_csv_file_are_texts(tmp_path, suffix, streaming):
    wanted = ["007", "2020-03-02", "7.0", "1,200", 'say "a"', "two\nlines", "true", "1e5"]
    separator = "," if suffix == "csv" else "\t"
    quoted = ['"' + answer.replace('"', '""') + '"' for answer in wanted]
    lines = [f"question{separator}answer", *(f"{i}?{separator}{cell}" for i, cell in enumerate(quoted))]
    (tmp_path / f"rows.{suffix}").write_text("\n".join(lines) + "\n")
    assert golds(tmp_path / f"rows.{suffix}", len(wanted), streaming=streaming) == wanted


def test_a_csv_row_with_a_cell_too_many_is_named_with_its_line(tmp_path):
    (tmp_path / "rows.csv").write_text('question,answer\n"a\nb",1\nc,2,3\n')
    with pytest.raises(BadRowError, match="line 4: has 3 cells"):
        golds(tmp_path / "rows.csv", 2)


@pytest.mark.parametrize("streaming", [False, True])
def test_values_of_parquet_have_the_digits_of_their_type(tmp_path, streaming):
    def column(values, kind):
        return pyarrow.array(values, kind)

    columns = {
        "24.23": column([24.23], pyarrow.float32()),
        "0.1": column([np.float16(0.1)], pyarrow.float16()),
        "24.2300001": column([24.2300001], pyarrow.float64()),
        "24.230": column([decimal.Decimal("24.230")], pyarrow.decimal128(10, 3)),
        "2020-03-02": column([datetime.date(2020, 3, 2)], pyarrow.date32()),
        "9007199254740993": column([9007199254740993], pyarrow.int64()),
        "007": column(["007"], pyarrow.string()),
        "true": column([True], pyarrow.bool_()),
    }
    for number, (wanted, answer) in enumerate(columns.items()):
        path = tmp_path / f"{number}.parquet"
        pyarrow.parquet.write_table(pyarrow.table({"question": ["0?"], "answer": answer}), path)
        assert golds(path, 1, streaming=streaming) == [wanted]


def test_narrow_numbers_inside_lists_and_objects_keep_their_digits_too(tmp_path):
    kind = pyarrow.struct([("x", pyarrow.list_(pyarrow.float32())), ("y", pyarrow.float32())])
    table = pyarrow.table(
        {"question": ["0?"], "answer": ["1"], "inner": pyarrow.array([{"x": [24.23, None], "y": 0.1}], kind)}
    )
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet")
    made = {"name": "rows", "path": str(tmp_path / "rows.parquet"), "modality": "text", "verifier": "exact"}
    source = RowSource(FileSourceSettings(**made, held_out=0.0, columns={"metadata": {"inner": "inner"}}))
    assert source.item("train", 0)[0].metadata["inner"] == {"x": [24.23, None], "y": 0.1}


def test_rows_of_mixed_types_and_late_images_are_streamed_as_they_are(tmp_path):
    (tmp_path / "a.png").parent.mkdir(exist_ok=True)
    Pillow.new("RGB", (8, 8)).save(tmp_path / "a.png")
    filler = "x" * 2000
    rows = [
        {"question": f"{i}?", "answer": 7 if i % 2 else "2020-03-02", "images": [], "note": filler} for i in range(6000)
    ]
    rows.append({"question": "6000?", "answer": 7.5, "images": ["a.png"], "note": {"an": "object"}})
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert path.stat().st_size > 10_000_000
    made = {"name": "rows", "path": str(path), "modality": "real", "verifier": "exact", "streaming": True}
    source = RowSource(FileSourceSettings(**made, held_out=0.0, shuffle_buffer=1, rows_without_image="read"))
    assert [source.item("train", i)[0].answer for i in (0, 1, 2, 6000)] == ["2020-03-02", "7", "2020-03-02", "7.5"]
    assert len(source.item("train", 6000)[0].images) == 1


def test_a_folder_of_images_keeps_the_values_of_its_table(tmp_path):
    for name in ("a", "b"):
        Pillow.new("RGB", (8, 8), "red" if name == "a" else "blue").save(tmp_path / f"{name}.png")
    lines = [{"file_name": f"{n}.png", "question": f"{i}?", "answer": "2020-03-02"} for i, n in enumerate("ab")]
    (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert golds(tmp_path, 2, modality="real") == ["2020-03-02"] * 2
    (tmp_path / "metadata.jsonl").unlink()
    (tmp_path / "metadata.csv").write_text("file_name,question,answer\na.png,0?,007\nb.png,1?,7.0\n")
    assert golds(tmp_path, 2, modality="real") == ["007", "7.0"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"question": "?", "answer": "1", "answer": "2"}', "'answer' stands twice"),
        ('{"question": "?", "answer": "\\ud83c"}', "half a surrogate pair"),
        ('{"question": "\\udf4e?", "answer": "1"}', "half a surrogate pair"),
        ('{"question": "a\\u0000b", "answer": "1"}', "NUL"),
        ('{"question": "?", "answer": NaN}', "is empty"),
        ('{"question": "?", "answer": 1e999}', "inf"),
        ('{"question": "?", "answer": {"value": 3}}', "not one text or number"),
        ('{"question": "?", "answer": "1"', "is not valid JSON"),
        ('{"question": "?", "answer": ' + "[" * 100_000, "is n"),
        ("\x00\x00\x00\x00", "is not valid JSON"),
    ],
)
@pytest.mark.parametrize("streaming", [False, True])
def test_what_no_text_can_carry_is_refused_with_its_line(tmp_path, line, message, streaming):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"question": "0?", "answer": "1"}\n\n' + line + "\n")
    with pytest.raises(BadRowError, match=message) as caught:
        golds(path, 2, streaming=streaming, shuffle_buffer=1)
    assert "line 3" in caught.value.place


def test_a_file_that_is_no_utf8_and_one_cut_short_are_named(tmp_path):
    (tmp_path / "rows.jsonl").write_bytes('{"question": "é?", "answer": "1"}'.encode("latin-1"))
    with pytest.raises(VlrlError, match=r"rows\.jsonl, line 1: is not UTF-8"):
        golds(tmp_path / "rows.jsonl", 1)
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(b'{"question": "0?", "answer": "1"}\n' * 999)[:-20])
    with pytest.raises(VlrlError, match=r"rows\.jsonl\.gz: can't be unpacked"):
        golds(tmp_path / "rows.jsonl.gz", 1)


@pytest.mark.parametrize("key", ["response", "chosen", "rejected", "meta"])
def test_a_row_of_a_user_holds_no_nul_whatever_its_column_is_called(tmp_path, key):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"question": "0?", "answer": "1", "' + key + '": "a\\u0000b"}\n')
    with pytest.raises(BadRowError, match="NUL"):
        golds(path, 1)


HUB_ROWS = (
    '{"question": "0?", "answer": 7}\n{"question": "1?", "answer": 7.50}\n'
    '{"question": "2?", "answer": "2020-03-02", "more": {"a": 1}}\n{"question": "3?", "answer": 1e5, "more": "text"}\n'
)
AS_WRITTEN = ["7", "7.50", "2020-03-02", "1e5"]


def hub_folder(folder: Path) -> Path:
    """As a data set lies on a hub: files in a folder, and a card that says which of them are a split."""
    (folder / "data").mkdir()
    (folder / "data" / "first.json").write_text(HUB_ROWS)
    (folder / "data" / "other.jsonl").write_text('{"question": "0?", "answer": "other"}\n')
    parts = {"main": {"train": "data/first.json", "extra": "data/other.jsonl"}, "small": {"train": "data/other.jsonl"}}
    configs = [
        {"config_name": name, "data_files": [{"split": split, "path": path} for split, path in files.items()]}
        for name, files in parts.items()
    ]
    (folder / "README.md").write_text(f"---\nconfigs: {json.dumps(configs)}\n---\n")
    return folder


@pytest.mark.parametrize("streaming", [False, True])
def test_a_folder_with_a_data_card_keeps_the_values_of_its_json(tmp_path, streaming):
    folder = hub_folder(tmp_path)
    more = {"streaming": streaming, "shuffle_buffer": 1}
    assert golds(folder, 4, subset="main", **more) == AS_WRITTEN
    assert golds(folder, 1, subset="main", split="extra", **more) == ["other"]
    assert golds(folder, 1, subset="small", **more) == ["other"]
    with pytest.raises(ConfigError, match="no split 'trian'"):
        golds(folder, 1, subset="main", split="trian", **more)


def test_json_of_a_hub_id_is_fetched_and_read_as_it_is_written(tmp_path, monkeypatch):
    folder = hub_folder(tmp_path)
    load = datasets.load_dataset_builder

    def builder(path: str, name: str | None) -> Any:
        if datasets.config.HF_HUB_OFFLINE:
            raise ConnectionError("not in the cache")
        return load(str(folder), name)

    monkeypatch.setattr(datasets, "load_dataset_builder", builder)
    monkeypatch.setattr(hub_data, "ask_hub", lambda *_: None)
    assert golds("owner/name", 4, subset="main") == AS_WRITTEN


def test_lines_in_a_file_called_json_are_read_as_lines(tmp_path):
    (tmp_path / "rows.json").write_text(HUB_ROWS)
    assert golds(tmp_path / "rows.json", 4) == AS_WRITTEN
    assert golds(tmp_path / "rows.json", 4, streaming=True, shuffle_buffer=1) == AS_WRITTEN
    (tmp_path / "rows.json").write_text('[\n{"question": "0?", "answer": 7},\n{"question": "1?", "answer": 7.50}\n]')
    assert golds(tmp_path / "rows.json", 2) == AS_WRITTEN[:2]

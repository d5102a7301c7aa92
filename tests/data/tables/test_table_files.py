"""One set of rows gives the same problems from JSONL, JSON, parquet and a folder of `datasets`."""

from __future__ import annotations

import io
import json

import datasets
import pytest
from PIL import Image as Pillow

from vlrl.data.mixture import Mixture
from vlrl.data.recipe import Recipe
from vlrl.errors import ConfigError, DataError


def image(i: int) -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (8, 8), (i * 20, 0, 0)).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.fixture
def stored(tmp_path):
    rows = [{"question": f"{i}?", "answer": str(i), "images": [f"{i}.png"]} for i in range(6)]
    for i in range(6):
        (tmp_path / f"{i}.png").write_bytes(image(i))
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    embedded = [{**row, "images": [{"bytes": image(i), "path": None}]} for i, row in enumerate(rows)]
    features = datasets.Features(
        {
            "question": datasets.Value("string"),
            "answer": datasets.Value("string"),
            "images": datasets.List(datasets.Image()),
        }
    )
    table = datasets.Dataset.from_list(embedded, features=features)
    table.to_parquet(str(tmp_path / "rows.parquet"))
    table.save_to_disk(str(tmp_path / "one"))
    datasets.DatasetDict({"train": table, "test": table}).save_to_disk(str(tmp_path / "several"))
    return tmp_path


def source(path, **settings):
    made = {
        "name": "rows",
        "kind": "file",
        "path": str(path),
        "modality": "real",
        "verifier": "number",
        "held_out": 0.0,
    }
    return Mixture(Recipe.model_validate({"sources": [{**made, **settings}]}), 0)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.parquet", "one", "several"])
def test_every_kind_of_table_gives_the_same_problems(stored, name):
    expected = {p.id for p in source(stored / "rows.jsonl").draw(6)}
    assert {p.id for p in source(stored / name).draw(6)} == expected
    assert len(expected) == 6


def test_an_unknown_split_is_named(stored):
    with pytest.raises(ConfigError, match=r"no split 'trian'.*\n.*'train'"):
        source(stored / "several", split="trian")


def test_an_empty_file_is_an_error(tmp_path):
    (tmp_path / "rows.jsonl").write_text("\n")
    with pytest.raises(DataError, match="holds no rows"):
        source(tmp_path / "rows.jsonl")


def test_an_unknown_kind_of_file_is_an_error(tmp_path):
    (tmp_path / "rows.txt").write_text("x")
    with pytest.raises(ConfigError, match="no known kind of table"):
        source(tmp_path / "rows.txt")


def test_a_parquet_file_that_is_none_is_an_error(tmp_path):
    (tmp_path / "rows.parquet").write_text("x")
    with pytest.raises(ConfigError, match="can't load"):
        source(tmp_path / "rows.parquet")


def test_separate_files_for_held_out_rows_leave_the_training_file_whole(stored):
    mixture = source(
        stored / "rows.jsonl",
        held_out=0.4,
        validation_path=str(stored / "rows.json"),
        test_path=str(stored / "rows.json"),
    )
    (rows,) = mixture.sources
    assert [rows.size_of(split) for split in ("train", "validation", "test")] == [6, 6, 6]

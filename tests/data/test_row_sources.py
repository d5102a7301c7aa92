"""Where rows come from: folders of images, streams, sets that are for evaluation, large tables."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import datasets
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image as Pillow

from vlrl.data.mixture import Mixture, demonstrations, held_out_problems
from vlrl.data.recipe import Recipe
from vlrl.data.rows.row_to_problem import RowReader
from vlrl.data.source_settings import FileSourceSettings
from vlrl.data.splits import part_rows, split_of
from vlrl.data.tables.row_source import RowSource
from vlrl.data.tables.table_files import open_table
from vlrl.errors import ConfigError, DataError


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
    # At every end of a streamed Parquet file the library waits for Arrow's threads, in case that the process ends, too.
    monkeypatch.setattr(
        datasets.config, "SLEEP_TIME_ON_THREADS_SHUTDOWN", 0, raising=False
    )  # older ones sleep not at all


def settings(path: Path, **more) -> FileSourceSettings:
    made = {"name": "rows", "kind": "file", "path": str(path), "modality": "text", "verifier": "number", **more}
    return FileSourceSettings(**made)


def write_rows(path: Path, count: int) -> Path:
    rows = [{"question": f"What is {i} + 1?", "answer": str(i + 1)} for i in range(count)]
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_folder_of_images_with_a_table_beside_them_is_a_source(tmp_path):
    for i in range(6):
        Pillow.new("RGB", (8, 8), (40 * i, 0, 0)).save(tmp_path / f"{i}.png")
    lines = [{"file_name": f"{i}.png", "question": "How red?", "answer": str(40 * i)} for i in range(6)]
    (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    source = RowSource(settings(tmp_path, modality="real", held_out=0))
    problems = [source.item("train", i)[0] for i in range(source.size)]
    assert [p.answer for p in problems] == ["0", "40", "80", "120", "160", "200"]
    assert len({p.images[0].digest for p in problems}) == 6


def test_a_folder_with_a_folder_for_each_class_answers_with_their_names(tmp_path):
    for name, colour in (("berry", "red"), ("leaf", "green")):
        (tmp_path / name).mkdir()
        for i in range(2):
            Pillow.new("RGB", (8 + i, 8), colour).save(tmp_path / name / f"{i}.png")
    with_question = {"question": "label", "answer": "label"}
    source = RowSource(settings(tmp_path, modality="real", held_out=0, verifier="text", columns=with_question))
    assert Counter(source.item("train", i)[0].answer for i in range(4)) == {"berry": 2, "leaf": 2}


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_large_and_small_tables_part_alike_whether_read_by_column_or_by_row(tmp_path, suffix):
    given = settings(write_rows(tmp_path / f"rows{suffix}", 3000), held_out=0.1)
    table = open_table(given.path, "train", "rows")
    parted = part_rows(table, RowReader(given, table.folder), 0.1, ("validation", "test"))
    by_row: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    for index in range(3000):
        by_row[split_of(f"What is {index} + 1?", 0.1, ("validation", "test"))].append(index)
    assert {name: list(rows) for name, rows in parted.items()} == by_row
    assert 230 < len(parted["validation"]) < 370
    assert 230 < len(parted["test"]) < 370


@pytest.mark.parametrize("held", ["struct", "text", "list", "two"])
def test_a_column_of_images_gives_the_same_keys_as_its_rows(tmp_path, held):
    def cell(i: int):
        data = {"bytes": bytes([i // 2, 1]), "path": "same.png"}
        return {"struct": data, "text": f"{i}.png", "list": [data], "two": [{"bytes": bytes([i, 2])}, data]}[held]

    for i in range(200):
        (tmp_path / f"{i}.png").write_bytes(bytes([i // 2, 1]))  # the same image under two names
    rows = [{"question": "?", "answer": "1", "images": cell(i)} for i in range(200)]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows.parquet")
    given = settings(tmp_path / "rows.parquet", modality="real", held_out=0.2)
    table = open_table(given.path, "train", "rows")
    reader = RowReader(given, table.folder)
    parted = part_rows(table, reader, 0.2, ("validation", "test"))
    for name, indices in parted.items():
        assert indices, name
        for index in indices:
            if held != "two":
                (key,) = reader.keys(table.row(index), "")
                assert split_of(key, 0.2, ("validation", "test")) == name
            assert index ^ 1 in indices  # both rows of an image, though their paths say nothing


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_a_stream_gives_the_rows_of_its_table_in_splits_that_hold(tmp_path, suffix):
    path = write_rows(tmp_path / f"rows{suffix}", 200)
    table, stream = RowSource(settings(path)), RowSource(settings(path, streaming=True, shuffle_buffer=50))
    assert stream.size is None
    size = table.size
    for split in ("train", "validation", "test"):
        count = table.size_of(split)
        rows = [table.item(split, i)[0].id for i in range(count)]
        streamed = [stream.item(split, i)[0].id for i in range(count)]
        assert sorted(streamed) == sorted(rows)
        assert streamed != rows  # mixed
        again = [stream.item(split, count + i)[0].id for i in range(count)]
        assert sorted(again) == sorted(rows)  # behind the end it begins again,
        assert again != streamed  # mixed again
    other = RowSource(settings(path, streaming=True, shuffle_buffer=50))
    assert other.item("train", size + 3)[0].id == stream.item("train", size + 3)[0].id  # forward
    assert other.item("train", 2)[0].id == stream.item("train", 2)[0].id  # and back
    with pytest.raises(IndexError, match="one problem"):
        other.item("train", 2, attempt=1)


def test_a_stream_holds_out_the_rows_that_its_table_holds_out_and_ends_there(tmp_path):
    path = write_rows(tmp_path / "rows.jsonl", 300)
    source = {"name": "rows", "kind": "file", "path": str(path), "modality": "text", "verifier": "number"}
    table = Recipe.model_validate({"sources": [source]})
    stream = Recipe.model_validate({"sources": [{**source, "streaming": True, "shuffle_buffer": 20}]})
    for split in ("validation", "test"):
        rows = {p.id for p in held_out_problems(table, 0, split, 1000)}
        streamed = held_out_problems(stream, 0, split, 1000)  # more than there are: it ends, as the table does
        assert len(streamed) == len(rows) > 5
        assert {p.id for p in streamed} == rows


def test_a_held_out_row_of_a_stream_is_counted_once(tmp_path):
    path = write_rows(tmp_path / "rows.jsonl", 40)
    source = {"name": "rows", "kind": "file", "path": str(path), "modality": "text", "verifier": "number"}
    recipe = Recipe.model_validate({"sources": [{**source, "streaming": True, "held_out": 0.0}]})
    rows = Mixture(recipe, 0).draw(40)
    mixture = Mixture(recipe, 0, rows[:3])
    assert [p.id for p in mixture.draw(37)] == [p.id for p in rows[3:]]
    assert mixture.counts["held_out"] == {"rows": 3}


def test_a_mixture_over_a_stream_is_resumed_where_it_was(tmp_path):
    path = write_rows(tmp_path / "rows.jsonl", 300)
    source = {"name": "rows", "kind": "file", "path": str(path), "modality": "text", "verifier": "number"}
    recipe = Recipe.model_validate({"sources": [{**source, "streaming": True}]})
    held_out = held_out_problems(recipe, 0, "validation", 5)
    mixture = Mixture(recipe, 0, held_out)
    mixture.draw(20)
    state = json.loads(json.dumps(mixture.state_dict()))
    expected = [p.id for p in mixture.draw(20)]
    later = Mixture(recipe, 0, held_out)
    later.load_state_dict(state)
    assert [p.id for p in later.draw(20)] == expected
    assert not {p.id for p in held_out} & set(expected)


def test_a_stream_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        RowSource(settings(tmp_path / "rows.parquet", streaming=True))
    path = write_rows(tmp_path / "rows.jsonl", 3)
    with pytest.raises(DataError, match="no row for test"):
        RowSource(settings(path, streaming=True, held_out=0.0)).item("test", 0)


def test_an_evaluation_set_is_test_rows_and_training_on_it_is_refused(tmp_path):
    path = write_rows(tmp_path / "rows.jsonl", 40)
    given = {"name": "rows", "kind": "file", "path": str(path), "modality": "text", "verifier": "number"}
    recipe = Recipe.model_validate({"sources": [{**given, "evaluation_only": True}]})
    assert len(held_out_problems(recipe, 0, "test", 100)) == 40
    for use in (
        recipe.refuse_evaluation_sets,
        lambda: Mixture(recipe, 0).draw(1),
        lambda: demonstrations(recipe, 0, 1),
    ):
        with pytest.raises(ConfigError, match="is an evaluation set") as caught:
            use()
        assert "force: true" in caught.value.remedy
    assert recipe.forced_evaluation_sets == ()
    forced = Recipe.model_validate({"sources": [{**given, "evaluation_only": True, "force": True}]})
    forced.refuse_evaluation_sets()
    assert forced.forced_evaluation_sets == ("rows",)
    assert len(Mixture(forced, 0).draw(10)) == 10


@pytest.mark.parametrize(
    ("path", "layout", "found"),
    [
        ("AI4Math/MathVista", None, True),
        ("MathLLMs/MathVision", None, True),
        ("/data/mathvision/train.jsonl", None, True),
        ("/data/mmmu_pro.parquet", None, True),
        ("MMMU/MMMU_Pro", None, True),
        ("org/name", "mmmu", True),
        ("/data/mathvision_like/train.jsonl", None, False),
        ("org/name", "gsm8k", False),
    ],
)
def test_the_well_known_benchmarks_are_known_by_name_or_layout(path, layout, found):
    from vlrl.data.evaluation_sets import is_evaluation_set

    assert is_evaluation_set(path, layout) is found

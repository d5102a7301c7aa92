"""Exported data sets: what `datasets` loads, what our readers give back, and the command."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from huggingface_hub import DatasetCard
from PIL import Image as Pillow
from typer.testing import CliRunner

from vlrl.cli import app
from vlrl.data.exported.dataset_folder import read_dataset, write_dataset
from vlrl.data.problem_files import read_problems, write_problem_file
from vlrl.data.recipe import load_recipe
from vlrl.data.sources import build_sources
from vlrl.errors import ConfigError, DataError
from vlrl.runlog.codecs import problem_state
from vlrl.types import Demonstration, Image, Problem, Text

BUDGET = {"min_pixels": 784, "max_pixels": 100_352}


def encoded(number: int, kind: str) -> Image:
    data = io.BytesIO()
    values = np.random.default_rng(number).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    Pillow.fromarray(values).save(data, kind)
    return Image.from_bytes(data.getvalue())


PHOTO, DRAWN = encoded(1, "JPEG"), encoded(2, "PNG")
TWIN = Image(DRAWN.digest, data=DRAWN.data, source_text="What is 3 + 4?")
PROBLEMS = [
    Problem(
        (Text("Is "), PHOTO, Text(" like\n"), DRAWN, Text("? <b>")),
        *("B", "choice", "real", "pairs", "photos"),
        metadata={"choices": ["yes", "no, 5 < 6"], "guess_rate": 0.5, "nested": {"a": [1, None, "x"]}},
        difficulty=0.25,
        tags=("hard", "two"),
    ),
    Problem((DRAWN,), "7", "number", "real", "pairs", "photos", difficulty=0.5, tags=("hard",)),
    Problem((Text("3 + 4 = <image of?"),), "7", "number", "text", "sums", "sums", metadata={"tolerance": 0.1}),
    Problem((TWIN,), "7", "number", "rendered", "sums", "drawn", twin="abc", system="Be brief."),
]
TEST = [Problem((Text("2 + 2?"),), "4", "number", "text", "sums", "sums")]


def whole(item: Problem | Demonstration) -> object:
    """All that there is of an item, the bytes of its images among it."""
    problem = item if isinstance(item, Problem) else item.problem
    images = [(image.read_bytes(), image.source_text) for image in problem.images]
    state = {key: value for key, value in problem_state(problem).items() if key != "prompt"}
    said = (item.response, item.turns) if isinstance(item, Demonstration) else None
    return problem.id, problem.question, images, json.dumps(state, sort_keys=True), said


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "mine"
    return write_dataset(out, {"train": PROBLEMS, "validation": [], "test": TEST}, "mix.yaml", BUDGET)


def test_what_was_written_comes_back_whole(exported: Path):
    order = {problem.id: number for number, problem in enumerate(PROBLEMS)}
    back = sorted(read_dataset(exported), key=lambda item: order[item.id])
    assert [whole(item) for item in back] == [whole(item) for item in PROBLEMS]
    assert [whole(item) for item in read_dataset(exported, "test")] == [whole(item) for item in TEST]
    with pytest.raises(DataError, match="no split 'validation'"):
        list(read_dataset(exported, "validation"))


def test_demonstrations_keep_response_and_turns(tmp_path: Path):
    demo = Demonstration(PROBLEMS[0], "so <answer>B</answer>", ("zoom",))
    out = write_dataset(tmp_path / "demos", {"train": [demo]}, "x", BUDGET)
    assert [whole(item) for item in read_dataset(out)] == [whole(demo)]


def test_datasets_loads_it_with_decoded_images_and_the_same_bytes(exported: Path, tmp_path: Path):
    import datasets

    held = datasets.load_dataset(str(exported), cache_dir=str(tmp_path))
    assert {split: len(rows) for split, rows in held.items()} == {"train": 4, "test": 1}
    row = next(row for row in held["train"] if row["id"] == PROBLEMS[0].id)
    assert row["question"] == "Is <image 1> like\n<image 2>? <b>"
    assert [image.size for image in row["images"]] == [(50, 40)] * 2
    raw = held["train"].cast_column("images", datasets.List(datasets.Image(decode=False)))
    cells = next(row for row in raw if row["id"] == PROBLEMS[0].id)["images"]
    assert [cell["bytes"] for cell in cells] == [PHOTO.data, DRAWN.data]


def test_its_recipe_asks_the_same_problems(exported: Path):
    recipe = load_recipe(exported / "recipe.yaml")
    assert recipe.image.max_pixels == BUDGET["max_pixels"]
    sources = {source.name: source for source in build_sources(recipe, 0)}
    assert {name: source.size for name, source in sources.items()} == {"photos": 2, "sums": 1, "drawn": 1}
    asked = [
        sources[name].item("train", i)[0]
        for name, size in (("photos", 2), ("sums", 1), ("drawn", 1))
        for i in range(size)
    ]
    assert {problem.id for problem in asked} == {problem.id for problem in PROBLEMS}
    by_id = {problem.id: problem for problem in asked}
    for problem in PROBLEMS:
        again = by_id[problem.id]
        assert (again.metadata, again.modality, again.domain) == (problem.metadata, problem.modality, problem.domain)
        assert [image.read_bytes() for image in again.images] == [image.read_bytes() for image in problem.images]
    assert by_id[PROBLEMS[0].id].difficulty == 0.25
    assert by_id[PROBLEMS[1].id].tags == ("hard",)
    assert [sources["sums"].item("test", 0)[0].id] == [TEST[0].id]


def test_the_hub_reads_its_card(exported: Path):
    card = DatasetCard.load(exported / "README.md")
    files = card.data.to_dict()["configs"][0]["data_files"]
    assert [one["split"] for one in files] == ["train", "test"]
    assert card.data.license is None
    assert "| train | 4 | 2 | 1 | 1 |" in card.text  # real, rendered, text


def test_the_command_exports_problem_files_and_recipes(tmp_path: Path):
    write_problem_file(tmp_path / "curated.jsonl", PROBLEMS)
    shown = CliRunner().invoke(app, ["data", "export", str(tmp_path / "curated.jsonl"), str(tmp_path / "out")])
    assert "4 train" in shown.output, shown.output
    assert {item.id for item in read_dataset(tmp_path / "out")} == {
        p.id for p in read_problems(tmp_path / "curated.jsonl")
    }
    sources = [{"name": "bars", "kind": "domain", "domain": "bars"}]
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({"sources": sources}))
    asked = ["data", "export", str(tmp_path / "recipe.yaml"), str(tmp_path / "bars")]
    endless = CliRunner().invoke(app, asked)
    assert isinstance(endless.exception, ConfigError)
    assert "bars never ends" in str(endless.exception)
    assert CliRunner().invoke(app, [*asked, "--count", "3"]).exit_code == 0
    assert len(list(read_dataset(tmp_path / "bars"))) == 3
    again = CliRunner().invoke(app, [*asked, "--count", "3"])
    assert "is there already" in str(again.exception)
    rows = CliRunner().invoke(app, ["data", "export", str(tmp_path / "out/recipe.yaml"), str(tmp_path / "second")])
    assert rows.exit_code == 0, rows.exception
    assert {item.id for item in read_dataset(tmp_path / "second")} == {p.id for p in PROBLEMS}


def test_what_a_row_cannot_hold_is_refused_and_nothing_is_left(tmp_path: Path):
    marked = Problem((Text("What is <image>?"),), "1", "number", "text", "x")
    split = Problem((Text("a"), Text("b")), "1", "number", "text", "x")
    for problem, said in ((marked, "holds <image>"), (split, "come back")):
        with pytest.raises(DataError, match=said):
            write_dataset(tmp_path / "out", {"train": [problem]}, "x", BUDGET)
    with pytest.raises(DataError, match="no problem"):
        write_dataset(tmp_path / "out", {"train": []}, "x", BUDGET)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cell", ["[1]", "no json", 3])
def test_metadata_that_are_no_object_are_refused_by_row(tmp_path: Path, cell: object):
    (tmp_path / "rows.jsonl").write_text(json.dumps({"question": "1 + 1?", "answer": "2", "extras": cell}) + "\n")
    source = {"name": "a", "kind": "file", "path": "rows.jsonl", "modality": "text", "verifier": "number"}
    source |= {"columns": {"metadata_json": "extras"}, "held_out": 0.0}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({"sources": [source]}))
    with pytest.raises(DataError, match=r"(?s)line 1, extras.*JSON object as text"):
        build_sources(load_recipe(tmp_path / "recipe.yaml"), 0)

"""`vlrl init`: rows in many layouts become a recipe and a config that run; what rows leave open is asked."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image as PillowImage
from typer.testing import CliRunner

from vlrl.cli import app
from vlrl.commands.starting.columns import Said
from vlrl.commands.starting.init_files import MODEL, start_project
from vlrl.data.recipe import load_recipe
from vlrl.data.sources import build_sources
from vlrl.errors import ConfigError, DataError


def png(k: int) -> bytes:
    held = io.BytesIO()
    PillowImage.new("RGB", (40, 40), (k * 5 % 256, 80, k % 256)).save(held, "PNG")
    return held.getvalue()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "img").mkdir()
    for k in range(40):
        (tmp_path / "img" / f"{k}.png").write_bytes(png(k))
    return tmp_path


def rows(row: Callable[[int], dict[str, Any]], n: int = 40) -> list[dict[str, Any]]:
    return [row(k) for k in range(n)]


def jsonl(file: Path, held: list[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in held))
    return file


def started(data: Path | str, said: Said | None = None, small: bool = True, split: str | None = None) -> dict[str, Any]:
    start_project(Path("mine"), Path(data), said or Said(), MODEL, small, split)
    recipe = load_recipe(Path("mine/recipe.yaml"), [])
    problem, _ = build_sources(recipe, 0)[0].item("train", 0)
    source = yaml.safe_load(Path("mine/recipe.yaml").read_text())["sources"][0]
    return {**source, "problem": problem}


def shown(source: dict[str, Any], *keys: str) -> tuple[Any, ...]:
    return tuple(source.get(key) for key in keys)


def test_usual_columns_and_relative_images(here: Path):
    data = jsonl(
        here / "rows.jsonl",
        rows(lambda k: {"question": f"How many dots, {k}?", "answer": str(k), "images": [f"img/{k}.png"]}),
    )
    source = started(data)
    assert shown(source, "path", "columns", "verifier", "modality") == ("../rows.jsonl", None, "number", "real")
    assert len(source["problem"].images) == 1


def test_foreign_names_in_a_csv_with_absolute_images(here: Path):
    lines = [f'{k},{here}/img/{k}.png,"Wie viele Punkte hat Bild {k}?",{k % 7}' for k in range(40)]
    (here / "daten.csv").write_text("\n".join(["nr,bild,frage,antwort", *lines]))
    source = started("daten.csv")
    assert source["columns"] == {"question": "frage", "answer": "antwort", "images": "bild"}
    assert source["problem"].images


def test_a_parquet_with_embedded_bytes_and_options(here: Path):
    held = rows(
        lambda k: {
            "problem": f"Which colour is it, {k}?",
            "options": ["red", "blue", "green"],
            "answer": "ABC"[k % 3],
            "image": {"bytes": png(k), "path": None},
        }
    )
    pq.write_table(pa.Table.from_pylist(held), here / "rows.parquet")
    source = started("rows.parquet")
    assert shown(source, "columns", "verifier") == ({"question": "problem"}, "choice")


def test_a_folder_of_images_with_a_metadata_file(here: Path):
    jsonl(
        here / "img" / "metadata.jsonl",
        rows(lambda k: {"file_name": f"{k}.png", "question": f"Say it: {k}", "answer": ["red", "dark blue"][k % 2]}),
    )
    assert shown(started("img"), "path", "verifier", "modality") == ("../img", "text", "real")


def test_a_datasets_folder_with_its_splits(here: Path):
    import datasets

    made = {
        name: datasets.Dataset.from_list(rows(lambda k, name=name: {"query": f"{name} {k} + {k} is?", "label": 2 * k}))
        for name in ("train", "validation", "test")
    }
    datasets.DatasetDict(made).save_to_disk(str(here / "saved"))
    source = started("saved")
    assert shown(source, "columns", "verifier", "modality", "held_out") == (
        {"question": "query", "answer": "label"},
        "number",
        "text",
        0.0,
    )
    assert source["validation_path"] == source["test_path"] == "../saved"


def test_messages_base64_and_images_elsewhere(here: Path):
    asked = lambda k: [{"role": "user", "content": f"<image>What number is {k}?"}]  # noqa: E731
    data = jsonl(
        here / "chat.jsonl",
        rows(
            lambda k: {
                "messages": asked(k),
                "solution": f"\\boxed{{{k}}}",
                "images": [base64.b64encode(png(k)).decode()],
            }
        ),
    )
    assert shown(started(data), "layout", "verifier") == ("chat", "number")
    (here / "tables").mkdir()
    data = jsonl(
        here / "tables" / "rows.jsonl", rows(lambda k: {"question": f"{k}?", "answer": k, "image": f"img/{k}.png"})
    )
    start_project(Path("other"), data, Said(), MODEL, True, None)
    assert yaml.safe_load(Path("other/recipe.yaml").read_text())["sources"][0]["image_folder"] == ".."


def test_rows_that_cant_be_used_are_counted_and_named(here: Path):
    held = rows(lambda k: {"question": f"{k} + {k} is?", "answer": str(2 * k)})
    held[3]["answer"], held[5]["answer"], held[7]["question"] = "about six", "", ""
    said = start_project(Path("mine"), jsonl(here / "rows.jsonl", held), Said(), MODEL, True, None)
    text = Path("mine/recipe.yaml").read_text()
    source = yaml.safe_load(text)["sources"][0]
    assert shown(source, "on_bad_row", "verifier", "max_bad_golds_rate") == ("skip", "number", 0.03)
    assert any("rows.jsonl, line 4" in line and "about six" in line for line in said)
    assert sum(line.startswith("- left out") for line in said) == 3
    assert "about six" in text
    assert build_sources(load_recipe(Path("mine/recipe.yaml"), []), 0)[0].size


OPEN: dict[str, tuple[Callable[[int], dict[str, Any]], str, Said]] = {
    "two questions": (
        lambda k: {"prompt": f"Say {k}", "problem": f"What is {k}?", "answer": k},
        "--question",
        Said(question="problem"),
    ),
    "two answers": (
        lambda k: {"frage": f"Was ist {k} mal 2?", "doppelt": str(2 * k), "dreifach": str(3 * k)},
        "--answer",
        Said(answer="doppelt"),
    ),
    "two images": (
        lambda k: {"question": f"{k}?", "answer": k, "image": f"img/{k}.png", "thumb": f"img/{39 - k}.png"},
        "--images image,thumb",
        Said(images=("image",), ignored=("thumb",)),
    ),
    "kinds of answers": (
        lambda k: {"question": f"{k}?", "answer": [str(k), f"red {k}"][k % 2]},
        "--verifier",
        Said(verifier="text"),
    ),
    "sentences": (
        lambda k: {"question": f"{k}?", "answer": f"the dog of number {k} runs over the green hill"},
        "--verifier",
        Said(verifier="anls"),
    ),
    "lists": (
        lambda k: {"question": f"{k}?", "answer": [k, k + 1, k + 2, k + 3]},
        "--verifier list",
        Said(verifier="list"),
    ),
    "a lost image": (
        lambda k: {"question": f"{k}?", "answer": k, "image": f"{k}.png"},
        "--image-folder",
        Said(image_folder="img"),
    ),
    "letters or indices": (
        lambda k: {"question": f"{k}?", "choices": ["1", "2", "3"], "answer": [1, 2][k % 2]},
        "--choice-answers",
        Said(choice_answers="index"),
    ),
    "some options": (
        lambda k: {"question": f"{k}?", "answer": "red", **({"choices": ["red", "blue"]} if k % 2 else {})},
        "--verifier choice",
        Said(verifier="text"),
    ),
}


@pytest.mark.parametrize("name", OPEN)
def test_what_rows_leave_open_is_asked_and_the_answer_is_taken(name: str, here: Path):
    row, option, answer = OPEN[name]
    data = jsonl(here / "rows.jsonl", rows(row))
    with pytest.raises(ConfigError) as error:
        start_project(Path("mine"), data, Said(), MODEL, True, None)
    assert option in error.value.remedy
    assert not Path("mine").exists()
    started(data, answer)


def test_golds_that_no_column_agrees_on_are_no_data(here: Path):
    data = jsonl(here / "rows.jsonl", rows(lambda k: {"question": f"{k}?", "answer": k, "ground_truth": k + 1}))
    with pytest.raises((ConfigError, DataError), match="golds"):
        start_project(Path("mine"), data, Said(), MODEL, True, None)


def test_nothing_is_overwritten_and_missing_data_is_named(here: Path):
    data = jsonl(here / "rows.jsonl", rows(lambda k: {"question": f"{k}?", "answer": k}))
    Path("mine").mkdir()
    Path("mine/config.yaml").write_text("precious")
    with pytest.raises(ConfigError, match="is there already"):
        start_project(Path("mine"), data, Said(), MODEL, True, None)
    assert [file.name for file in Path("mine").iterdir()] == ["config.yaml"]
    with pytest.raises(ConfigError, match="no such file"):
        start_project(Path("other"), Path("rowz.jsonl"), Said(), MODEL, True, None)


def test_the_three_commands_run(here: Path):
    """As printed, with a small model; and the plan of the real config takes no model."""
    jsonl(
        here / "rows.jsonl",
        rows(lambda k: {"question": f"How many dots, {k}?", "answer": str(k % 9), "images": [f"img/{k}.png"]}),
    )
    called = CliRunner().invoke(app, ["init", "mine", "--data", "rows.jsonl", "--small"])
    assert called.exit_code == 0, called.output
    commands = [line.partition("#")[0].split()[1:] for line in called.output.splitlines() if line.startswith("vlrl ")]
    assert len(commands) == 3
    for command in [*commands, ["data", "stats", "mine/recipe.yaml"]]:
        called = CliRunner().invoke(app, command)
        assert called.exit_code == 0, (command, called.output, called.exception)
    assert Path("mine/preview.html").is_file()
    assert Path("runs/mine/report.html").is_file()

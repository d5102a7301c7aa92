"""An edit of recipe, table, image or plugin between two stretches of a run is refused by its name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from PIL import Image

from vlrl.config import load_settings
from vlrl.data.recipe import load_recipe
from vlrl.errors import RunError
from vlrl.runlog.run_folder import RunFolder
from vlrl.training.lifecycle.run_inputs import RunInputs
from vlrl.training.run import start_run
from vlrl.training.run_settings import RunSettings


@pytest.fixture
def config(images_config, tmp_path) -> Path:
    """The small run with a plugin of its own, its inputs remembered."""
    (tmp_path / "extra.py").write_text("# registers nothing\n")
    with open(images_config, "a") as file:
        file.write(f"plugins: [{tmp_path / 'extra.py'}]\n")
    (tmp_path / "run").mkdir()
    opened(images_config).write()
    return images_config


def opened(config: Path) -> RunInputs:
    settings = load_settings(RunSettings, config)
    return RunInputs(Path(settings.folder), settings, load_recipe(settings.data))


def test_without_an_edit_the_run_goes_on_and_its_folder_holds_the_resolved_recipe(config, tmp_path):
    assert opened(config).remembered
    held = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())
    assert held["sources"][0]["streaming"] is False, "defaults are written out"
    assert load_recipe(tmp_path / "run" / "recipe.yaml") == load_recipe(tmp_path / "recipe.yaml")


def edit_rows(folder: Path) -> None:
    text = (folder / "rows.jsonl").read_text()
    (folder / "rows.jsonl").write_text(text.replace("How many of 3", "How many in 3"))


def edit_image(folder: Path) -> None:
    Image.new("RGB", (64, 48)).save(folder / "0.png")


def edit_recipe(folder: Path) -> None:
    text = (folder / "recipe.yaml").read_text()
    (folder / "recipe.yaml").write_text(text.replace("3072", "4096").replace("verifier: number", "verifier: text"))


def edit_plugin(folder: Path) -> None:
    (folder / "extra.py").write_text("# registers something\n")


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (edit_rows, ["own, path: rows.jsonl has another content"]),
        (edit_image, ["own, image: 0.png has another content"]),
        (edit_recipe, ["image.max_pixels: 3072 → 4096", "sources.0.verifier: 'number' → 'text'"]),
        (edit_plugin, ["plugin: extra.py has another content"]),
    ],
)
def test_an_edit_is_refused_by_name(config, tmp_path, edit, named):
    edit(tmp_path)
    with pytest.raises(RunError) as error:
        opened(config)
    assert all(one in str(error.value) for one in named)
    assert "put it back" in str(error.value)


def test_a_row_more_and_an_image_less_are_named(config, tmp_path):
    row = {"question": "And now?", "answer": "3", "images": ["2.png"]}
    Image.new("RGB", (32, 32)).save(tmp_path / "2.png")
    with open(tmp_path / "rows.jsonl", "a") as file:
        file.write(json.dumps(row) + "\n")
    (tmp_path / "1.png").unlink()
    with pytest.raises(RunError) as error:
        opened(config)
    assert "2.png is new" in str(error.value)
    assert "1.png is gone" in str(error.value)


def test_damaged_memory_is_one_message(config, tmp_path):
    (tmp_path / "run" / "inputs.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        opened(config)


def test_the_command_refuses_before_anything_of_the_run_folder_changes(config, tmp_path):
    edit_rows(tmp_path)
    RunFolder(tmp_path / "run", load_settings(RunSettings, config).model_dump(mode="json"))
    (tmp_path / "run" / "state.json").write_text('{"finished": [], "results": {}, "seconds": {}}')

    def files() -> dict[str, bytes]:
        found = (file for file in (tmp_path / "run").iterdir() if file.is_file() and not file.name.startswith("."))
        return {file.name: file.read_bytes() for file in found}

    before = files()
    with pytest.raises(RunError, match=r"rows\.jsonl"):
        start_run(config, [])
    assert files() == before

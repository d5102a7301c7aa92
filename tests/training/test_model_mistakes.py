"""A model that can't be used is named by every command before it has written anything."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from vlrl.commands.curate import start_curation
from vlrl.commands.evaluate import evaluate_benchmarks
from vlrl.errors import ConfigError
from vlrl.plan.plan import make_plan
from vlrl.training.run import start_run


def without_template(folder: Path) -> None:
    """As some base models are."""
    (folder / "chat_template.jinja").unlink()


def a_layer_more(folder: Path) -> None:
    """Weights that would be filled at random."""
    held = json.loads((folder / "config.json").read_text())
    held["text_config"]["num_hidden_layers"] += 1
    (folder / "config.json").write_text(json.dumps(held))


def not_a_number(folder: Path) -> None:
    """What a diverged training leaves."""
    held = load_file(folder / "model.safetensors")
    held[sorted(held)[-1]].flatten()[0] = torch.nan
    save_file(held, folder / "model.safetensors", metadata={"format": "pt"})


MISTAKES = {"chat template": without_template, "missing from the files": a_layer_more, "NaN": not_a_number}


def eval_config(folder: Path, model: Path) -> Path:
    """One benchmark of one row."""
    (folder / "rows.jsonl").write_text('{"question": "How many?", "answer": "1"}\n' * 2)
    config = folder / "eval.yaml"
    config.write_text(
        f"name: asked\nrun_folder: {folder / 'run'}\nmodel: {{path: {model}}}\n"
        f"benchmarks: [{{benchmark: gsm8k, path: {folder / 'rows.jsonl'}}}]\n"
    )
    return config


def curate_config(folder: Path, model: Path) -> Path:
    """One stage that asks."""
    config = folder / "curate.yaml"
    config.write_text(
        f"name: sieved\nrun_folder: {folder / 'run'}\ndata: data_recipes/quickstart.yaml\nproblems: 4\nheld_out: 0\n"
        f"model: {{path: {model}}}\nstages: [{{name: difficulty}}]\n"
    )
    return config


@pytest.fixture
def spoilt(model_folders, tmp_path) -> Path:
    """A whole model to spoil."""
    return Path(shutil.copytree(model_folders["tiny-qwen3-vl"], tmp_path / "spoilt"))


@pytest.mark.parametrize("words", MISTAKES)
@pytest.mark.parametrize("command", ["run", "eval", "curate"])
def test_nothing_is_written_for_a_model_that_cannot_be_used(command, words, spoilt, tmp_path):
    MISTAKES[words](spoilt)
    commands: dict[str, Callable[[], object]] = {
        "run": lambda: start_run(
            Path("configs/quickstart.yaml"),
            ["model={path: " + str(spoilt) + "}", f"run_folder={tmp_path / 'run'}", "eval.curve_problems=4"],
        ),
        "eval": lambda: evaluate_benchmarks(eval_config(tmp_path, spoilt)),
        "curate": lambda: start_curation(curate_config(tmp_path, spoilt)),
    }
    with pytest.raises(ConfigError, match=words) as told:
        commands[command]()
    assert told.value.place == "model.path"
    assert told.value.remedy
    assert not (tmp_path / "run").exists()


def test_a_plan_names_it_too(spoilt, tmp_path):
    a_layer_more(spoilt)
    with pytest.raises(ConfigError, match="missing from the files"):
        make_plan(Path("configs/quickstart.yaml"), ["model={path: " + str(spoilt) + "}"])

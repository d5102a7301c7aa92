"""A finished run has everything: what is missing or damaged is written again or taken up from its last checkpoint."""

from __future__ import annotations

import json
import shutil

import pytest

from vlrl.errors import RunError
from vlrl.runlog.atomic_files import file_digest
from vlrl.runlog.run_folder import read_jsonl
from vlrl.training.lifecycle.completeness import is_in_order
from vlrl.training.run import start_run

SHAPE = {"text_width": 32, "text_layers": 1, "vision_width": 32, "head_size": 16, "key_value_heads": 1, "mlp_width": 48}
TAKEN_UP = ("model/model.safetensors", "model/config.json", "answers_start.jsonl", "answers_rl.jsonl")
WRITTEN = ("report.html", "run_card.md", "results.json", "run_card.json", "state.json")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of two steps, and its config."""
    folder = tmp_path_factory.mktemp("finished")
    sources = [{"name": "bars", "kind": "domain", "domain": "bars"}]
    (folder / "recipe.yaml").write_text(json.dumps({"image": {"max_pixels": 4096}, "sources": sources}))
    settings = {
        "name": "small",
        "data": str(folder / "recipe.yaml"),
        "stages": ["rl", "eval"],
        "threads": 1,
        "model": {"build": "tiny-qwen3-vl", "shape": SHAPE},
        "rl": {
            "steps": 2,
            "export_every": 1,
            "problems_per_step": 2,
            "rollouts_per_problem": 2,
            "sampling": {"max_tokens": 4},
        },
        "eval": {"problems": 2, "curve_problems": 2, "sampling": {"max_tokens": 4}},
    }
    (folder / "run.yaml").write_text(json.dumps(settings))
    start_run(folder / "run.yaml", [f"run_folder={folder / 'run'}"])
    return folder


@pytest.fixture
def config(finished, tmp_path):
    """A copy of it, at the path that its settings name."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run.yaml"


def again(config):
    start_run(config, [f"run_folder={config.parent / 'run'}", f"data={config.parent / 'recipe.yaml'}"])
    return config.parent / "run"


def kept(folder):
    """What has to be the same in the end."""
    names = (*TAKEN_UP, "results.json")
    found = {name: file_digest(folder / name) for name in names if name != "results.json"}
    results = json.loads((folder / "results.json").read_text())
    return found, {key: value for key, value in results.items() if key != "wall_seconds"}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*WRITTEN, *TAKEN_UP])
@pytest.mark.parametrize("how", ["removed", "emptied", "flipped"])
def test_a_rerun_mends_what_is_missing_or_damaged(config, finished, capsys, name, how):
    if how == "flipped" and name in ("report.html", "run_card.md"):
        pytest.skip("a page is made of the rest, and nothing is made of it")
    file = config.parent / "run" / name
    if how == "removed":
        file.unlink()
    else:
        file.write_bytes(b"" if how == "emptied" else file.read_bytes()[:-40] + b"\xff" * 40)
    if name != "run_card.json":
        assert not is_in_order(config.parent / "run")
    folder = again(config)
    assert kept(folder) == kept(finished / "run")
    assert json.loads((folder / "run_card.json").read_text())["status"] == "finished"
    assert all((folder / one).stat().st_size for one in WRITTEN)
    if (name, how) != ("state.json", "removed"):  # as in a run that was killed in its first stage
        assert name.rpartition("/")[2] in capsys.readouterr().out
    assert is_in_order(folder)
    again(config)
    assert "and all of it is there" in capsys.readouterr().out


def test_a_fresh_run_removes_all_that_the_run_before_wrote_and_nothing_else(config, finished):
    folder = config.parent / "run"
    mine = {"model/notes.txt", "images/holiday.png", "checkpoints/best/policy.pt", "run_card.md"}
    for name in mine:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    start_run(config, [f"run_folder={folder}", f"data={config.parent / 'recipe.yaml'}"], fresh=True)
    aside = folder / "set_aside-1"
    assert {str(one.relative_to(aside)) for one in aside.rglob("*") if one.is_file()} == mine
    assert not [one for one in folder.iterdir() if one.name.startswith((".earlier", ".failed", "set_aside-2"))]
    assert kept(folder) == kept(finished / "run")


@pytest.mark.slow
def test_a_damaged_model_of_an_earlier_step_is_told_and_nothing_is_made_again(config, capsys):
    run = config.parent / "run"
    before = kept(run)
    (run / "model_step_1/config.json").unlink()
    again(config)
    said = capsys.readouterr().out
    assert "model_step_1/config.json is missing: the model of an earlier step can't be made again" in " ".join(
        said.split()
    )
    assert "taken up" not in said
    assert kept(run) == before


@pytest.mark.slow
def test_damaged_logs_and_images_of_a_finished_run_are_named(config, capsys):
    folder = config.parent / "run"
    with open(folder / "metrics.jsonl", "ab") as log:
        log.write(b"\0\0\0\n")
    image = next((folder / "images").iterdir())
    image.write_bytes(b"")
    with pytest.raises(RunError, match=rf"{image.name}: is damaged \(0 bytes\)(.|\n)*put back a copy, or remove it"):
        again(config)
    assert image.is_file()
    image.unlink()
    again(config)
    said = capsys.readouterr().out
    assert "metrics.jsonl, line" in said
    assert f"{image.stem} is gone" in said
    assert [line["step"] for line in read_jsonl(folder / "metrics.jsonl") if line["phase"] == "rl"] == [1, 2]


def test_cards_of_models_are_the_runs_pages(finished, config, capsys):
    run = config.parent / "run"
    cards = [run / name / "README.md" for name in ("model", "model_step_1")]
    assert all(card.is_file() for card in cards)
    assert "as it was after step 1" in cards[1].read_text()
    cards[0].unlink()
    cards[1].write_text("mine")
    assert not is_in_order(run)
    again(config)
    assert "model/README.md is put in order" in capsys.readouterr().out
    assert is_in_order(run)
    assert "Accuracy on held-out problems" in cards[0].read_text()
    assert cards[1].read_text() == "mine"

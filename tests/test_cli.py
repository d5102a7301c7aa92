"""The command line: its help, and what a mistake costs: one message with place, value and remedy, and exit code 2."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from vlrl.cli import app, main

ROOT = Path(__file__).parents[1]
COMMANDS = ("run", "prepare", "sft", "rl", "eval", "report", "plan")


@pytest.fixture
def vlrl(monkeypatch, capsys):
    """`vlrl("plan", "x.yaml")` runs the command in this process: (exit code, stdout, stderr)."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["vlrl", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A small run that would work: arithmetic, a built model, its run folder under tmp_path."""
    write_yaml(tmp_path / "recipe.yaml", {"sources": [{"name": "sums", "kind": "domain", "domain": "arithmetic"}]})
    settings = {
        "name": "small",
        "run_folder": str(tmp_path / "run"),
        "data": str(tmp_path / "recipe.yaml"),
        "stages": ["rl"],
        "model": {"build": "tiny-qwen3-vl"},
        "rl": {"steps": 1, "problems_per_step": 2, "rollouts_per_problem": 2, "sampling": {"max_tokens": 4}},
        "eval": {"problems": 2, "curve_problems": 2, "sampling": {"max_tokens": 4}},
    }
    return write_yaml(tmp_path / "run.yaml", settings)


def test_a_config_that_is_not_there_costs_no_imports():
    """Seconds of torch and transformers, before a message that needs neither."""
    code = (
        "import sys\nfrom vlrl.cli import main\n"
        "for command in ('run', 'prepare', 'sft', 'rl', 'eval', 'plan', 'curate', 'ablate', 'long2short', 'doctor'):\n"
        "    sys.argv = ['vlrl', command, 'nowhere.yaml']\n"
        "    try:\n        main()\n    except SystemExit as end:\n        assert end.code == 2\n"
        "    assert not {'torch', 'transformers', 'datasets', 'matplotlib'} & sys.modules.keys(), command\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("nowhere.yaml: no such file") == 10


def write_yaml(path: Path, values: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(values))
    return path


def own_rows(folder: Path, rows: list[dict[str, Any]], **source: Any) -> None:
    """Make the recipe one of these rows, held out in no split but named as validation and test too."""
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    named = {"name": "own", "kind": "file", "path": str(file), "modality": "real", "verifier": "number"}
    write_yaml(folder / "recipe.yaml", {"sources": [{**named, **source}]})


def image(path: Path) -> Path:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path)
    return path


def tree(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def assert_refused(result: tuple[int, str, str], *said: str) -> None:
    """Exit code 2 and one message on stderr that holds all of `said`."""
    code, _, error = result
    assert code == 2, result
    assert error.count("error: ") == 1, error
    assert "Traceback" not in error
    for part in said:
        assert part in error, f"{part!r} is not in:\n{error}"


def test_help_names_every_command(vlrl):
    code, out, _ = vlrl("--help")
    assert code == 0
    for command in COMMANDS:
        assert command in out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(vlrl, command):
    code, out, _ = vlrl(command, "--help")
    assert code == 0
    assert len(out.split()) > 25


@pytest.mark.parametrize(("typed", "meant"), [("in", "init"), ("data pre", "preview"), ("init --verif", "--verifier")])
def test_a_shell_completes_commands_and_options(typed, meant):
    words = f"vlrl {typed}"
    asked = {"_VLRL_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    assert CliRunner().invoke(app, [], prog_name="vlrl", env=asked).output.split() == [meant]


def test_an_unknown_command_is_refused(vlrl):
    code, _, error = vlrl("trian", "x.yaml")
    assert code == 2
    assert "trian" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("rl.stpes=3", ("rl.stpes", "unknown key", "did you mean 'steps'?")),
        ("rl.steps=many", ("rl.steps", "valid integer", "'many'")),
        ("rl.loss.taau=1", ("kimi", "unknown setting 'taau'", "did you mean 'tau'?")),
        ("rl.rollouts_per_problem=1", ("rl", "rollouts_per_problem is 1", "give at least 2")),
        ("engine=vlm", ("engine", "unknown engine 'vlm'", "did you mean 'vllm'?")),
        ("backend={name: deepspeed, sequence_parallel: 2}", ("backend.sequence_parallel", "Ulysses", "leave it out")),
        ("backend=torhc", ("backend", "unknown backend 'torhc'", "did you mean 'torch'?")),
        ("model.build=tiny-qwen3-v", ("model", "unknown small architecture", "did you mean 'tiny-qwen3-vl'?")),
        ("data=nowhere.yaml", ("nowhere.yaml", "no such file", "check the path")),
        ("nonsense", ("command line, 'nonsense'", "is not an override", "dotted.key=value")),
    ],
)
def test_a_wrong_setting_is_refused(vlrl, config, command, override, said):
    overrides = ["rl.loss=kimi", override] if "loss" in override else [override]
    assert_refused(vlrl(command, config, *overrides), *said)
    assert not (config.parent / "run").exists()


def test_a_wrong_setting_names_its_file(vlrl, config):
    for override in ("engine=vlm", "rl.steps=many", "rl.stpes=3"):
        assert str(config) in vlrl("run", config, override)[2]


def test_a_config_that_is_not_there_is_refused(vlrl, tmp_path):
    assert_refused(vlrl("run", tmp_path / "none.yaml"), "none.yaml", "no such file", "configs/")


@pytest.mark.parametrize("command", ["run", "plan", "prepare"])
@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"sources": []}, ("sources", "the recipe is empty", "add at least one source")),
        (
            {"sources": [{"name": "a", "kind": "file", "path": "no.jsonl", "modality": "real", "verifier": "number"}]},
            ("source 'a', path", "no such file", "no.jsonl", "check the path"),
        ),
        (
            {"sources": [{"name": "a", "kind": "domain", "domain": "arithmetik"}]},
            ("sources[0] 'a'", "arithmetik", "did you mean 'arithmetic'?"),
        ),
    ],
)
def test_a_wrong_recipe_is_refused(vlrl, config, command, recipe, said):
    write_yaml(config.parent / "recipe.yaml", recipe)
    assert_refused(vlrl(command, config), "recipe.yaml", *said)
    assert not (config.parent / "run").exists()


@pytest.mark.parametrize("command", ["run", "plan"])
def test_an_unknown_verifier_is_refused(vlrl, config, command):
    own_rows(config.parent, [{"question": "1+1?", "answer": "2"}], verifier="numbr")
    assert_refused(
        vlrl(command, config), "source 'own', verifier", "unknown verifier 'numbr'", "did you mean 'number'?"
    )
    assert not (config.parent / "run").exists()


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_broken_image_is_refused(vlrl, config, command):
    whole = image(config.parent / "whole.png").read_bytes()
    for i in range(40):  # rows with one image would all fall into one split
        (config.parent / f"{i}_broken.png").write_bytes(whole[: len(whole) // 2 + i])
    rows = [{"question": "How many?", "answer": "2", "images": [f"{i}_broken.png"]} for i in range(40)]
    own_rows(config.parent, rows, held_out=0.2)
    assert_refused(
        vlrl(command, config), "rows.jsonl, line", "broken.png", "not a readable image", "on_bad_image: skip"
    )
    assert not (config.parent / "run").exists()


@pytest.mark.parametrize("command", ["run", "plan"])
def test_fewer_images_than_placeholders_are_refused(vlrl, config, command):
    image(config.parent / "whole.png")
    rows = [{"question": f"<image> or <image>? {i}", "answer": "2", "images": ["whole.png"]} for i in range(40)]
    own_rows(config.parent, rows, held_out=0.2)
    assert_refused(vlrl(command, config), "rows.jsonl, line", "2", "1", "→")
    assert not (config.parent / "run").exists()


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_prompt_longer_than_the_context_is_refused_before_anything_is_learned(vlrl, config, command):
    rows = [{"question": "Add up: " + "12+34+" * 40 + f"{i}", "answer": "2"} for i in range(40)]
    own_rows(config.parent, rows, modality="text", held_out=0.2)
    said = ("problem", "own", "tokens", "the context holds 64", "model.context")
    assert_refused(vlrl(command, config, "model.context=64"), *said)
    assert not (config.parent / "run").exists()


def test_a_response_that_does_not_fit_behind_its_prompt_is_refused_before_anything_is_learned(vlrl, config):
    result = vlrl("run", config, "model.context=64", "rl.sampling.max_tokens=60")
    assert_refused(result, "responses up to 60", "the context holds 64", "lower")
    assert not (config.parent / "run").exists()


@pytest.mark.parametrize("command", ["run", "rl", "eval"])
def test_a_run_folder_of_another_run_is_left_as_it_is(vlrl, config, command):
    from vlrl.config import load_settings
    from vlrl.training.run_settings import RunSettings

    folder = config.parent / "run"
    folder.mkdir()
    write_yaml(folder / "run.yaml", load_settings(RunSettings, config, ["seed=5"]).model_dump(mode="json"))
    (folder / "run_card.json").write_text('{"schema": 1, "status": "finished"}')
    (folder / "state.json").write_text('{"finished": ["rl"], "results": {}, "seconds": {}}')
    before = tree(folder)
    assert_refused(vlrl(command, config), str(folder), "seed", "5", "0", "run_folder=", "--fresh")
    assert tree(folder) == before


def test_a_report_of_no_run_is_refused(vlrl, tmp_path):
    assert_refused(vlrl("report", tmp_path), str(tmp_path), "not a run folder", "→")
    assert tree(tmp_path) == {}


def test_a_model_that_nobody_knows_is_refused_by_the_plan(vlrl, config):
    result = vlrl("plan", config, "model.build=null", "model.path=nobody/nothing")
    assert_refused(result, "model.path", "'nobody/nothing'", "hf download nobody/nothing")


def test_a_stage_that_the_command_names_is_asked_of_the_settings_like_one_of_the_file(vlrl, config):
    """The file's own stage is `rl`, which trains with AdamW; of SFT, ZeRO can't do what it says."""
    code, _, said = vlrl("sft", config, "backend=deepspeed", "sft.policy.optimizer.name=muon", "sft.steps=1")
    assert code == 2, said
    assert "sft.policy.optimizer.name: 'muon' orthogonalises whole matrices" in " ".join(said.split())
    assert not (config.parent / "run").exists()


def test_float16_is_refused_where_a_stage_trains_and_taken_where_none_does(vlrl, config):
    code, _, said = vlrl("run", config, "model.dtype=float16", "model.device=cpu")
    assert code == 2
    assert "model.dtype: 'float16'" in " ".join(said.split())
    code, _, said = vlrl("eval", config, "model.dtype=float16", "model.device=cpu")
    assert code == 0, said

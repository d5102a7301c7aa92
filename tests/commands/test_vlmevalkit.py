"""`vlrl export vlmevalkit`: what VLMEvalKit's run.py takes from the file, and what is refused by name.

What its classes take, and how they choose by path, are facts of ms-vlmeval 0.0.20 (vlmeval/vlm, vlmeval/run.py) and of
VLMEvalKit's repository at commit 002f7b7.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from vlrl.cli import app
from vlrl.errors import ConfigError, VlrlError
from vlrl.evaluation.harness.vlmevalkit import CLASSES, DATA_CLASSES, WITHOUT, vlmevalkit_config
from vlrl.model.families.tested import list_models

QWEN = {"model_path", "min_pixels", "max_pixels", "max_new_tokens", "system_prompt", "temperature", "use_custom_prompt"}
GENERATION = {"max_new_tokens", "do_sample"}  # what a class hands on to `generate`, with all that it doesn't know
TAKEN = {
    "Qwen2VLChat": QWEN,
    "Qwen3VLChat": QWEN,
    "Gemma3": {"model_path", "system_prompt", *GENERATION},
    **{name: {"model_path", *GENERATION} for name in ("Gemma4", "SmolVLM", "SmolVLM2", "LLaVA_Next")},
    **{name: {"model_path"} for name in ("PaliGemma", "LLaVA_OneVision_HF")},
}
SETTINGS = {"min_pixels": 784, "max_pixels": 50176, "system_prompt": None, "max_new_tokens": 64}
NAMED = {"qwen2_5_vl": "my_Qwen2.5", "llava_next": "my_llava"}


def loaded_as(kit: str, path: str) -> set[str]:
    """The families that a class loads a folder of this path as, by the rules of its constructor."""
    low = path.lower()
    if kit in ("Qwen2VLChat", "Qwen3VLChat") and "omni" in low:
        return {"omni"}
    if kit == "Qwen2VLChat":
        return {"qwen2_5_vl"} if any(word in low for word in ("2.5", "2_5", "qwen25")) else {"qwen2_vl"}
    if kit == "LLaVA_Next" and "interleave" in low:
        return {"llava"}
    return {name for name, one in CLASSES.items() if one.name == kit}


@pytest.mark.parametrize("model_type", CLASSES)
def test_run_py_finds_class_and_arguments_of_every_family(model_type):
    folder = Path("/models") / NAMED.get(model_type, "mine")
    config = json.loads(json.dumps(vlmevalkit_config(folder, model_type, "mine", ["MMStar"], SETTINGS)))
    assert set(config) == {"model", "data"}
    keywords = dict(config["model"]["mine"])
    kit = keywords.pop("class")
    assert set(keywords) <= TAKEN[kit]
    assert model_type in loaded_as(kit, keywords["model_path"])
    assert {key for key in SETTINGS if key in TAKEN[kit]} <= set(keywords)
    assert config["data"] == {"MMStar": {"class": "ImageMCQDataset", "dataset": "MMStar"}}


@pytest.mark.parametrize(
    ("model_type", "folder"),
    [
        ("qwen2_5_vl", "mine"),
        ("qwen2_vl", "qwen2_5_vl"),
        ("qwen2_vl", "v2.5/model"),
        ("qwen3_vl", "omnibus"),
        ("llava_next", "Interleaved"),
    ],
)
def test_a_path_by_which_a_class_would_load_another_model_is_refused(model_type, folder):
    assert model_type not in loaded_as(CLASSES[model_type].name, f"/models/{folder}")
    with pytest.raises(ConfigError, match="takes the model by its path"):
        vlmevalkit_config(Path("/models") / folder, model_type, "mine", ["MMStar"], SETTINGS)


def test_a_link_with_the_name_that_the_error_proposes_is_taken(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(ConfigError) as refused:
        vlmevalkit_config(tmp_path / "mine", "qwen2_5_vl", "mine", [], SETTINGS)
    _, _, target, link = refused.value.remedy.removeprefix("a link: ").split()
    Path(link).symlink_to(target)
    held = vlmevalkit_config(Path(link), "qwen2_5_vl", "mine", [], SETTINGS)
    assert held["model"]["mine"]["model_path"] == link


def test_families_without_a_class_are_refused_with_the_reason():
    tested = {one.model_type for one in list_models() if one.status in ("own", "tested")}
    assert set(CLASSES) | set(WITHOUT) <= tested
    for model_type in tested - set(CLASSES):
        with pytest.raises(ConfigError, match=model_type):
            vlmevalkit_config(Path("/models/mine"), model_type, "mine", [], SETTINGS)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("mine", ["MathVista_Mini"], "did you mean 'MathVista_MINI'"),
        ("mine", ["="], "isn't known"),
        ("me/mine", [], "--name"),
    ],
)
def test_names_that_vlmevalkit_could_not_use_are_refused(name, data, said):
    with pytest.raises(ConfigError, match=said):
        vlmevalkit_config(Path("/models/mine"), "qwen3_vl", name, data, SETTINGS)


def test_another_benchmark_is_named_with_its_class():
    held = vlmevalkit_config(Path("/models/mine"), "qwen3_vl", "mine", ["VStarBench=ImageMCQDataset"], {})
    assert held["data"] == {"VStarBench": {"class": "ImageMCQDataset", "dataset": "VStarBench"}}
    assert len(DATA_CLASSES) > 15


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with a model of which only the file names count."""
    folder = tmp_path / "mine" / "model"
    folder.mkdir(parents=True)
    for file in ("tokenizer.json", "model.safetensors"):
        (folder / file).write_text("{}")
    (folder / "config.json").write_text('{"model_type": "qwen3_vl"}')
    asked = {"data": "quickstart", "system_prompt": "Look closely.", "eval": {"sampling": {"max_tokens": 32}}}
    (tmp_path / "mine" / "run.yaml").write_text(yaml.safe_dump(asked))
    return tmp_path / "mine"


def test_the_model_is_asked_as_its_run_asked_it(run, tmp_path):
    out = tmp_path / "kit" / "mine.json"
    shown = CliRunner().invoke(app, ["export", "vlmevalkit", str(run), str(out), "--max-pixels", "9216"])
    assert shown.exit_code == 0, shown.output
    assert f"python run.py --config {out}" in shown.output
    config = json.loads(out.read_text())
    assert config["model"]["mine"] == {
        "class": "Qwen3VLChat",
        "model_path": str(run / "model"),
        "min_pixels": 2304,
        "max_pixels": 9216,
        "system_prompt": "Look closely.",
        "max_new_tokens": 32,
    }
    assert list(config["data"]) == ["MMMU_DEV_VAL", "MathVista_MINI"]
    again = CliRunner().invoke(app, ["export", "vlmevalkit", str(run), str(out)])
    assert isinstance(again.exception, ConfigError)
    assert "is there already" in str(again.exception)


def test_what_a_class_does_not_read_is_said_and_a_model_without_a_run_has_no_settings(run, tmp_path):
    (run / "model" / "config.json").write_text('{"model_type": "paligemma"}')
    shown = CliRunner().invoke(app, ["export", "vlmevalkit", str(run), str(tmp_path / "a.json")])
    assert "not read by PaliGemma, so not in it: system_prompt 'Look closely.'" in shown.output
    (run / "run.yaml").unlink()
    shown = CliRunner().invoke(app, ["export", "vlmevalkit", str(run / "model"), str(tmp_path / "b.json")])
    assert "no run lies around the model" in shown.output
    assert json.loads((tmp_path / "b.json").read_text())["model"] == {
        "model": {"class": "PaliGemma", "model_path": str(run / "model")}
    }


@pytest.mark.parametrize("spoil", ["recipe", "weights", "model"])
def test_a_run_that_cannot_be_exported_is_refused_and_nothing_is_written(run, tmp_path, spoil):
    if spoil == "recipe":
        (run / "run.yaml").write_text((run / "run.yaml").read_text().replace("quickstart", "gone.yaml"))
    else:
        (run / "model" / {"weights": "model.safetensors", "model": "config.json"}[spoil]).unlink()
    shown = CliRunner().invoke(app, ["export", "vlmevalkit", str(run), str(tmp_path / "c.json")])
    assert isinstance(shown.exception, VlrlError)
    assert not (tmp_path / "c.json").exists()

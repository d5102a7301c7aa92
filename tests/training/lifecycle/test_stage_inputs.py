"""A run's order and everything that it reads are looked at before a model is loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from vlrl.config import load_settings
from vlrl.errors import ConfigError, DataError
from vlrl.training.lifecycle.stage_inputs import LEAVES, check_inputs
from vlrl.training.run import WORK, start_run
from vlrl.training.run_settings import LEARNING, STAGES, RunSettings
from vlrl.training.session import open_session

CONFIG = "configs/quickstart.yaml"


def settings(*overrides: str) -> RunSettings:
    return load_settings(RunSettings, CONFIG, overrides)


@pytest.fixture
def unloaded(monkeypatch):
    """No model may be loaded."""

    def refuse(*_):
        raise AssertionError("a model is loaded")

    monkeypatch.setattr(open_session, "load_model", refuse)
    monkeypatch.setattr(open_session, "load_folder", refuse)


@pytest.mark.parametrize(
    ("given", "remedy"), [("[rl, sft]", "[sft, rl]"), ("[rl, dpo, eval]", "[dpo, rl, eval]"), ("[rl, rl]", "[rl]")]
)
def test_stages_in_another_order_are_refused(given, remedy):
    with pytest.raises(ConfigError) as caught:
        settings(f"stages={given}", "dpo.pairs=x.jsonl")
    assert caught.value.place == f"{CONFIG}, stages"
    assert given in caught.value.problem
    assert remedy in caught.value.remedy


def test_every_stage_that_leaves_something_has_its_place():
    assert [stage for stage in STAGES if stage in WORK] == list(WORK) == list(LEAVES)
    assert set(LEARNING) == set(LEAVES) - {"record"}
    assert settings(f"stages=[{', '.join(STAGES)}]", "dpo.pairs=x", "record={teacher: {path: x}}").stages == STAGES


@pytest.mark.parametrize(
    ("given", "place"),
    [
        (["stages=[sft, dpo]", "dpo.pairs=gone.jsonl"], "dpo.pairs"),
        (["stages=[distil]", "distil.records=gone"], "distil.records"),
        (["stages=[sft, record]", "record.teacher.path=./gone"], "record.teacher.path"),
        (["rl.teacher.path=tests/gone", "rl.credit.token_credit=[opd]"], "rl.teacher.path"),
        (["rl.previous.path=/no/gone", "rl.credit.shape=[{name: retention, weight: 0.3}]"], "rl.previous.path"),
        (["model.build=null", "model.path=./gone"], "model.path"),
    ],
)
def test_what_is_not_there_is_found_before_the_first_stage(given, place, tmp_path, unloaded):
    folder = tmp_path / "run"
    with pytest.raises(ConfigError) as caught:
        start_run(Path(CONFIG), [*given, f"run_folder={folder}"])
    assert caught.value.place.endswith(place)
    assert "gone" in caught.value.problem
    assert caught.value.remedy
    assert not folder.exists()


def test_what_is_there_or_will_be_or_was_read_is_not_missed(tmp_path):
    pairs, folder = tmp_path / "pairs.jsonl", tmp_path / "run"
    with_pairs = settings("stages=[dpo]", f"dpo.pairs={pairs}", f"run_folder={folder}")
    with pytest.raises(ConfigError):
        check_inputs(with_pairs)
    check_inputs(with_pairs, finished=["dpo"])
    check_inputs(with_pairs, promised=[tmp_path])
    pairs.touch()
    check_inputs(with_pairs)
    records = tmp_path / "records"
    records.mkdir()
    (records / "teacher.json").write_text("{}")
    check_inputs(settings("stages=[distil]", f"distil.records={records}"))
    hub = settings("rl.teacher.path=owner/name", "rl.credit.token_credit=[opd]")
    with pytest.raises(ConfigError, match="owner/name"):  # no hub has it, and without network none is reached
        check_inputs(hub)


def test_a_model_of_an_earlier_stage_of_the_run_may_be_read_but_no_later_one(tmp_path):
    folder = tmp_path / "run"
    more = ["rl.credit.shape=[{name: retention, weight: 0.3}]", f"run_folder={folder}"]
    check_inputs(settings(f"rl.previous.path={folder}/model_sft", *more))
    with pytest.raises(ConfigError, match="model_sft"):
        check_inputs(settings(f"rl.previous.path={folder}/model_sft", "stages=[rl]", *more))
    with pytest.raises(ConfigError, match="no such folder"):
        check_inputs(settings(f"rl.previous.path={folder}/model", *more))


def test_sources_that_weights_can_not_read_are_found_before_a_model_is_loaded(tmp_path, unloaded):
    rows = [{"question": f"{i}?", "answer": str(i)} for i in range(40)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = {"name": "rows", "kind": "file", "path": "rows.jsonl", "modality": "text", "verifier": "number"}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({"sources": [source]}))
    given = [f"data={tmp_path}/recipe.yaml", f"run_folder={tmp_path}/run", "stages=[rl]"]
    with pytest.raises(DataError, match="no difficulty"):
        start_run(Path(CONFIG), [*given, "rl.problem_sampler.weights=[easy_to_hard]"])
    with pytest.raises(ConfigError, match="rendered twins, and validation holds none"):
        start_run(Path(CONFIG), [*given, "rl.problem_sampler.modality_gap={}"])
    assert not (tmp_path / "run").exists()

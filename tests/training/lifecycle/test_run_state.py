"""What a run remembers of its finished stages, from one call to the next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vlrl.runlog.atomic_files import file_digest
from vlrl.training.lifecycle.run_state import RunState
from vlrl.training.run_settings import RunSettings


@pytest.fixture
def settings() -> RunSettings:
    return RunSettings(name="a", data="r.yaml", model={"build": "tiny-qwen3-vl"}, stages=("sft", "rl", "eval"))


@pytest.fixture
def done(tmp_path: Path, settings: RunSettings) -> RunState:
    (tmp_path / "model_sft").mkdir()
    (tmp_path / "model_sft" / "weights").write_bytes(b"w")
    (tmp_path / "answers_sft.jsonl").write_text("{}\n")
    state = RunState(tmp_path, settings)
    state.results["sft"] = {"average": 0.5}
    state.finish("sft", {"sft": 2.0})
    return state


def test_a_second_call_knows_what_the_first_has_done(done, settings):
    again = RunState(done.folder, settings)
    assert (again.finished, again.results, again.seconds) == (["sft"], {"sft": {"average": 0.5}}, {"sft": 2.0})
    assert [again.has("sft"), again.has("rl"), again.sealed] == [True, False, False]
    assert again.model_folder() == done.folder / "model_sft"
    left = {"model_sft/weights", "answers_sft.jsonl"}
    assert again.left == {name: file_digest(done.folder / name) for name in left}


def test_a_run_without_a_finished_stage_has_no_model_to_go_on_from(tmp_path, settings):
    assert RunState(tmp_path, settings).model_folder() is None


def test_the_model_of_the_latest_stage_is_gone_on_from(done, settings):
    done.finish("rl", {})
    assert RunState(done.folder, settings).model_folder() == done.folder / "model"


def test_what_is_forgotten_is_undone_on_disk_with_the_files_that_are_gone(done, settings):
    done.seal()
    (done.folder / "model_sft" / "weights").unlink()
    done.forget({"sft"}, {"sft"})
    again = RunState(done.folder, settings)
    assert (again.finished, again.results, again.sealed) == ([], {}, False)
    assert set(again.left) == {"answers_sft.jsonl"}


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_state_counts_as_none(done, settings, capsys, damage):
    file = done.folder / "state.json"
    values = json.loads(file.read_bytes())
    file.write_text(file.read_text()[:-5] if damage == "cut" else json.dumps({**values, "finished": ["sft", "rl"]}))
    again = RunState(done.folder, settings)
    assert (again.finished, again.results, again.seconds, again.left) == ([], {}, {}, {})
    assert "is damaged" in capsys.readouterr().out

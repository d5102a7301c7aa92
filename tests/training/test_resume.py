"""A killed run continues where it stopped and writes what an uninterrupted one would have written."""

import json
import shutil

import pytest
import torch
from resumed_runs import CONFIG, Killed, lines, overrides
from safetensors.torch import load_file

from vlrl.config import load_settings
from vlrl.errors import DataError, RunError
from vlrl.runlog import atomic_files
from vlrl.runlog.run_folder import SCHEMA, RunFolder, read_jsonl
from vlrl.training import rl, sft
from vlrl.training.lifecycle.checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from vlrl.training.lifecycle.run_state import RunState
from vlrl.training.monitoring.data_overlap import overlap_account
from vlrl.training.run import start_run
from vlrl.training.run_settings import RunSettings


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run that nothing interrupts."""
    folder = tmp_path_factory.mktemp("resume") / "whole"
    start_run(CONFIG, overrides(folder))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "phase", "step"), [(sft, "sft", 3), (rl, "rl", 1), (rl, "rl", 5)])
def test_a_killed_run_writes_in_the_end_what_an_uninterrupted_one_writes(
    tmp_path, whole, monkeypatch, stage, phase, step
):
    metrics = RunFolder.metrics

    def until(self, of, number, values):
        record = metrics(self, of, number, values)
        if of == phase and number == step:
            with open(self.path / "metrics.jsonl", "a") as file:
                file.write('{"schema": 1, "torn')
            raise Killed
        return record

    monkeypatch.setattr(RunFolder, "metrics", until)
    with pytest.raises(Killed):
        start_run(CONFIG, overrides(tmp_path / "killed"))
    monkeypatch.undo()
    killed = tmp_path / "killed"
    start_run(CONFIG, overrides(killed))
    assert lines(killed) == lines(whole)
    assert lines(killed, "rollouts.jsonl") == lines(whole, "rollouts.jsonl")
    assert overlap_account(killed) == overlap_account(whole)
    results = [json.loads((folder / "results.json").read_text())["rl"] for folder in (whole, killed)]
    assert results[0] == results[1]
    assert [f.name for f in sorted(whole.glob("model_step_*"))] == ["model_step_3"]  # 6 is model/
    at = [load_file(folder / "model_step_3/model.safetensors") for folder in (whole, killed)]
    assert all(torch.allclose(at[0][name], at[1][name]) for name in at[0])


class Held:
    def __init__(self, value):
        self.value = value

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]


def test_a_checkpoint_is_whole_or_absent(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, 1, {"part": Held(1)})

    def killed(*args):
        raise Killed

    monkeypatch.setattr(atomic_files.os, "replace", killed)
    with pytest.raises(Killed):
        save_checkpoint(tmp_path, 2, {"part": Held(2)})
    monkeypatch.undo()
    held = Held(0)
    assert load_checkpoint(latest_checkpoint(tmp_path), {"part": held}) == 1
    assert held.value == 1
    save_checkpoint(tmp_path, 2, {"part": Held(2)})
    assert load_checkpoint(latest_checkpoint(tmp_path), {"part": held}) == 2


def test_a_kill_while_an_old_checkpoint_is_removed_leaves_no_half_one(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, 1, {"part": Held(1)}, keep=1)
    removed = shutil.rmtree

    def killed(folder, **kwargs):
        if not kwargs:
            (folder / "checkpoint.json").unlink()
            raise Killed
        removed(folder, **kwargs)

    monkeypatch.setattr(atomic_files.shutil, "rmtree", killed)
    with pytest.raises(Killed):
        save_checkpoint(tmp_path, 2, {"part": Held(2)}, keep=1)
    monkeypatch.undo()
    assert load_checkpoint(latest_checkpoint(tmp_path), {"part": Held(0)}) == 2


def test_a_checkpoint_of_other_parts_is_refused(tmp_path):
    save_checkpoint(tmp_path, 1, {"part": Held(1)})
    with pytest.raises(RunError, match="fresh"):
        load_checkpoint(latest_checkpoint(tmp_path), {"another": Held(0)})


def a_run_of_a_pool(folder, **engine):
    return load_settings(
        RunSettings, CONFIG, [f"run_folder={folder}", f"engine={json.dumps({'name': 'ray', 'actors': 2, **engine})}"]
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"actors": 5, "address": "auto", "resize_file": "actors", "resources_per_actor": {"rollout": 1}},
        {"object_store_gib": 1.5, "tries": 9},
    ],
)
def test_a_run_goes_on_with_a_pool_of_another_size_or_place(tmp_path, changed):
    RunFolder(tmp_path, a_run_of_a_pool(tmp_path).model_dump(mode="json"), [])
    RunState(tmp_path, a_run_of_a_pool(tmp_path, **changed))


@pytest.mark.parametrize("changed", [{"engine": {"name": "vllm"}}, {"engine": {"decode_step": "model"}}])
def test_what_changes_responses_is_refused_in_a_pool_too(tmp_path, changed):
    RunFolder(tmp_path, a_run_of_a_pool(tmp_path).model_dump(mode="json"), [])
    with pytest.raises(RunError, match=r"engine\.engine"):
        RunState(tmp_path, a_run_of_a_pool(tmp_path, **changed))


def test_a_torn_last_line_is_cut_and_another_schema_refused(tmp_path):
    first = RunFolder(tmp_path, {"seed": 0})
    first.metrics("rl", 1, {"accuracy/mean": 0.5})
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"schema": 1, "ph')
    RunFolder(tmp_path, {"seed": 0}).metrics("rl", 2, {"accuracy/mean": 0.6})
    assert [r["step"] for r in read_jsonl(tmp_path / "metrics.jsonl")] == [1, 2]
    (tmp_path / "metrics.jsonl").write_text(json.dumps({"schema": SCHEMA + 1}) + "\n")
    with pytest.raises(RunError, match="schema"):
        list(read_jsonl(tmp_path / "metrics.jsonl"))


def test_a_fresh_start_that_fails_at_once_keeps_the_old_run(tmp_path):
    folder = tmp_path / "run"
    start_run(CONFIG, [*overrides(folder), "stages=[prepare]"])
    before = sorted(f.name for f in folder.rglob("*"))
    with pytest.raises(DataError, match="context"):
        start_run(CONFIG, [*overrides(folder), "model.context=12"], fresh=True)
    assert sorted(f.name for f in folder.rglob("*")) == before
    assert [f.name for f in tmp_path.iterdir()] == ["run"]

"""What a stage's steps leave behind, and where the stage goes on from."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from vlrl import interrupts
from vlrl.errors import NonFiniteError, RunError
from vlrl.runlog.run_folder import RunFolder, read_jsonl
from vlrl.training.session import step_recorder as module
from vlrl.training.session.run_context import RunContext
from vlrl.training.session.step_recorder import StepRecorder


class Weights:
    """A policy of one weight."""

    def __init__(self, value: float) -> None:
        self.value = torch.tensor([value])

    def weights(self):
        yield "weight", self.value

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]


@pytest.fixture
def opened(tmp_path):
    """A recorder of a stage of SFT, what it says, and how often features were forgotten."""
    said, forgotten = [], []
    progress = SimpleNamespace(say=said.append, start=lambda *rest: None, step=lambda *rest: None)
    run = RunFolder(tmp_path, {}, say=said.append)
    model = SimpleNamespace(forget_features=lambda: forgotten.append(1))
    return StepRecorder(RunContext(SimpleNamespace(), run, progress), model, "sft"), said, forgotten


def test_a_stage_begins_at_step_0_and_goes_on_behind_its_checkpoint_with_what_was_logged_before_it(opened, tmp_path):
    recorder, said, _ = opened
    assert recorder.latest_checkpoint() is None
    assert recorder.resume(None, {}, 5) == 0
    for step in recorder.steps(0, 3):
        recorder.metrics(step, {"loss/total": float(step)})
        recorder.checkpoint(step, {"policy": Weights(step)}, due=step == 1, last=False)
    found, parts = recorder.latest_checkpoint(), {"policy": Weights(9.0)}
    assert recorder.resume(found, parts, 5) == 2
    assert float(parts["policy"].value) == 1.0
    assert [line["step"] for line in read_jsonl(tmp_path / "metrics.jsonl")] == [1, 2]
    assert f"resumed from {found}" in said


def test_a_checkpoint_behind_the_end_of_the_stage_is_refused(opened):
    recorder, _, _ = opened
    recorder.checkpoint(4, {"policy": Weights(1.0)}, due=True, last=True)
    with pytest.raises(RunError, match="behind the stage's end, step 3"):
        recorder.resume(recorder.latest_checkpoint(), {"policy": Weights(0.0)}, 3)


def test_the_step_that_is_made_is_known_for_errors(opened):
    recorder, _, _ = opened
    assert [recorder.context.at for _ in recorder.steps(3, 5)] == ["sft, step 4", "sft, step 5"]


def test_no_checkpoint_holds_weights_that_are_not_finite(opened):
    recorder, _, _ = opened
    with pytest.raises(NonFiniteError, match="weight"):
        recorder.checkpoint(0, {"policy": Weights(float("nan"))}, due=True, last=False)
    recorder.checkpoint(0, {"policy": Weights(float("nan"))}, due=False, last=False)
    assert recorder.latest_checkpoint() is None


def test_a_signal_saves_out_of_turn_and_keeps_features_and_the_last_step_ends_by_itself(opened, monkeypatch):
    recorder, _, forgotten = opened
    monkeypatch.setattr(module.interrupts, "wanted", lambda: True)
    with pytest.raises(interrupts.Stopped, match="sft step 3 is saved in"):
        recorder.checkpoint(2, {"policy": Weights(1.0)}, due=False, last=False)
    assert recorder.latest_checkpoint().name == "step_000003"
    assert forgotten == []
    recorder.checkpoint(4, {"policy": Weights(1.0)}, due=True, last=True)
    assert forgotten == [1]

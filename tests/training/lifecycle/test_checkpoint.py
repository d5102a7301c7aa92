"""The newest whole checkpoint is taken, damaged ones are named, and none holds weights that aren't finite."""

from __future__ import annotations

import json

import pytest
import torch

from vlrl.errors import RunError, storage_error
from vlrl.training.lifecycle import checkpoint
from vlrl.training.lifecycle.checkpoint import (
    damage_of,
    latest_checkpoint,
    load_checkpoint,
    newest_step,
    save_checkpoint,
)


class Held:
    def __init__(self, value=0, weight=1.0):
        self.value, self.weight = value, torch.full((64,), weight)

    def state_dict(self):
        return {"value": self.value, "weight": self.weight}

    def load_state_dict(self, state):
        self.value = state["value"]


@pytest.fixture
def three(tmp_path):
    for step in (2, 4, 6):
        save_checkpoint(tmp_path, step, {"policy": Held(step), "mixture": Held(step)}, keep=3)
    return tmp_path


def flip(file):
    data = bytearray(file.read_bytes())
    for place in range(len(data) // 2, len(data) // 2 + 16):
        data[place] ^= 255
    file.write_bytes(bytes(data))


DAMAGES = {
    "cut off": (lambda one: (one / "policy.pt").write_bytes((one / "policy.pt").read_bytes()[:99]), "has 99 bytes of"),
    "flipped": (lambda one: flip(one / "policy.pt"), "contents of policy.pt have changed"),
    "flipped elsewhere": (lambda one: flip(one / "mixture.pt"), "contents of mixture.pt have changed"),
    "missing": (lambda one: (one / "mixture.pt").unlink(), "mixture.pt is missing"),
    "empty folder": (lambda one: [file.unlink() for file in one.iterdir()], "it has no checkpoint.json"),
    "torn card": (lambda one: (one / "checkpoint.json").write_text('{"sch'), "checkpoint.json can't be read"),
    "card of another thing": (lambda one: (one / "checkpoint.json").write_text("[]"), "checkpoint.json can't be read"),
    "former schema": (lambda one: (one / "checkpoint.json").write_text('{"schema": 1, "parts": []}'), "of schema 1"),
}


@pytest.mark.parametrize(("damage", "said"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_passed_over_by_name_for_the_newest_whole_one(three, damage, said):
    damage(three / "step_000006")
    lines: list[str] = []
    held = Held()
    assert load_checkpoint(latest_checkpoint(three, lines.append), {"policy": held, "mixture": Held()}) == 4
    assert held.value == 4
    assert len(lines) == 1
    assert "step_000006" in lines[0]
    assert said in lines[0]
    for step in (2, 4):
        damage(three / f"step_{step:06d}")
    with pytest.raises(RunError, match="none of its checkpoints is whole") as raised:
        latest_checkpoint(three, lines.append)
    assert said in str(raised.value)
    assert "move the folder away" in raised.value.remedy


def test_going_on_from_an_older_one_never_drops_the_whole_ones(three):
    for step in (4, 6):
        (three / f"step_{step:06d}" / "policy.pt").unlink()
    save_checkpoint(three, 3, {"policy": Held(3), "mixture": Held(3)})
    assert latest_checkpoint(three, lambda text: None).name == "step_000003"
    assert sorted(one.name for one in three.iterdir()) == ["step_000002", "step_000003"]


def test_an_older_one_is_taken_where_a_log_is_damaged_and_there_is_one(three):
    assert latest_checkpoint(three, before=5).name == "step_000004"
    assert latest_checkpoint(three, before=1).name == "step_000006"


def test_what_is_no_checkpoint_is_left_alone(three):
    (three / "step_backup").mkdir()
    (three / ".step_000008.tmp").mkdir()
    (three / ".step_000002.old").mkdir()
    assert latest_checkpoint(three).name == "step_000006"
    assert newest_step(three) == 6
    assert sorted(one.name for one in three.glob(".*")) == []
    assert (three / "step_backup").is_dir()
    assert latest_checkpoint(three / "nothing") is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_never_written(three, value):
    with pytest.raises(RunError, match=r"step 8, weight.*not finite"):
        save_checkpoint(three, 8, {"policy": Held(8, value), "mixture": Held()})
    assert sorted(one.name for one in three.iterdir()) == ["step_000002", "step_000004", "step_000006"]
    save_checkpoint(three, 8, {"policy": Held(8), "mixture": Held(0, value)})  # of the weights alone


def test_a_full_disk_leaves_the_earlier_ones_and_says_which_file(three, monkeypatch):
    class Full(checkpoint._Counted):
        def write(self, data):
            with self._kept():
                if self.size > 200:
                    raise OSError(28, "No space left on device")
            return super().write(data)

    monkeypatch.setattr(checkpoint, "_Counted", Full)
    with pytest.raises(OSError) as raised:  # noqa: PT011
        save_checkpoint(three, 8, {"policy": Held(8), "mixture": Held(8)})
    said = storage_error(raised.value)
    assert said is not None
    assert "step_000008" in said.place
    assert [damage_of(one) for one in sorted(three.iterdir())] == [None, None, None]


def test_the_card_has_size_and_digest_of_every_file(three):
    card = json.loads((three / "step_000006/checkpoint.json").read_text())
    assert {name: held["bytes"] for name, held in card["files"].items()} == {
        one.name: one.stat().st_size for one in (three / "step_000006").glob("*.pt")
    }

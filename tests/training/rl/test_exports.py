"""Models of earlier steps: what is written is known by its digests, and what is damaged later is told by name."""

from __future__ import annotations

import pytest

from vlrl.training.rl.exports import Exports


class Policy:
    """Saves two files of its own step."""

    def __init__(self, step):
        self.step = step

    def save(self, folder):
        folder.mkdir()
        (folder / "config.json").write_text(f"{{}} {self.step}")
        (folder / "model.safetensors").write_bytes(bytes([self.step]) * 9)


@pytest.fixture
def exported(tmp_path):
    (tmp_path / "run_card.json").write_text("{}")  # a model's card is made of it
    exports = Exports(tmp_path, lambda line: None)
    for step in (2, 4):
        exports.save(Policy(step), step)
    return tmp_path, exports.state_dict()


def said_after(folder, state):
    said = []
    Exports(folder, said.append).load_state_dict(state)
    return said


def test_whole_exports_are_not_spoken_of(exported):
    folder, state = exported
    assert said_after(folder, state) == []
    assert sorted(state["files"]) == [
        "model_step_2/config.json", "model_step_2/model.safetensors", "model_step_4/config.json",
        "model_step_4/model.safetensors",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["model_step_2/config.json", "model_step_4/model.safetensors"])
@pytest.mark.parametrize(("damage", "what"), [(None, "is missing"), (b"\0", "has changed since it was written")])
def test_a_damaged_file_of_an_export_is_told_by_its_name_and_no_other(exported, name, damage, what):
    folder, state = exported
    if damage is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(damage)
    (line,) = said_after(folder, state)
    assert line.startswith(f"{folder / name} {what}: ")


def test_what_was_known_before_the_break_is_still_known_after_the_next(exported):
    folder, state = exported
    again = Exports(folder, lambda line: None)
    again.load_state_dict(state)
    again.save(Policy(6), 6)
    assert len(again.state_dict()["files"]) == 6

"""Files and folders are whole or absent, whatever breaks a write off."""

from __future__ import annotations

import os
import stat

import pytest
from safetensors.numpy import save_file

from vlrl.errors import StorageError, storage_error
from vlrl.runlog import atomic_files
from vlrl.runlog.atomic_files import sweep, whole_folder, write_atomically


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
@pytest.mark.parametrize("kind", [OSError, KeyboardInterrupt])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch, call, kind):
    error = kind(28, "No space left on device")
    file = tmp_path / "state.json"
    write_atomically(file, "old")

    class Full:
        def __init__(self, *given):
            self.file = open(*given)  # noqa: SIM115

        def __enter__(self):
            return self

        def __exit__(self, *given):
            self.file.close()

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, data):
            self.file.write(data[:2])
            raise error

    def fails(*given):
        raise error

    if call == "write":
        monkeypatch.setattr(atomic_files, "open", Full, raising=False)
    else:
        monkeypatch.setattr(atomic_files.os, call, fails)
    with pytest.raises(kind) as raised:
        write_atomically(file, "new content")
    monkeypatch.undo()
    assert file.read_text() == "old"
    assert names(tmp_path) == ["state.json"]
    if isinstance(error, OSError):
        said = storage_error(raised.value)
        assert isinstance(said, StorageError)
        assert said.exit_code == 1
        assert str(file) in said.place
        assert "make room" in said.remedy


def test_a_folder_takes_the_place_of_the_old_one_when_it_is_whole(tmp_path):
    with whole_folder(tmp_path / "model") as place:
        (place / "weights").write_text("1")
    with pytest.raises(IsADirectoryError), whole_folder(tmp_path / "model") as place:
        place.write_text("2")
    assert (tmp_path / "model/weights").read_text() == "1"
    with whole_folder(tmp_path / "model") as place:
        (place / "other").write_text("3")
    assert names(tmp_path / "model") == ["other"]
    assert names(tmp_path) == ["model"]


def test_files_of_a_folder_have_the_mode_of_ordinary_files(tmp_path):
    import numpy as np

    before = os.umask(0o027)
    try:
        with whole_folder(tmp_path / "model") as place:
            save_file({"a": np.zeros(2)}, place / "model.safetensors")
            (place / "model.safetensors").chmod(0o600)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "model/model.safetensors").stat().st_mode) == 0o640


def test_what_broken_off_writes_left_is_swept_and_nothing_else(tmp_path):
    for name in (".state.json.tmp", ".model.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    mine = [".hidden", ".mine.old", ".notes.tmp", "notes.tmp", "old", "state.json"]
    for name in mine:
        (tmp_path / name).touch()
    sweep(tmp_path, ["state.json", "model", "model_step_[0-9]*"])
    assert names(tmp_path) == mine


def test_an_error_that_a_library_wraps_is_still_the_systems():
    class SafetensorError(Exception):
        pass

    said = storage_error(SafetensorError("I/O error: No space left on device (os error 28)"))
    assert said is not None
    assert "no space" in said.problem
    wrapped = RuntimeError("writing the archive failed")
    wrapped.__cause__ = PermissionError(13, "Permission denied", "/data/run")
    said = storage_error(wrapped)
    assert said is not None
    assert said.place == "/data/run"
    assert storage_error(ValueError("another mistake")) is None


def test_errors_that_were_raised_from_each_other_are_looked_through_once():
    """As where a cause that was wrapped is raised again from its wrapper: the chain is a circle."""
    inner, outer = ValueError("inner"), RuntimeError("outer")
    inner.__cause__, outer.__cause__ = outer, inner
    assert storage_error(inner) is None

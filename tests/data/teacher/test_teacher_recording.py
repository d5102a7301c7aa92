"""Teacher records by pieces: a recording goes on where it was killed, takes nothing else, is whole at its end."""

from __future__ import annotations

import json

import pytest
from small_models import ask, pixels

from vlrl import dist
from vlrl.data.teacher.teacher_recording import TeacherRecording
from vlrl.data.teacher.teacher_records import RecordsHead, TeacherRecord, read_records
from vlrl.errors import DataError

HEAD = RecordsHead(tokenizer="t", teacher="big", writer="small", temperature=0.8)
FILES = ("problems.jsonl", "teacher.jsonl", "recording.json")


def piece(number: int) -> list[TeacherRecord]:
    """Two records; the second problem has an image."""
    problems = [ask(f"{number}+4=?"), ask(pixels(number), "Wie viele Ä?")]
    return [TeacherRecord(p, f"c{number}", (number, 7), (-1.0, -0.1), (-2.0, -0.3), (0.5, 0.25)) for p in problems]


def record(folder, names, whole=True):
    """All pieces by name; which of them had to be added."""
    recording, added = TeacherRecording(folder), []
    for name in names:
        if not recording.takes(name):
            added.append(name)
            recording.add(name, piece(int(name)))
    if whole:
        recording.finish(HEAD)
    return added


def contents(folder):
    return [(folder / name).read_bytes() for name in (*FILES, "teacher.json")]


def test_a_broken_off_recording_goes_on_and_is_the_same_in_the_end(tmp_path):
    record(tmp_path / "whole", "1234")
    assert record(tmp_path / "parts", "12", whole=False) == ["1", "2"]
    with pytest.raises(DataError, match=r"holds no teacher\.json"):
        read_records(tmp_path / "parts")
    assert record(tmp_path / "parts", "1234") == ["3", "4"]
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    head, found = read_records(tmp_path / "parts")
    assert head == HEAD
    assert [one.token_ids[0] for one in found] == [1, 1, 2, 2, 3, 3, 4, 4]
    assert [one.problem.id for one in found] == [one.problem.id for number in range(1, 5) for one in piece(number)]
    assert record(tmp_path / "parts", "1234") == [], "a finished one, too, is taken as it is"


def test_half_a_piece_is_cut_off(tmp_path):
    record(tmp_path / "whole", "123")
    record(tmp_path / "parts", "12", whole=False)
    for name in FILES[:2]:
        with open(tmp_path / "parts" / name, "a") as file:
            file.write('{"problem": "half of')
    assert record(tmp_path / "parts", "123") == ["3"]
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


@pytest.mark.parametrize("names", ["9123", "1923", "132", "1", "2"])
def test_from_the_first_piece_of_another_name_on_nothing_is_taken(tmp_path, names):
    record(tmp_path / "fresh", names)
    record(tmp_path / "parts", "123")
    assert record(tmp_path / "parts", names) == list(names[1:] if names[0] == "1" else names)
    assert contents(tmp_path / "parts") == contents(tmp_path / "fresh")


def test_a_kill_before_the_list_is_written_loses_that_piece_alone(tmp_path, monkeypatch):
    record(tmp_path / "whole", "193")
    record(tmp_path / "parts", "123")
    recording = TeacherRecording(tmp_path / "parts")
    assert [recording.takes(name) for name in "19"] == [True, False]
    recording._append(piece(9))  # and killed
    assert record(tmp_path / "parts", "193") == ["9", "3"]
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_a_piece_may_have_no_records(tmp_path):
    recording = TeacherRecording(tmp_path)
    recording.add("1", piece(1))
    recording.add("none", [])
    again = TeacherRecording(tmp_path)
    assert again.takes("1")
    assert again.takes("none")
    assert again.count == 2


def test_only_the_first_rank_writes_records(tmp_path, monkeypatch):
    monkeypatch.setattr(dist, "is_first", lambda: False)
    monkeypatch.setattr(dist, "from_first", lambda make: [])
    record(tmp_path, "12")
    assert not list(tmp_path.iterdir())


def test_files_that_lost_what_was_recorded_are_refused(tmp_path):
    record(tmp_path, "12", whole=False)
    (tmp_path / "teacher.jsonl").write_text("")
    with pytest.raises(DataError, match="has 0 bytes"):
        TeacherRecording(tmp_path)
    listed = json.loads((tmp_path / "recording.json").read_text())
    (tmp_path / "recording.json").write_text(json.dumps({**listed, "schema": 99}))
    with pytest.raises(DataError, match="another make"):
        TeacherRecording(tmp_path)

"""Damaged lines of a log are taken out by number; whole ones stay byte for byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlrl.errors import RunError
from vlrl.runlog.log_lines import SCHEMA, mend_jsonl, read_jsonl


def line(step, phase="rl", text="größer"):
    return (
        json.dumps({"schema": SCHEMA, "phase": phase, "step": step, "text": text}, ensure_ascii=False) + "\n"
    ).encode()


DAMAGES = {
    "garbage": b"garbage\n",
    "NUL": b"\0" * 40 + b"\n",
    "not UTF-8": line(3)[:-5].replace("ß".encode(), b"\xc3") + b'"}\n',
    "half a line": line(3)[:20] + b"\n",
    "two lines in one": line(3)[:-1] + line(4),
    "a number": b"7\n",
    "an empty line": b"\n",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_line_is_named_by_readers_and_taken_out_by_the_run(tmp_path, damage):
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(line(1) + line(2) + damage + line(5))
    with pytest.raises(RunError, match="line 3") as raised:
        list(read_jsonl(file))
    assert "call the run's command again" in raised.value.remedy
    said: list[str] = []
    assert mend_jsonl(file, said.append) == ("rl", 2)
    assert [f"{file}, line 3 is taken out" in one for one in said] == [True]
    assert file.read_bytes() == line(1) + line(2) + line(5)
    assert mend_jsonl(file, said.append) is None


def test_a_last_line_without_its_end_goes_in_silence_and_another_schema_is_refused(tmp_path):
    file = tmp_path / "metrics.jsonl"
    for end in range(len(line(2))):
        file.write_bytes(line(1) + line(2)[:end])
        said: list[str] = []
        assert mend_jsonl(file, said.append) is None
        assert (file.read_bytes(), said) == (line(1), [])
    file.write_bytes(b'{"schema": 99}\n')
    with pytest.raises(RunError, match="schema 99"):
        mend_jsonl(file, said.append)


@given(st.binary(max_size=60), st.integers(0, 3))
def test_whatever_stands_between_lines_the_whole_ones_stay(tmp_path_factory, noise, place):
    file = tmp_path_factory.mktemp("log") / "rollouts.jsonl"
    whole = [line(step) for step in range(1, 4)]
    file.write_bytes(b"".join([*whole[:place], noise.replace(b"\n", b""), b"\n", *whole[place:]]))
    try:
        mend_jsonl(file, lambda text: None)
    except RunError:
        return  # the noise is a record of another schema
    assert file.read_bytes() == b"".join(whole)
    assert [one["step"] for one in read_jsonl(file)] == [1, 2, 3]

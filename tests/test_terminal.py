"""Commands print whole lines without control characters wherever no terminal reads them, in any encoding."""

from __future__ import annotations

import fcntl
import io
import itertools
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading

import pytest

from vlrl import terminal
from vlrl.cli import main
from vlrl.terminal import WHOLE, console


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch):
    """`said("ascii", "configs")`: (exit code, stdout, stderr as bytes) of a command with streams of that encoding."""

    def call(encoding: str, *words: str) -> tuple[int, bytes, bytes]:
        streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
        code = 0
        with monkeypatch.context() as patched:
            patched.setattr(sys, "argv", ["vlrl", *words])
            patched.setattr(sys, "stdout", streams[0])
            patched.setattr(sys, "stderr", streams[1])
            try:
                main()
            except SystemExit as end:
                code = int(end.code or 0)
            for stream in streams:
                stream.flush()
            out, error = (stream.buffer.getvalue() for stream in streams)  # type: ignore[attr-defined]
        return code, out, error

    return call


@pytest.fixture(autouse=True)
def no_width(monkeypatch: pytest.MonkeyPatch):
    for name in ("COLUMNS", "LINES", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


PIPES = ({}, {"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}, {"CLICOLOR_FORCE": "1"})
WORDS = (("configs",), ("recipes",), ("data", "domains"))


# a plan takes most of the time, and its tables are printed as the others are
@pytest.mark.parametrize(("variables", "words"), [*itertools.product(PIPES, WORDS), ({}, ("plan", "quickstart"))])
def test_tables_in_a_pipe_are_whole_and_plain(said, monkeypatch, variables, words):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    code, out, error = said("utf-8", *words)
    assert code == 0, error
    text = out.decode()
    assert "\x1b" not in text
    assert "\r" not in text
    table = [line for line in text.splitlines() if line.startswith(("│", "┃"))]
    assert table
    assert not [line for line in table if "…" in line]  # what rich puts where it cuts
    assert max(map(len, table)) < WHOLE


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_stream_that_lacks_a_character_gets_its_escape(said, encoding):
    for words, wanted in ((("configs",), 0), (("data", "domains"), 0), (("run", "quikstart"), 2), (("plan", "ü→"), 2)):
        code, out, error = said(encoding, *words)
        assert code == wanted, error
        assert b"Traceback" not in error
        (out + error).decode(encoding)
    assert rb"\u2192" in error


def test_a_terminal_that_gives_no_width_cuts_no_table(monkeypatch):
    monkeypatch.setattr(terminal, "_columns", lambda: 0)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert console().width == WHOLE
    monkeypatch.setenv("COLUMNS", "60")
    assert console().width == 60


def test_a_terminal_gets_tables_of_its_own_width():
    code = (
        "from rich.table import Table; from vlrl.terminal import console; table = Table('a' * 30, 'b' * 90); "
        "console().print(table)"
    )
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    read: list[bytes] = []

    def drain() -> None:
        try:
            while data := os.read(leader, 4096):
                read.append(data)
        except OSError:  # the other side is closed
            pass

    reader = threading.Thread(target=drain)
    reader.start()
    environment = {**os.environ, "TERM": "xterm"}
    done = subprocess.run(
        [sys.executable, "-c", code], stdin=follower, stdout=follower, stderr=follower, env=environment, timeout=60
    )
    os.close(follower)
    reader.join(10)
    os.close(leader)
    assert done.returncode == 0
    lines = re.sub(r"\x1b\[[\d;]*m|\r", "", b"".join(read).decode()).splitlines()
    assert len(lines) == 4
    assert max(map(len, lines)) == 100

"""One process a run folder."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from vlrl.errors import RunError
from vlrl.training.lifecycle import run_lock
from vlrl.training.lifecycle.run_lock import FILE, locked

HOLDER = """
import sys, time
from pathlib import Path
from vlrl.training.lifecycle.run_lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_process_is_refused_with_the_firsts_name_and_a_dead_ones_lock_is_taken_over(tmp_path, holder):
    with pytest.raises(RunError) as raised, locked(tmp_path):
        pass
    said = str(raised.value)
    assert f"process {holder.pid} on host {socket.gethostname()}" in said
    assert "run_folder=" in said
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    lines: list[str] = []
    with locked(tmp_path, lines.append):
        assert json.loads((tmp_path / FILE).read_text())["pid"] == os.getpid()
    assert f"process {holder.pid}" in lines[0]
    assert not list(tmp_path.iterdir())


def test_one_process_can_not_hold_it_twice(tmp_path):
    with locked(tmp_path):
        with pytest.raises(RunError, match=f"process {os.getpid()}"), locked(tmp_path):
            pass
        (tmp_path / "link").symlink_to(tmp_path)
        with pytest.raises(RunError, match=f"process {os.getpid()}"), locked(tmp_path / "link"):
            pass
        held = subprocess.run([sys.executable, "-c", HOLDER, str(tmp_path)], capture_output=True, text=True)
        assert "RunError" in held.stderr  # looking at it has not let it go


def test_children_do_not_keep_the_lock_of_a_dead_process(tmp_path):
    forks = HOLDER.replace("    time.sleep(60)", "    import os\n    os.fork() or time.sleep(5)\n    os._exit(0)")
    done = subprocess.run([sys.executable, "-c", forks, str(tmp_path)], stdout=subprocess.DEVNULL)
    assert done.returncode == 0
    with locked(tmp_path, lambda text: None):
        pass


@pytest.mark.parametrize("text", ["", "{", '"x"', "{}", '{"pid": 7}', '{"host": null}'])
def test_a_damaged_lock_of_nobody_is_no_obstacle(tmp_path, monkeypatch, text):
    monkeypatch.setattr(run_lock, "_refuse_living", None)  # nobody waits for another host
    (tmp_path / FILE).write_text(text)
    with locked(tmp_path, lambda line: None):
        pass


def test_a_lock_of_another_host_is_refused_while_it_gives_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(run_lock, "SILENT_SECONDS", 0.8)
    file = tmp_path / FILE
    file.write_text(json.dumps({"pid": 7, "host": "elsewhere", "started": "2026-12-01 10:00:00"}))
    stop = threading.Event()

    def beat():
        while not stop.wait(0.1):
            os.utime(file)

    living = threading.Thread(target=beat)
    living.start()
    lines: list[str] = []
    with pytest.raises(RunError, match="process 7 on host elsewhere"), locked(tmp_path, lines.append):
        pass
    stop.set()
    living.join()
    assert "sign of life" in lines[0]
    with locked(tmp_path, lines.append):
        pass
    assert "elsewhere" in lines[-1]


def test_the_holder_gives_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(run_lock, "BEAT_SECONDS", 0.05)
    with locked(tmp_path):
        before = (tmp_path / FILE).stat().st_mtime_ns
        time.sleep(0.3)
        assert (tmp_path / FILE).stat().st_mtime_ns > before

"""A run while it goes on: each line once, half lines wait, an end is told, and nothing else is served."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import pytest
from rich.console import Console
from tests_report_fakes import HOSTILE

from vlrl.errors import ConfigError, RunError
from vlrl.report.watching.live_run import LiveRun, Tail
from vlrl.report.watching.terminal_view import course, plain, watch_in_terminal
from vlrl.report.watching.watch import watch_run
from vlrl.report.watching.watch_server import POLICY, Handler, WatchServer


def line(step: int, phase: str = "rl") -> str:
    return json.dumps({"schema": 2, "phase": phase, "step": step, "reward/mean": 0.1 * step}) + "\n"


@pytest.fixture
def run(fake_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fake_run, tmp_path / "run"))


@pytest.fixture
def server(run: Path) -> Iterator[WatchServer]:
    made = WatchServer(run, "127.0.0.1", 0)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    made.close()
    thread.join()


def events(server: WatchServer) -> Iterator[dict]:
    with urllib.request.urlopen(server.address + "events", timeout=20) as stream:
        for raw in stream:
            if raw.startswith(b"data: "):
                yield json.loads(raw[6:])


def test_each_line_comes_once_and_a_half_one_waits_for_its_end(tmp_path: Path):
    file = tmp_path / "metrics.jsonl"
    tail = Tail(file)
    assert tail.read() == (False, [])
    whole, seen = "".join(line(step) for step in range(20)).encode(), []
    for cut in range(0, len(whole), 37):  # as a slow disk may show it
        with open(file, "ab") as held:
            held.write(whole[cut : cut + 37])
        restarted, records = tail.read()
        assert not restarted
        seen += [record["step"] for record in records]
    assert seen == list(range(20))
    assert tail.read() == (False, [])


def test_damaged_lines_are_counted_and_a_rewritten_file_is_read_again(tmp_path: Path):
    file = tmp_path / "metrics.jsonl"
    file.write_text(line(1) + "nonsense\n" + "[1]\n" + line(2))
    tail = Tail(file)
    assert [r["step"] for r in tail.read()[1]] == [1, 2]
    assert tail.damaged == 2
    file.write_text(line(1))  # a resumed run takes steps back
    restarted, records = tail.read()
    assert restarted
    assert [r["step"] for r in records] == [1]
    file.unlink()
    assert tail.read() == (True, [])


def test_a_folder_that_vanishes_is_told_and_shown_again(run: Path):
    live = LiveRun(run)
    first = live.look()
    assert first.status["status"] == "finished"
    assert len(first.metrics) > 100
    assert 0 < len(first.groups) <= 40
    shutil.move(run, run.with_name("aside"))
    gone = live.look()
    assert gone.restarted
    assert (gone.status["status"], gone.metrics) == ("gone", ())
    shutil.move(run.with_name("aside"), run)
    assert len(live.look().metrics) == len(first.metrics)


def test_changes_arrive_while_the_run_goes_on(run: Path, server: WatchServer):
    stream = events(server)
    first = next(stream)
    with open(run / "metrics.jsonl", "a") as held:
        held.write(line(61)[:20])
        held.flush()
        time.sleep(1.2)
        held.write(line(61)[20:])
    second = next(stream)
    assert [record["step"] for record in second["metrics"]] == [61]
    assert second["groups"] == []
    assert first["status"]["name"] == "run"


def test_pages_and_images_are_served_and_nothing_else(run: Path, server: WatchServer):
    digest = next((run / "images").iterdir()).stem
    for path, kind in (("", "text/html"), ("watch.js", "text/javascript"), (f"image/{digest}", "image/png")):
        with urllib.request.urlopen(server.address + path) as answer:
            assert answer.headers["Content-Type"].startswith(kind)
            assert answer.headers["Content-Security-Policy"] == POLICY
    for path in (
        "run.yaml",
        "image/../run.yaml",
        "image/%2e%2e/run.yaml",
        "../run/run.yaml",
        f"image/{digest}.png",
        "image/x",
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(server.address + path)
        assert refused.value.code == 404
    elsewhere = urllib.request.Request(server.address + "events", headers={"Host": "attacker.example"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(elsewhere)
    assert refused.value.code == 403


def test_it_listens_on_loopback_and_a_port_in_use_is_refused(run: Path, server: WatchServer):
    assert server.server_address[0] == "127.0.0.1"
    with pytest.raises(ConfigError, match="can't be listened on"):
        WatchServer(run, "127.0.0.1", server.server_address[1])
    with pytest.raises(RunError, match="isn't there"):
        watch_run(run / "nowhere", False, "127.0.0.1", 0)


def test_the_terminal_obeys_nothing_that_a_model_wrote(run: Path, capsys: pytest.CaptureFixture[str]):
    assert plain("a\x1b[2Jb\u202e\r\x07") == "a·[2Jb···"
    assert course([0.0, 1.0, 2.0]) == "▁▅█"
    records = [json.loads(one) for one in (run / "rollouts.jsonl").read_text().splitlines()]
    records[-1]["rollouts"][0]["text"] = "\x1b]0;owned\x07[bold]x"
    with open(run / "rollouts.jsonl", "a") as held:
        held.write(json.dumps(records[-1]) + "\n")
    watch_in_terminal(run, Console(width=120, force_terminal=False))
    drawn = capsys.readouterr().out
    assert "\x1b]" not in drawn
    assert "[bold]x" in drawn
    assert "finished" in drawn
    assert "reward/mean" in drawn


class LoadsLate(Handler):
    """Keeps the page loading for two seconds, since a headless browser looks at it when it has loaded."""

    def do_GET(self) -> None:
        if self.path == "/late":
            time.sleep(2)
            self._answer(404, b"", "text/plain")
        elif self.path == "/watch.js":
            script = resources.files("vlrl.report.watching").joinpath("watch.js").read_bytes()
            self._answer(200, script + b"new Image().src = '/late';", "text/javascript")
        else:
            super().do_GET()


@pytest.mark.slow
def test_a_browser_draws_curves_and_rollouts_and_runs_no_script_of_a_model(
    run: Path, server: WatchServer, tmp_path: Path, program: Callable[[str], str]
):
    records = [json.loads(one) for one in (run / "rollouts.jsonl").read_text().splitlines()]
    records[-1]["rollouts"][0]["text"] = records[-1]["problem"]["answer"] = HOSTILE
    records[-1]["rollouts"] += [records[-1]["rollouts"][0]] * 2
    with open(run / "rollouts.jsonl", "a") as held:
        held.write(json.dumps(records[-1]) + "\n")
    with open(run / "metrics.jsonl", "a") as held:
        held.write(line(1, "alone"))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={tmp_path / 'profile'}"]
    flags += ["--dump-dom"]
    server.RequestHandlerClass = LoadsLate
    dom = subprocess.run(
        [program("chromium"), *flags, server.address], capture_output=True, text=True, timeout=120
    ).stdout
    assert "<title>run · vlrl watch</title>" in dom
    assert dom.count("<polyline") >= 8
    assert dom.count('<article class="group">') == 12
    assert "&lt;/script&gt;&lt;script&gt;" in dom
    assert "The run has ended." in dom
    assert re.search(r'<span class="verdict">[✓✗!] [a-z ]+ × 3</span>&lt;/script&gt;', dom)
    assert dom.count('class="dot-only"') == 1  # a curve of one point is seen

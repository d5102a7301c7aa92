"""Metrics to no tracker, and to wandb."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from vlrl.errors import ConfigError
from vlrl.report.trackers import tracker as module
from vlrl.report.trackers.tracker import NoTracker, open_tracker
from vlrl.report.trackers.wandb_tracker import WandbTracker


def test_none_keeps_metrics_in_the_run_folder(tmp_path: Path):
    tracker = open_tracker("none", tmp_path, {})
    assert isinstance(tracker, NoTracker)
    tracker.metrics("rl", 1, {"reward/mean": 0.5})
    tracker.finish()
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_tracker_is_refused_with_the_nearest_name(tmp_path: Path):
    with pytest.raises(ConfigError, match="did you mean 'wandb'"):
        open_tracker("wanbd", tmp_path, {})


def test_a_missing_wandb_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigError, match=r"pip install [\s\S]*\[wandb\]'"):
        open_tracker("wandb", tmp_path, {})


class FakeRun:
    def __init__(self, made: dict) -> None:
        self.made, self.lines, self.ended = made, [], None

    def define_metric(self, *args, **kwargs) -> None:
        pass

    def log(self, values: dict) -> None:
        self.lines.append(values)

    def finish(self, exit_code: int) -> None:
        self.ended = exit_code


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A stand-in that is logged in; `before` may raise or wait in `init`."""
    runs: list[FakeRun] = []
    fake = SimpleNamespace(api=SimpleNamespace(api_key="k"), runs=runs, before=lambda options: None)

    def init(**options) -> FakeRun:
        fake.before(options)
        runs.append(FakeRun(options))
        return runs[-1]

    fake.init = init
    monkeypatch.setitem(sys.modules, "wandb", fake)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setattr(module, "FINISH_SECONDS", 0.5)
    return fake


def tracked(folder: Path) -> None:
    tracker = open_tracker("wandb", folder, {"seed": 1})
    tracker.metrics("rl", 1, {"reward/mean": 0.5, "note": "a word"})
    tracker.finish()


def test_a_run_that_goes_on_is_one_run_of_the_tracker(tmp_path: Path, wandb: SimpleNamespace, capsys):
    tracked(tmp_path / "run")
    tracked(tmp_path / "run")
    tracked(tmp_path / "other")
    first, second, other = (one.made["id"] for one in wandb.runs)
    assert first == second != other
    assert {one.made["resume"] for one in wandb.runs} == {"allow"}
    assert wandb.runs[0].lines == [{"rl/step": 1, "rl/reward/mean": 0.5}]
    assert [one.ended for one in wandb.runs] == [0, 0, 0]
    assert capsys.readouterr().err == ""


def test_without_a_login_or_a_network_it_writes_offline_and_says_so_once(
    tmp_path: Path, wandb: SimpleNamespace, capsys
):
    wandb.api.api_key = None
    tracked(tmp_path / "run")
    assert wandb.runs[-1].made["mode"] == "offline"
    said = capsys.readouterr().err
    assert "not logged in" in said
    assert said.count("\n") == 1

    def no_network(options: dict) -> None:
        if options["mode"] == "online":
            raise ConnectionError("no route to host")

    wandb.api.api_key, wandb.before = "k", no_network
    tracked(tmp_path / "run")
    assert wandb.runs[-1].made["mode"] == "offline"
    assert "no route to host" in capsys.readouterr().err


def stop(options: dict) -> None:
    raise SystemExit("wandb: ERROR")


@pytest.mark.parametrize(("before", "said"), [(stop, "SystemExit"), (lambda options: time.sleep(5), "has not ended")])
def test_whatever_it_does_the_run_goes_on(tmp_path: Path, wandb: SimpleNamespace, capsys, before, said):
    wandb.before = before
    start = time.monotonic()
    tracked(tmp_path / "run")
    assert time.monotonic() - start < 4
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_wandb_offline_writes_into_the_run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    tracker = WandbTracker(tmp_path / "run", {"seed": 1, "loss": {"name": "kimi"}}, mode="offline")
    tracker.metrics("sft", 1, {"loss/total": 2.0})
    tracker.metrics("sft", 2, {"loss/total": 1.0, "note": "a word is no number"})
    tracker.metrics("rl", 1, {"reward/mean": 0.25})
    tracker.finish()
    written = list((tmp_path / "run" / "wandb").rglob("*.wandb"))
    assert len(written) == 1
    wanted = (b"sft/loss/total", b"rl/reward/mean", b"rl/step")
    data = b""
    for _ in range(100):  # wandb's own process writes the file a moment after `finish`, at the latest when Python ends
        data = written[0].read_bytes()
        if all(key in data for key in wanted):
            break
        time.sleep(0.1)
    assert all(key in data for key in wanted)
    assert b"a word is no number" not in data

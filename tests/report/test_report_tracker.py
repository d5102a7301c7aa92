"""Metrics to a tracker."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from vlrl.errors import ConfigError
from vlrl.report.tracker import NoTracker, open_tracker


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


@pytest.mark.slow
def test_wandb_offline_writes_into_the_run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    tracker = open_tracker("wandb", tmp_path / "run", {"seed": 1, "loss": {"name": "kimi"}}, mode="offline")
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

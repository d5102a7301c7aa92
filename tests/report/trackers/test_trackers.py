"""Every tracker: a library that raises at any call is told once and stops nothing; real ones write what they get."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image as PillowImage

from vlrl.report.trackers import tracker as module
from vlrl.report.trackers.tracker import TRACKERS, open_tracker
from vlrl.runlog.shown_rollouts import ShownRollout, as_markdown

NAMES = [name for name in TRACKERS if name != "none"]
MODULES = {name: name for name in NAMES} | {"tensorboard": "torch.utils.tensorboard"}
CALLS = ("start", "log", "show", "end", "image")


class Anything:
    """A library of which every name is there; the call that belongs to `breaks` raises."""

    WORDS = {  # noqa: RUF012
        "start": ("init", "SummaryWriter", "MlflowClient"),
        "log": ("log", "add_scalar", "log_metric"),
        "show": ("Table", "add_text", "Markdown", "Text", "log_text"),
        "image": ("Image", "add_image", "log_image"),
        "end": ("finish", "close", "set_terminated"),
    }

    def __init__(self, breaks: str, error: BaseException) -> None:
        self._breaks, self._error = breaks, error

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if name in self.WORDS.get(self._breaks, ()):
                raise self._error
            return "" if name == "api_key" else self

        return call

    def __str__(self) -> str:
        return "x"


@pytest.fixture
def shown(tmp_path: Path) -> list[ShownRollout]:
    PillowImage.new("RGB", (30, 20), (200, 10, 10)).save(tmp_path / "a.png")
    return [ShownRollout("<image>How many?", "7", "<script>alert(1)</script> ```7```", 1.0, True, tmp_path / "a.png")]


@pytest.mark.parametrize("error", [RuntimeError("no room"), SystemExit(3)], ids=["raises", "exits"])
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", NAMES)
def test_a_tracker_that_fails_anywhere_is_told_once(name, call, error, tmp_path, shown, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, MODULES[name], Anything(call, error))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("SWANLAB_MODE", "offline")
    tracker = open_tracker(name, tmp_path / "run", {"seed": 1})
    for step in range(3):
        tracker.metrics("rl", step, {"reward/mean": 0.5})
        tracker.rollouts("rl", step, shown)
    tracker.finish()
    said = capsys.readouterr().err
    assert said.count("tracker: ") == 1
    assert f"tracker: {name} failed" in said
    assert "metrics.jsonl" in said


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_library_names_the_extra_that_has_it(name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, MODULES[name], None)
    with pytest.raises(module.ConfigError, match=rf"\[{name}\]"):
        open_tracker(name, tmp_path, {})


def test_only_numbers_are_metrics(tmp_path, monkeypatch):
    lines: list[Any] = []
    writer = SimpleNamespace(
        add_scalar=lambda *line: lines.append(line), flush=lambda: None, close=lambda: None, add_text=None
    )
    monkeypatch.setitem(sys.modules, MODULES["tensorboard"], SimpleNamespace(SummaryWriter=lambda log_dir: writer))
    tracker = open_tracker("tensorboard", tmp_path, {})
    tracker.metrics("rl", 2, {"a": 1, "b": 0.5, "c": "word", "d": None, "e": True})
    tracker.finish()
    assert lines == [("rl/a", 1, 2), ("rl/b", 0.5, 2)]


def test_what_a_model_writes_is_quoted_as_code(shown):
    text = as_markdown(shown)
    fence = "````"
    assert f"{fence}\n{shown[0].response}\n{fence}" in text
    assert text.count(fence) == 4


def test_an_image_that_is_no_image_is_left_out(tmp_path):
    (tmp_path / "b.png").write_bytes(b"\x89PNG broken")
    assert ShownRollout("q", "a", "r", 0.0, False, tmp_path / "b.png").pixels() is None


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "trackio", "swanlab"])
def test_the_library_itself_writes_numbers_and_rollouts(name, tmp_path, shown, monkeypatch, capsys):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    monkeypatch.setenv("SWANLAB_SAVE_DIR", str(tmp_path / "home"))
    monkeypatch.setenv("SWANLAB_MODE", "offline")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    pytest.importorskip(name)  # an extra each, none of them in the test environment; trackio reads its folder here
    for _ in range(2):  # and goes on
        tracker = open_tracker(name, tmp_path / "run", {"seed": 1, "loss": {"name": "kimi"}})
        tracker.metrics("rl", 1, {"reward/mean": 0.25})
        tracker.rollouts("rl", 1, shown)
        tracker.finish()
    assert "tracker: " not in capsys.readouterr().err
    written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    if name == "mlflow":  # a file a metric, and one run there
        assert len(list((tmp_path / "run").rglob("metrics/rl/reward/mean"))) == 1
    else:
        assert b"reward/mean" in written

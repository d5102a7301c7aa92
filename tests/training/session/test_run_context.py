"""Settings, folder and display of a run in one place."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from vlrl.training.session import run_context as module
from vlrl.training.session.run_context import RunContext


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    return RunContext(SimpleNamespace(seed=7), SimpleNamespace(path=tmp_path), SimpleNamespace())  # type: ignore[arg-type]


def test_only_rl_has_its_checkpoints_under_the_plain_name(context, tmp_path):
    assert context.checkpoints("rl") == tmp_path / "checkpoints"
    assert context.checkpoints("sft") == tmp_path / "checkpoints_sft"


def test_a_phase_that_comes_twice_adds_up_and_one_that_fails_counts(context, monkeypatch):
    times = iter([0.0, 2.0, 10.0, 13.0, 20.0, 20.5])
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(times)))
    with context.timed("eval"):
        pass
    with context.timed("eval"):
        pass
    with pytest.raises(KeyError), context.timed("rl"):
        raise KeyError
    assert context.seconds == {"eval": 5.0, "rl": 0.5}

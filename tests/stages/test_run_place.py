"""Nothing that a user has is lost: not by --fresh, not by a start that fails, not by a kill in between."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from vlrl.errors import RunError
from vlrl.stages import run_place
from vlrl.stages.run_place import KINDS, MARK, claimed

FOREIGN = {
    "notes.txt": "mine",
    "mine/data.csv": "1,2",
    "checkpoints_backup/step_000002/policy.pt": "x",
    "plot.png": "y",
}


class Killed(BaseException):
    """Nothing runs after it, as after SIGKILL."""


def tree(folder: Path) -> dict[str, str]:
    found = {str(f.relative_to(folder)): f.read_text() for f in sorted(folder.rglob("*")) if f.is_file()}
    return {name: text for name, text in found.items() if not name.endswith(".lock")}


def write(folder: Path, name: str, run: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(run)


def work(folder: Path, run: str, checkpoint: bool = True) -> None:
    """What a run writes."""
    for name in ("run.yaml", "run_card.json", "metrics.jsonl", "images/a.png"):
        write(folder, name, run)
    if checkpoint:
        write(folder, "checkpoints/step_000002/checkpoint.json", run)


def results(folder: Path, run: str) -> None:
    for name in ("state.json", "results.json", "model/config.json", "answers_rl.jsonl", "report.html"):
        write(folder, name, run)


def a_run(folder: Path, run: str, fresh: bool = False, steps: int = 2, error: BaseException | None = None) -> None:
    """A run up to `steps` (0 nothing written, 1 something to read, 2 a checkpoint), then `error` or its results."""
    with claimed(folder, "run", fresh, say=lambda text: None) as place:
        if steps:
            work(folder, run, checkpoint=steps > 1)
        if error is not None:
            raise error
        results(folder, run)
        place.finish()


@pytest.fixture
def finished(tmp_path) -> Path:
    a_run(tmp_path / "run", "old")
    for name, text in FOREIGN.items():
        write(tmp_path / "run", name, text)
    return tmp_path / "run"


@pytest.mark.parametrize("steps", [0, 1])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("a bug"), RunError("a", "b"), SystemExit(1)])
def test_a_fresh_start_that_comes_to_nothing_puts_the_old_run_back(finished, error, steps):
    before = tree(finished)
    with pytest.raises(type(error)):
        a_run(finished, "new", True, steps, error)
    after = tree(finished)
    assert {name: text for name, text in after.items() if not name.startswith(".failed/")} == before
    assert (finished / ".failed/metrics.jsonl").is_file() == bool(steps)


def test_a_fresh_run_takes_the_old_ones_place_when_it_has_results(finished):
    a_run(finished, "new", True)
    after = tree(finished)
    assert {after[name] for name in after if name not in FOREIGN and name != MARK} == {"new"}
    assert {name: after[name] for name in FOREIGN} == FOREIGN
    assert not [name for name in after if name.startswith(".earlier")]


def test_a_fresh_run_that_is_broken_off_keeps_the_old_one_until_it_has_results(finished):
    before = tree(finished)
    with pytest.raises(KeyboardInterrupt):
        a_run(finished, "new", True, 2, KeyboardInterrupt())
    kept = {name.removeprefix(".earlier-1/"): text for name, text in tree(finished).items() if ".earlier" in name}
    assert kept == {name: text for name, text in before.items() if name not in FOREIGN}
    with pytest.raises(ValueError, match="bug"):  # a later fresh start doesn't lose it either
        a_run(finished, "third", True, 1, ValueError("bug"))
    assert (finished / "metrics.jsonl").read_text() == "new"
    assert (finished / ".earlier-1/metrics.jsonl").read_text() == "old"
    a_run(finished, "new")
    assert not (finished / ".earlier-1").exists()
    assert (finished / "results.json").read_text() == "new"


class Fuse:
    """Lets so many moves and removals happen, and then none any more."""

    def __init__(self, moves: int) -> None:
        self.left, self.blown = moves, False

    def around(self, call):
        def guarded(*given, **named):
            self.blown = self.blown or self.left == 0
            if self.blown:
                raise Killed
            self.left -= 1
            return call(*given, **named)

        return guarded


@pytest.mark.parametrize("steps", [0, 1])
def test_killed_at_any_move_the_old_run_is_there_in_the_end(tmp_path, monkeypatch, steps):
    """Every rename and removal of a fresh start that fails is once the last thing that happens."""
    for moves in range(100):
        folder, fuse = tmp_path / f"run{moves}", Fuse(moves)
        a_run(folder, "old")
        for name, text in FOREIGN.items():
            write(folder, name, text)
        before = tree(folder)
        with monkeypatch.context() as patched:
            patched.setattr(run_place.os, "rename", fuse.around(os.rename))
            patched.setattr(run_place.shutil, "rmtree", fuse.around(shutil.rmtree))
            with pytest.raises((Killed, ValueError)):
                a_run(folder, "new", True, steps, ValueError("bug"))
        with pytest.raises(ValueError, match="bug"):  # the next start recovers, and fails at once
            a_run(folder, "next", True, 0, ValueError("bug"))
        after = {name: text for name, text in tree(folder).items() if not name.startswith(".failed/")}
        assert after == before, moves
        if not fuse.blown:
            break
    assert 10 < moves < 99


def test_files_that_no_run_wrote_are_refused_and_foreign_ones_are_no_obstacle(tmp_path):
    for name, text in {**FOREIGN, "images/holiday.png": "beach", "run.yaml": "mine: true"}.items():
        write(tmp_path / "precious", name, text)
    before = tree(tmp_path / "precious")
    for fresh in (False, True):
        with pytest.raises(RunError, match=r"images, run\.yaml"):
            a_run(tmp_path / "precious", "new", fresh)
        assert tree(tmp_path / "precious") == before
    for name, text in FOREIGN.items():
        write(tmp_path / "other", name, text)
    a_run(tmp_path / "other", "new", True)
    assert {name: tree(tmp_path / "other")[name] for name in FOREIGN} == FOREIGN


def test_a_link_is_followed_and_a_broken_one_or_a_file_is_refused(finished, tmp_path):
    (tmp_path / "link").symlink_to(finished)
    a_run(tmp_path / "link", "new", True)
    assert (tmp_path / "link").is_symlink()
    assert (finished / "results.json").read_text() == "new"
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    for name in ("broken", "file", "file/run"):
        with pytest.raises(RunError, match=r"link|file"):
            a_run(tmp_path / name, "new", True)
    assert not (tmp_path / "nowhere").exists()


def test_a_start_that_fails_leaves_no_folder_and_what_can_be_read_stays(tmp_path):
    with pytest.raises(ValueError, match="bug"):
        a_run(tmp_path / "a/b/run", "new", False, 0, ValueError("bug"))
    assert not (tmp_path / "a").exists()
    with pytest.raises(ValueError, match="bug"):
        a_run(tmp_path / "run", "new", False, 1, ValueError("bug"))
    assert (tmp_path / "run/metrics.jsonl").is_file()
    seen = []
    with claimed(tmp_path / "run", "run", say=seen.append) as place:
        assert place.own() == []  # nothing can be gone on from, so the next start is a new one
    assert (tmp_path / "run/.failed/metrics.jsonl").is_file()


def test_another_kind_of_run_is_refused(finished):
    with pytest.raises(RunError, match="holds a run, and this is a curation"), claimed(finished, "curation", True):
        pass
    (finished / MARK).write_text("{")  # damaged: what lies there says what it is
    a_run(finished, "new", True)


def test_a_folder_from_before_there_was_a_mark_is_known_by_its_files(finished):
    (finished / MARK).unlink()
    a_run(finished, "new", True)
    assert json.loads((finished / MARK).read_text())["kind"] == "run"
    assert (finished / "results.json").read_text() == "new"


def test_own_names_of_a_kind_are_patterns_below_the_folder():
    for kind in KINDS.values():
        assert not [pattern for pattern in kind.own if "/" in pattern or pattern in ("*", ".*")]

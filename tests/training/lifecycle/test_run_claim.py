"""Nothing that a user has is lost: not by --fresh, not by a start that fails, not by a kill in between."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from vlrl.errors import RunError
from vlrl.runlog import own_files
from vlrl.runlog.atomic_files import whole_folder, write_atomically
from vlrl.runlog.own_files import MARK
from vlrl.training.lifecycle import run_claim
from vlrl.training.lifecycle.checkpoint import save_checkpoint
from vlrl.training.lifecycle.run_claim import KINDS, claimed

FOREIGN = {
    "notes.txt": "mine",
    "mine/data.csv": "1,2",
    "checkpoints_backup/step_000002/policy.pt": "x",
    "plot.png": "y",
}
INSIDE = {  # where a run writes, too
    "model/README.md": "how I use it",
    "model/adapters/mine.safetensors": "weights",
    "images/holiday.png": "beach",
    "checkpoints/step_000002/notes.txt": "the good one",
    "checkpoints/best/policy.pt": "copied",
    "data/train.jsonl": "rows",
    "wandb/offline-run-1/run.wandb": "not synced",
    "records/mine.jsonl": "r",
    "model_step_5/config.json": "by hand",
}


class Killed(BaseException):
    """Nothing runs after it, as after SIGKILL."""


def tree(folder: Path) -> dict[str, str]:
    found = {
        str(f.relative_to(folder)): f.read_text(errors="replace") for f in sorted(folder.rglob("*")) if f.is_file()
    }
    return {name: text for name, text in found.items() if not name.endswith((".lock", own_files.FILE))}


def write(folder: Path, name: str, text: str) -> None:
    """As a user writes."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def produce(folder: Path, name: str, run: str) -> None:
    """As a run writes."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / name, run)


def work(folder: Path, run: str, checkpoint: bool = True) -> None:
    """What a run writes."""
    for name in ("run.yaml", "run_card.json", "metrics.jsonl", "images/a.png"):
        produce(folder, name, run)
    if checkpoint:
        produce(folder, "checkpoints/step_000002/checkpoint.json", run)


def results(folder: Path, run: str) -> None:
    for name in ("state.json", "results.json", "model/config.json", "answers_rl.jsonl", "report.html"):
        produce(folder, name, run)


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
            patched.setattr(run_claim.os, "rename", fuse.around(os.rename))
            patched.setattr(shutil, "rmtree", fuse.around(shutil.rmtree))
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


def kept_in(folder: Path) -> dict[str, str]:
    found = tree(folder)
    return {name.partition("/")[2]: text for name, text in found.items() if name.startswith(own_files.KEPT)}


def test_what_a_user_put_into_the_runs_own_folders_is_kept_and_what_the_run_wrote_goes(finished, capsys):
    for name, text in INSIDE.items():
        write(finished, name, text)
    write(finished, "model/config.json", "edited by hand")
    (finished / "checkpoints/link").symlink_to(finished.parent)
    said = []
    with claimed(finished, "run", True, said.append) as place:
        work(finished, "new")
        results(finished, "new")
        place.finish()
    assert kept_in(finished) == {**INSIDE, "model/config.json": "edited by hand"}
    assert (finished / "set_aside-1/checkpoints/link").is_symlink()
    assert "old" not in tree(finished).values()
    assert any("set_aside-1" in line and "isn't as a run wrote it" in line for line in said)
    assert {name: tree(finished)[name] for name in FOREIGN} == FOREIGN


@pytest.mark.parametrize("steps", [0, 1])
def test_a_fresh_start_that_fails_puts_a_users_files_back_where_they_lay(finished, steps):
    for name, text in INSIDE.items():
        write(finished, name, text)
    before = tree(finished)
    with pytest.raises(ValueError, match="bug"):
        a_run(finished, "new", True, steps, ValueError("bug"))
    assert {name: text for name, text in tree(finished).items() if not name.startswith(".failed/")} == before


def test_what_a_user_put_into_a_failed_start_is_kept(tmp_path):
    with pytest.raises(ValueError, match="bug"):
        a_run(tmp_path / "run", "new", False, 1, ValueError("bug"))
    write(tmp_path / "run", "images/holiday.png", "beach")
    write(tmp_path / "run", "model/mine.txt", "m")
    a_run(tmp_path / "run", "next")
    a_run(tmp_path / "run", "third", True)
    assert kept_in(tmp_path / "run") == {"images/holiday.png": "beach", "model/mine.txt": "m"}


def test_a_run_from_before_files_were_noted_is_kept_whole(finished):
    old = {name: text for name, text in tree(finished).items() if text == "old"}
    (finished / own_files.FILE).unlink()
    a_run(finished, "new", True)
    assert kept_in(finished) == old


def test_a_copied_or_moved_run_is_known_by_its_contents(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "copy", copy_function=shutil.copyfile)
    a_run(tmp_path / "copy", "new", True)
    assert kept_in(tmp_path / "copy") == {}
    assert "old" not in tree(tmp_path / "copy").values()


class Part:
    def state_dict(self) -> dict[str, int]:
        return {"step": 1}


def test_a_folder_that_is_written_again_keeps_what_a_user_put_into_it(tmp_path):
    for text in ("first", "second"):
        with claimed(tmp_path, "run", say=lambda text: None) as place:
            with whole_folder(tmp_path / "model") as new:
                (new / "config.json").write_text(text)
            save_checkpoint(tmp_path / "checkpoints", 1 + (text == "second"), {"trainer": Part()}, keep=1)
            place.finish()
        write(tmp_path, "model/notes.txt", f"of the {text}")
        write(tmp_path, "checkpoints/step_000001/notes.txt", "kept")
    assert (tmp_path / "model/config.json").read_text() == "second"
    assert kept_in(tmp_path) == {"model/notes.txt": "of the first", "checkpoints/step_000001/notes.txt": "kept"}


def test_large_files_are_known_by_blocks_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(own_files, "WHOLE_BYTES", 1000)
    monkeypatch.setattr(own_files, "BLOCK_BYTES", 10)
    content = bytes(range(256)) * 40
    for name, place in (("same", None), ("first", 0), ("last", len(content) - 1), ("longer", len(content))):
        changed = bytearray(content)
        if place is not None:
            changed[place : place + 1] = b"x"
        (tmp_path / name).write_bytes(changed)
    (tmp_path / "as_it_was").write_bytes(content)
    prints = {name: own_files.fingerprint(tmp_path / name) for name in ("same", "first", "last", "longer")}
    assert prints.pop("same") == own_files.fingerprint(tmp_path / "as_it_was")
    assert own_files.fingerprint(tmp_path / "as_it_was") not in prints.values()
    assert len(set(prints.values())) == 3

"""The folder of a run, of a curation or of a chain: claimed at the start, and nothing in it is lost when that fails.

A folder knows its own entries by name; everything else in it belongs to the user and is never touched. With --fresh the
entries of the earlier run are set aside within the folder (`.earlier-1`), so that a linked or mounted folder does as
well as any; when the new run has its results, of what lies in them those files go that the earlier run wrote, as it
noted (`vlrl/runlog/own_files.py`), and the others are kept in `set_aside-1`. A start that ends before there is anything
to go on from, by whatever error or signal, puts all of it back. Every move is finished by the next start where a kill
broke it off:

    .earlier-N         set aside whole: the new run stands in its place
    .earlier-N.moving  its entries belong in the folder
    .discarded         left of a start that failed; the folder's own entries belong here, and then all of it goes
    .failed            the last failed start that had something to read in it
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vlrl import interrupts
from vlrl.errors import RunError
from vlrl.runlog import own_files
from vlrl.runlog.atomic_files import sweep, write_atomically
from vlrl.runlog.own_files import MARK
from vlrl.training.lifecycle.run_lock import locked

FAILED, DISCARDED, EARLIER, MOVING = ".failed", ".discarded", ".earlier-", ".moving"
_COMMON = ("run.yaml", "run_card.json", "run_card.md", "results.json", "built_model")
KindName = Literal["run", "curation", "chain", "evaluation", "ablation", "judgements"]


@dataclass(frozen=True)
class Kind:
    """Patterns of entries: its `own`, those that can be gone on from (`begun`), and those worth reading
    (`traces`).
    """

    own: tuple[str, ...]
    begun: tuple[str, ...]
    traces: tuple[str, ...] = ()


KINDS: dict[KindName, Kind] = {
    "run": Kind(
        (
            *_COMMON,
            *("metrics.jsonl", "rollouts.jsonl", "images", "answers_*.jsonl", "state.json", "report.html"),
            *("problems.jsonl", "recipe.yaml", "inputs.json"),
            *("checkpoints", *(f"checkpoints_{stage}" for stage in ("sft", "distil", "dpo", "classic"))),
            *(
                "model",
                "reward_model.json",
                *(f"model_{stage}" for stage in ("sft", "distil", "dpo")),
                "model_step_[0-9]*",
            ),
            *("data", "records", "wandb", "wandb_run.json", "tensorboard", "swanlab", "mlflow", "mlflow_run.json"),
        ),
        ("checkpoints*/step_*/checkpoint.json", "state.json", "records/recording.json"),
        ("metrics.jsonl", "rollouts.jsonl"),
    ),
    "curation": Kind(
        (
            *_COMMON,
            *("metrics.jsonl", "rollouts.jsonl", "images", "answers.jsonl", "curation.html"),
            *("curated.jsonl", "curated_rows", "curated_recipe.yaml", "dropped.jsonl", "pass_rates.jsonl"),
            *("demonstrations.jsonl", "demonstrations_rows", "demonstrations_recipe.yaml"),
            *("hints.jsonl", "hints_rows", "hints_recipe.yaml", "hints_provenance.jsonl"),
            *("demonstrations_provenance.jsonl", "preferences.jsonl", "hard.jsonl", "faults.jsonl"),
        ),
        ("answers.jsonl", "curated.jsonl"),
    ),
    "chain": Kind(
        ("pipeline.json",),
        (
            *("*/checkpoints*/step_*/checkpoint.json", "*/state.json", "*/records/recording.json"),
            *("*/answers.jsonl", "*/curated.jsonl", "*/responses_*", "*/config.json", "*/*/pipeline.json"),
        ),
        ("*/metrics.jsonl",),
    ),
    "evaluation": Kind(
        (*_COMMON, "metrics.jsonl", "rollouts.jsonl", "images", "responses_*.jsonl", "report.html"), ("responses_*",)
    ),
    "ablation": Kind((), ("*/*/state.json", "*/*/checkpoints*/step_*/checkpoint.json")),
    "judgements": Kind(
        ("train.jsonl", "validation.jsonl", "test.jsonl", "images", "recipe.yaml", "recipe_rows", "rows.json"),
        ("rows.json",),
    ),
}


@dataclass
class RunClaim:
    """A claimed folder.

    links      gives the names of a chain's links: own entries, too
    has_begun  whether there is something to go on from that its entries' names don't say
    """

    folder: Path
    kind: KindName
    say: Callable[[str], None] = print
    links: Callable[[Path], Collection[str]] = lambda folder: ()
    has_begun: Callable[[Path], bool] = lambda folder: False
    done: bool = False

    @property
    def begun(self) -> bool:
        """Whether there is something to go on from."""
        return self.has_begun(self.folder) or _any_of(self.folder, KINDS[self.kind].begun)

    @property
    def earlier(self) -> list[Path]:
        """Runs that were set aside, the latest first."""
        folders = [folder for folder in self.folder.glob(f"{EARLIER}*") if folder.name.removeprefix(EARLIER).isdigit()]
        return sorted(folders, key=lambda folder: -int(folder.name.removeprefix(EARLIER)))

    @property
    def broken_off(self) -> bool:
        """Whether entries were being moved when a process was killed."""
        return bool(self.earlier) or any(self.folder.glob(f"{EARLIER}*{MOVING}")) or (self.folder / DISCARDED).is_dir()

    def own(self) -> list[Path]:
        """The entries of the folder that belong to this kind of run."""
        entries = {entry for pattern in KINDS[self.kind].own for entry in self.folder.glob(pattern)}
        entries |= {self.folder / name for name in self.links(self.folder) if (self.folder / name).is_dir()}
        return sorted(entries)

    def finish(self) -> None:
        """The run has its results: the runs that it replaces go, but for what they didn't write."""
        self.done = True
        if not (self.folder / MARK).is_file():  # it was begun before there was one
            self._mark()
        for old in self.earlier:
            own_files.remove_own(old, self.folder, self.say)
        own_files.remove_own(self.folder / FAILED, self.folder, self.say)

    def prepare(self, fresh: bool) -> None:
        """Finish what a kill broke off, set aside what `fresh` replaces, mark the folder."""
        self._recover()
        sweep(self.folder, [*KINDS[self.kind].own, MARK, own_files.FILE, *self.links(self.folder)])
        if self.own() and not self.begun and (fresh or self.kind != "chain"):  # links look after themselves
            self._discard(keep=True)  # nothing can be gone on from, and what waits behind it goes on waiting
        elif fresh and self.own():
            self._set_aside()
        if not self.own():
            self._mark()

    def _mark(self) -> None:
        write_atomically(self.folder / MARK, json.dumps({"schema": 1, "kind": self.kind}) + "\n")

    def _recover(self) -> None:
        for moving in sorted(self.folder.glob(f"{EARLIER}*{MOVING}")):
            self._move_back(moving)
        if (self.folder / DISCARDED).is_dir():
            self._discard(keep=False)
        if self.earlier and not self.own():
            self._put_back()

    def refuse_foreign(self) -> None:
        """Raises RunError for another kind of run, and for files under own names that no run wrote."""
        mark, kind = self.folder / MARK, self.kind
        if mark.is_file():
            kind = _kind_of(mark)
        elif not _looks_like_run(self.folder, KINDS[kind].begun) and (entries := self.own()) and not self.broken_off:
            raise RunError(
                str(self.folder),
                f"holds {', '.join(entry.name for entry in entries[:5])}, and no run of vlrl wrote that",
                "give another run_folder=…; nothing was touched",
            )
        if kind != self.kind:
            raise RunError(str(self.folder), f"holds a {kind}, and this is a {self.kind}", "give another run_folder=…")

    def _set_aside(self) -> None:
        number = 1 + max((int(earlier.name.removeprefix(EARLIER)) for earlier in self.earlier), default=0)
        moving = self.folder / f"{EARLIER}{number}{MOVING}"
        moving.mkdir()
        for entry in self._all():
            os.rename(entry, moving / entry.name)
        os.rename(moving, self.folder / f"{EARLIER}{number}")
        self.say(f"the run in {self.folder} is set aside until the new one has its results")

    def give_up(self) -> None:
        """The start has failed: without anything to go on from, the folder becomes what it was."""
        self._recover()
        if self.done or self.begun:
            if self.earlier:
                self.say(f"the run before it is kept in {self.earlier[0]} until this one has its results")
            return
        if self.earlier:
            self._discard(keep=True)
            self._put_back()
        elif not _any_of(self.folder, KINDS[self.kind].traces):
            self._discard(keep=False)

    def _put_back(self) -> None:
        moving = self.earlier[0].with_name(self.earlier[0].name + MOVING)
        os.rename(self.earlier[0], moving)
        self._move_back(moving)
        self.say(f"the run that {self.folder} held before is back in its place")

    def _move_back(self, moving: Path) -> None:
        for entry in list(moving.iterdir()):
            self._move(entry, self.folder / entry.name)
        moving.rmdir()

    def _discard(self, keep: bool) -> None:
        """Own entries go; with `keep` those that say something are to be found in `.failed` afterwards."""
        discarded = self.folder / DISCARDED
        traces = keep and _any_of(self.folder, KINDS[self.kind].traces)
        discarded.mkdir(exist_ok=True)
        for entry in self._all():
            self._move(entry, discarded / entry.name)
        if traces:
            own_files.remove_own(self.folder / FAILED, self.folder, self.say)
            os.rename(discarded, self.folder / FAILED)
            self.say(f"what the failed start wrote lies in {self.folder / FAILED}")
        else:
            own_files.remove_own(discarded, self.folder, self.say)

    def _all(self) -> list[Path]:
        """The mark, the list of what was written, and the entries."""
        return [*self.folder.glob(MARK), *self.folder.glob(own_files.FILE), *self.own()]

    def _move(self, entry: Path, target: Path) -> None:
        """Rename; what has come to stand there since a kill is kept."""
        if os.path.lexists(target):
            own_files.remove_own(target, self.folder, self.say)
        os.rename(entry, target)


@contextmanager
def claimed(
    folder: Path,
    kind: KindName,
    fresh: bool = False,
    say: Callable[[str], None] = print,
    links: Callable[[Path], Collection[str]] = lambda folder: (),
    has_begun: Callable[[Path], bool] = lambda folder: False,
) -> Iterator[RunClaim]:
    """Claim a folder for the time of the block, which calls `finish` when the run has its results.

    Raises RunError where another process has it, where it is a file or a broken link, where it holds another kind of
    run or files under names that the run would write, OSError where it can't be written.
    """
    made, claim = _make(folder), RunClaim(folder, kind, say, links, has_begun)
    try:
        with locked(folder, say):
            claim.refuse_foreign()
            try:
                claim.prepare(fresh)
                with own_files.noting(folder, say):
                    yield claim
            except BaseException as end:
                if isinstance(end, KeyboardInterrupt):
                    _say_interrupted(claim, str(end), fresh)
                try:
                    claim.give_up()
                except OSError as error:  # the next start goes on with it, and the first error is the one to say
                    say(f"{folder} can't be put in order now ({error}); the next call does it")
                raise
    finally:
        for parent in reversed(made):
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()


def _say_interrupted(claim: RunClaim, saved: str, fresh: bool) -> None:
    """Once, by the innermost of nested folders: it knows what was saved."""
    if interrupts.told():
        return
    if claim.begun:
        more = " without --fresh" if fresh else ""
        outcome = (
            f"{saved or f'{claim.folder} holds what was saved before'}\n  → the same command{more} goes on from there"
        )
    else:
        outcome = f"nothing had been saved in {claim.folder} yet\n  → the same command starts again"
    interrupts.tell(f"interrupted: {outcome}")


def _make(folder: Path) -> list[Path]:
    if folder.is_symlink() and not folder.exists():
        raise RunError(str(folder), f"is a link to {os.readlink(folder)}, which is not there", "make that folder")
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()][::-1]
    for parent in (folder, *folder.parents):
        if parent.exists():
            if not parent.is_dir():
                raise RunError(str(parent), "is a file, and the run needs a folder there", "give another run_folder=…")
            break
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.ENOENT, errno.EINVAL):
            raise
        said = f"can't be made: {(error.strerror or str(error)).lower()}"
        raise RunError(str(folder), said, "give another run_folder=…") from error
    return missing


def _kind_of(mark: Path) -> KindName:
    try:
        kind = json.loads(mark.read_bytes())["kind"]
    except (ValueError, KeyError, TypeError):
        return "run" if (mark.parent / "run_card.json").is_file() else "chain"
    for known in KINDS:
        if known == kind:
            return known
    raise RunError(str(mark.parent), f"holds a run of kind {kind!r}", "read it with the version that wrote it")


def _looks_like_run(folder: Path, begun: Collection[str]) -> bool:
    """Of folders without a mark, which were written before there was one."""
    return ((folder / "run_card.json").is_file() and (folder / "run.yaml").is_file()) or _any_of(folder, begun)


def _any_of(folder: Path, patterns: Collection[str]) -> bool:
    for entry in (match for pattern in patterns for match in folder.glob(pattern)):
        hidden = any(part.startswith(".") for part in entry.relative_to(folder).parts)
        if not hidden and (entry.is_dir() or entry.lstat().st_size):
            return True
    return False

"""Errors that help: place, value, remedy. A user's mistake is raised before any model is loaded."""

from __future__ import annotations

import difflib
import errno
import os
import re
from collections.abc import Iterable, Sequence

from vlrl.renamed import RENAMED


class VlrlError(Exception):
    """A mistake the user can mend. The command line prints it as one message and exits with `exit_code`.

    place   where the mistake is: file and key, file and line, problem id …
    problem what is wrong, with the value as given
    remedy  what to do about it
    """

    exit_code = 2

    def __init__(self, place: str, problem: str, remedy: str = "") -> None:
        self.place, self.problem, self.remedy = place, problem, remedy
        super().__init__(f"{place}: {problem}" + (f"\n  → {remedy}" if remedy else ""))

    def __reduce__(self) -> tuple[type[VlrlError], tuple[str, str, str]]:
        return type(self), (self.place, self.problem, self.remedy)


class ConfigError(VlrlError):
    """A setting is unknown, missing, of the wrong type, or contradicts another."""


class DataError(VlrlError):
    """A data file, a row or an image can't be used as it is."""


class BadRowError(DataError):
    """One row, or one problem that is made of it, can't be used; `on_bad_row: skip` leaves it out and counts it."""


class VerifierFaultError(VlrlError):
    """Too many verdicts were faults: the *verifier* is broken, so the run stops instead of learning from noise."""


class EngineError(VlrlError):
    """An engine or backend is missing, refuses a request, or disagrees with the trainer."""


class EngineFailedError(EngineError):
    """An engine broke and can't go on; the request itself is in order, and another engine may answer it."""


class RunError(VlrlError):
    """A run folder or a checkpoint is not what the command needs."""


class NonFiniteError(RunError):
    """A number that a run learns from or writes with is NaN or infinite."""

    def at(self, place: str) -> NonFiniteError:
        """The same error at a place around it."""
        return NonFiniteError(f"{place}, {self.place}", self.problem, self.remedy)


class StorageError(VlrlError):
    """The system failed to read or write: a full disk, a folder that can't be written, a device that is gone."""

    exit_code = 1


_REMEDIES = {
    errno.ENOSPC: "make room on that disk; the same command then goes on",
    errno.EDQUOT: "make room within the quota; the same command then goes on",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f); the same command then goes on",
    errno.EROFS: "that disk is mounted for reading only: give a folder that can be written",
    errno.EACCES: "give a folder or file that this user may use",
    errno.EPERM: "give a folder or file that this user may use",
    errno.EMFILE: "raise the limit on open files (ulimit -n); the same command then goes on",
    errno.ENOENT: "restore it, or check the path",
    errno.ENOTDIR: "a file stands where a folder should be: check the path",
    errno.EISDIR: "a folder stands where a file should be: check the path",
    errno.EPIPE: "nobody reads the output any more; the same command goes on",
}


def storage_error(error: BaseException) -> StorageError | None:
    """What an error of the system says to the user: path, reason and what to do. None where it is no such error.

    Libraries written in Rust and C++ (safetensors, torch) wrap it in errors of their own; those are looked through.
    """
    seen: BaseException | None = error
    known: set[int] = set()
    while seen is not None and id(seen) not in known:  # errors that are raised from each other go round in a circle
        known.add(id(seen))
        if isinstance(seen, OSError) and seen.errno is not None:
            place = " → ".join(str(name) for name in (seen.filename, seen.filename2) if name is not None)
            remedy = _REMEDIES.get(seen.errno, "see to the disk or the path; the same command then goes on")
            return StorageError(place or "the system", (seen.strerror or str(seen)).lower(), remedy)
        if found := _OS_ERROR.search(str(seen)):
            number = int(found[1])
            return StorageError("the system", os.strerror(number).lower(), _REMEDIES.get(number, "see to the disk"))
        seen = seen.__cause__ or seen.__context__
    return None


_OS_ERROR = re.compile(r"\(os error (\d+)\)")


def some_of(names: Sequence[str], shown: int = 5) -> str:
    """The first of many names, and how many more there are."""
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A remedy line for an unknown name: what it is called now, the closest known one, or the list of all."""
    options = sorted(known)
    for new in RENAMED.get(name, ()):
        if new in options:
            return f"it is called {new!r} now"
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return "known: " + ", ".join(options) if options else "nothing is registered under this kind"

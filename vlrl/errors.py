"""Errors that help: place, value, remedy. A user's mistake is raised before any model is loaded."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class VlrlError(Exception):
    """A mistake the user can mend. The command line prints it as one message and exits with code 2.

    place   where the mistake is: file and key, file and line, problem id …
    problem what is wrong, with the value as given
    remedy  what to do about it
    """

    def __init__(self, place: str, problem: str, remedy: str = "") -> None:
        self.place, self.problem, self.remedy = place, problem, remedy
        super().__init__(f"{place}: {problem}" + (f"\n  → {remedy}" if remedy else ""))

    def __reduce__(self) -> tuple[type[VlrlError], tuple[str, str, str]]:
        return type(self), (self.place, self.problem, self.remedy)


class ConfigError(VlrlError):
    """A setting is unknown, missing, of the wrong type, or contradicts another."""


class DataError(VlrlError):
    """A data file, a row or a picture can't be used as it is."""


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


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A remedy line for an unknown name: the closest known one, or the list of all."""
    options = sorted(known)
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return "known: " + ", ".join(options) if options else "nothing is registered under this kind"

"""What a doctor says: one finding a trap, with a remedy where something should change."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    name    what it is, e.g. `torch`
    level   ok; note (worth knowing: slower, or a part that isn't needed is missing); problem (a run would fail)
    said    what was found, with its value
    remedy  what to do about it; empty where nothing is to be done
    """

    name: str
    level: Level
    said: str
    remedy: str = ""

    def record(self) -> dict[str, str]:
        """As `--json` prints it."""
        return asdict(self)


def ok(name: str, said: str) -> Finding:
    """Nothing to be done."""
    return Finding(name, "ok", said)


def note(name: str, said: str, remedy: str = "") -> Finding:
    """Worth knowing."""
    return Finding(name, "note", said, remedy)


def problem(name: str, said: str, remedy: str) -> Finding:
    """A run would fail, or give wrong figures."""
    return Finding(name, "problem", said, remedy)

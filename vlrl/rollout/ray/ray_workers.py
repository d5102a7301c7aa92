"""The actors of a pool as the driver sees them: what each one is doing, and how many there shall be."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from vlrl.errors import EngineError
from vlrl.rollout.ray.work_queue import Piece


class RayWorker:
    """One actor. It does one thing at a time; between two it is idle.

    starting   it has not opened its engine yet
    since      when it was started; told_late: the user knows that it has not opened in time
    serial     transfer of weights that it holds (0: the model folder's)
    """

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.starting, self.asleep, self.serial = True, False, 0
        self.since, self.told_late = time.monotonic(), False
        self.future: Any = None
        self._doing, self._piece = "", Piece()

    @property
    def idle(self) -> bool:
        """Whether it waits for something to do."""
        return self.future is None and not self.starting

    def call(self, doing: str, future: Any, piece: Piece = ()) -> None:
        """It has begun something."""
        self._doing, self.future, self._piece = doing, future, piece

    def finish(self) -> tuple[str, Piece, Any]:
        """What it did, with which piece, and the future that is ready."""
        done = self._doing, self._piece, self.future
        self.future = None
        return done

    def abandon(self) -> None:
        """Nobody wants the piece any more that it is writing."""
        if self.future is not None and self._doing == "generate":
            self._doing = "abandoned"


class Losses:
    """Actors that were lost one after another while they did the same, where no request is at fault.

    What an actor has done well once ends that row alone: one that opens well may still die of every transfer.
    """

    NAMES: ClassVar[Mapping[str, str]] = {
        "open": "they started",
        "load_weights": "they took weights",
        "sleep": "they went to sleep",
        "wake": "they woke",
    }

    def __init__(self) -> None:
        self._in_a_row: Counter[str] = Counter()

    def done(self, doing: str) -> None:
        """An actor did this."""
        self._in_a_row[doing] = 0

    def lost(self, doing: str, limit: int, why: str) -> None:
        """An actor was lost at this. Raises EngineError for number `limit` in a row."""
        if doing not in self.NAMES:
            return
        self._in_a_row[doing] += 1
        if self._in_a_row[doing] >= limit:
            raise EngineError(
                "ray pool",
                f"all actors are dead: {limit} in a row were lost while {self.NAMES[doing]}: {why}",
                "see Ray's logs; too little memory is the usual cause",
            )


class RayWorkers:
    """All actors, and the number that is wanted.

    resize_file  read where it exists; its number counts until `resize` is called with another
    """

    def __init__(self, wanted: int, resize_file: str | None) -> None:
        self._wanted, self._file = wanted, Path(resize_file) if resize_file else None
        self._read: str | None = None
        self._members: list[RayWorker] = []
        self._progress = time.monotonic()
        self.asleep = False

    def __iter__(self) -> Iterator[RayWorker]:
        return iter(list(self._members))

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, member: object) -> bool:
        return member in self._members

    def add(self, member: RayWorker) -> None:
        """An actor that was started."""
        self._members.append(member)

    def drop(self, member: RayWorker) -> None:
        """An actor that is gone."""
        self._members.remove(member)

    def clear(self) -> None:
        """All are gone."""
        self._members.clear()

    def resize(self, wanted: int) -> None:
        """Another number from now on."""
        self._wanted = wanted

    def wanted(self) -> int:
        """How many there shall be. A changed file is read; what is no number above 0 is told and changes nothing."""
        if self._file is not None and self._file.is_file():
            text = self._file.read_text().strip()
            if text != self._read:
                self._read = text
                if text.isascii() and text.isdigit() and int(text) > 0:
                    self._wanted = int(text)
                else:
                    warnings.warn(
                        f"{self._file} holds {text!r}, not a number of actors; {self._wanted} stay", stacklevel=2
                    )
        return self._wanted

    def spare(self) -> list[RayWorker]:
        """Actors to end now: starting and idle ones beyond the wanted number; busy ones are left to finish."""
        excess = max(0, len(self._members) - self.wanted())
        free = [m for m in reversed(self._members) if m.starting or m.idle]
        return sorted(free, key=lambda m: not m.starting)[:excess]

    @property
    def starting(self) -> int:
        """How many have not opened yet."""
        return sum(member.starting for member in self._members)

    def late(self, seconds: float) -> list[RayWorker]:
        """Those that have been starting for longer, and nobody was told."""
        now = time.monotonic()
        return [m for m in self._members if m.starting and not m.told_late and now - m.since > seconds]

    def progressed(self) -> None:
        """Something was finished."""
        self._progress = time.monotonic()

    def seconds_without_progress(self) -> float:
        """How long nothing was finished while no actor was at work. An actor that works may take its time."""
        if any(not member.starting for member in self._members):
            self.progressed()
        return time.monotonic() - self._progress

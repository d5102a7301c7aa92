"""A run folder followed while it grows: each whole line once; half lines wait, and what is rewritten is read again."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlrl.runlog.log_lines import SCHEMA

KEPT_GROUPS = 40  # newest rollouts in memory
MOST_CHARS = 3000  # of a response


class Tail:
    """New whole lines of a JSONL file. `restarted` says that the file is another, or shorter, than before."""

    def __init__(self, file: Path) -> None:
        self.file, self.damaged = file, 0
        self._at, self._inode = 0, -1

    def read(self) -> tuple[bool, list[dict[str, Any]]]:
        """(restarted, records). A file that isn't there has none; damaged lines are counted and passed over."""
        try:
            with open(self.file, "rb") as held:
                inode, size = _identity(held)
                restarted = (inode != self._inode or size < self._at) and self._inode != -1
                if inode != self._inode or size < self._at:
                    self._at, self.damaged = 0, 0
                self._inode = inode
                held.seek(self._at)
                data = held.read(size - self._at)
        except OSError:
            was_there, self._inode, self._at = self._inode != -1, -1, 0
            return was_there, []
        end = data.rfind(b"\n") + 1
        self._at += end
        return restarted, list(self._records(data[:end]))

    def _records(self, data: bytes) -> Iterator[dict[str, Any]]:
        for line in data.splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            if isinstance(record, dict) and record.get("schema") == SCHEMA and "phase" in record and "step" in record:
                yield record
            elif line.strip():
                self.damaged += 1


def _identity(held: Any) -> tuple[int, int]:
    import os

    found = os.fstat(held.fileno())
    return found.st_ino, found.st_size


@dataclass(frozen=True)
class Change:
    """What is new since the last look. `restarted`: forget what was seen before."""

    restarted: bool
    status: Mapping[str, Any]
    metrics: tuple[Mapping[str, Any], ...] = ()
    groups: tuple[Mapping[str, Any], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "restarted": self.restarted,
            "status": dict(self.status),
            "metrics": list(self.metrics),
            "groups": list(self.groups),
        }


@dataclass
class LiveRun:
    """The run of a folder, looked at again and again by one reader. A folder that isn't there has the status `gone`."""

    folder: Path
    _metrics: Tail = field(init=False)
    _rollouts: Tail = field(init=False)

    def __post_init__(self) -> None:
        self._metrics = Tail(self.folder / "metrics.jsonl")
        self._rollouts = Tail(self.folder / "rollouts.jsonl")

    def look(self) -> Change:
        """All that is new; of rollouts the newest KEPT_GROUPS."""
        (again, metrics), (again_too, groups) = self._metrics.read(), self._rollouts.read()
        if again != again_too:  # a resumed run rewrites both: what is shown must be of one time
            again = again_too = True
            self._metrics, self._rollouts = Tail(self._metrics.file), Tail(self._rollouts.file)
            (_, metrics), (_, groups) = self._metrics.read(), self._rollouts.read()
        newest = deque(groups, maxlen=KEPT_GROUPS)
        return Change(again, self._status(), tuple(map(_numbers, metrics)), tuple(map(_shown, newest)))

    def _status(self) -> dict[str, Any]:
        damaged = self._metrics.damaged + self._rollouts.damaged
        name = self.folder.resolve().name
        if not self.folder.is_dir():
            return {"name": name, "status": "gone", "damaged": 0}
        try:
            card = json.loads((self.folder / "run_card.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            card = {}
        status = card.get("status", "starting") if isinstance(card, dict) else "starting"
        started = card.get("started", "") if isinstance(card, dict) else ""
        return {"name": name, "status": str(status), "started": str(started), "damaged": damaged}


def _numbers(line: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key != "schema" and isinstance(value, int | float | str)}


def _shown(record: Mapping[str, Any]) -> dict[str, Any]:
    """A group with what a reader looks at, long responses cut."""
    problem = record["problem"]
    responses = [
        {
            "text": r["text"][:MOST_CHARS],
            "state": "fault" if r.get("fault") is not None else "right" if r.get("correct") else "wrong",
            "reward": r.get("reward"),
            "advantage": r.get("advantage"),
            "tokens": r.get("tokens"),
        }
        for r in record["rollouts"]
    ]
    kept = {key: problem.get(key) for key in ("id", "prompt", "answer", "modality", "domain")}
    return {"phase": record["phase"], "step": record["step"], **kept, "responses": responses}

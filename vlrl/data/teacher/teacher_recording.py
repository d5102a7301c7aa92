"""Teacher records written piece by piece, so that a recording that is killed goes on with the pieces that it finished.

The two files of teacher_records.py grow by a piece at a time. `recording.json` lists the pieces: the name of each, how
many records it has and where it ends in both files. It is written after a piece and whole; what stands behind its last
end was left by a recording that was killed, and is cut off.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from vlrl import dist
from vlrl.data.problem_files import problem_lines
from vlrl.data.teacher.teacher_records import NUMBERS, SCHEMA, RecordsHead, TeacherRecord
from vlrl.errors import DataError
from vlrl.runlog import own_files
from vlrl.runlog.atomic_files import errors_at
from vlrl.runlog.run_folder import write_atomically

FILES = ("problems.jsonl", "teacher.jsonl")


@dataclass(frozen=True)
class _Piece:
    """`ends` are the sizes in bytes of FILES with this piece as the last one."""

    name: str
    records: int
    ends: tuple[int, int]


class TeacherRecording:
    """A folder of records in the making: of every piece in turn, either `takes` says that it is there, or it is added.

    A piece's name says all that it depends on. With several ranks all call the same methods, and the first one writes.
    Raises DataError for a folder of another make, or one whose files have lost what was written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._earlier = dist.from_first(self._read)  # those that may still be taken
        self._pieces: list[_Piece] = []

    @property
    def count(self) -> int:
        """Records of all pieces so far."""
        return sum(piece.records for piece in self._pieces)

    def takes(self, name: str) -> bool:
        """Whether the piece that comes next is there already, under this very name. If so, it is taken."""
        found = self._earlier[:1]
        if found and found[0].name == name:
            self._pieces += found
            del self._earlier[0]
            return True
        self._earlier = []
        return False

    def add(self, name: str, records: Sequence[TeacherRecord]) -> None:
        """Write the next piece. Raises DataError as write_problem_file does."""
        ends = dist.from_first(lambda: self._append(records))
        self._pieces.append(_Piece(name, len(records), ends))
        if dist.is_first():
            self._list()

    def finish(self, head: RecordsHead) -> None:
        """The folder is whole; every rank may read it."""
        if dist.is_first():
            self._cut()
            card = {"schema": SCHEMA, "records": self.count, **asdict(head)}
            write_atomically(self.folder / "teacher.json", json.dumps(card, indent=2) + "\n")
        dist.barrier()

    def _read(self) -> list[_Piece]:
        """The pieces of an earlier recording."""
        file = self.folder / "recording.json"
        if not file.is_file():
            return []
        listed = json.loads(file.read_text(encoding="utf-8"))
        if listed.get("schema") != SCHEMA:
            raise DataError(str(file), "is of another make", "remove the folder to record again")
        pieces = [_Piece(one["name"], one["records"], tuple(one["ends"])) for one in listed["pieces"]]
        for name, end in zip(FILES, _end_of(pieces), strict=True):
            size = (self.folder / name).stat().st_size if (self.folder / name).is_file() else 0
            if size < end:
                raise DataError(
                    str(self.folder / name),
                    f"has {size} bytes, recording.json counts {end}",
                    "remove the folder to record again",
                )
        return pieces

    def _append(self, records: Sequence[TeacherRecord]) -> tuple[int, int]:
        """Where both files end with these records behind the pieces so far."""
        self._cut()
        problems = problem_lines(self.folder, [one.problem for one in records])
        teacher = []
        for one in records:
            numbers = {name: getattr(one, name) for name in NUMBERS}
            line = {"problem": one.problem.id, "content_hash": one.content_hash, **numbers}
            teacher.append(json.dumps(line) + "\n")
        ends = []
        for name, lines in zip(FILES, (problems, teacher), strict=True):
            with errors_at(self.folder / name), open(self.folder / name, "ab") as file:
                file.write("".join(lines).encode())
                file.flush()
                os.fsync(file.fileno())
                ends.append(file.tell())
            own_files.note_grown(self.folder / name)
        return ends[0], ends[1]

    def _cut(self) -> None:
        """List and files end with the last piece; a folder that is still written to is not whole."""
        self.folder.mkdir(parents=True, exist_ok=True)
        own_files.remove_own(self.folder / "teacher.json")
        self._list()  # before the files: it never counts what isn't there
        for name, end in zip(FILES, _end_of(self._pieces), strict=True):
            with open(self.folder / name, "ab") as file:
                file.truncate(end)
            own_files.note_grown(self.folder / name)

    def _list(self) -> None:
        listed = {"schema": SCHEMA, "pieces": [asdict(piece) for piece in self._pieces]}
        write_atomically(self.folder / "recording.json", json.dumps(listed) + "\n")


def _end_of(pieces: Sequence[_Piece]) -> tuple[int, int]:
    """Where both files end."""
    return pieces[-1].ends if pieces else (0, 0)

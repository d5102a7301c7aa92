"""Who wrote what a model was supervised on: a digest beside its weights, so that distillation can keep to that teacher.

On-policy distillation from records goes to the wrong place where SFT and records are of unlike teachers (Lightning
OPD).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from vlrl import dist
from vlrl.data.recipe import Recipe
from vlrl.data.source_settings import FileSourceSettings
from vlrl.data.teacher.teacher_records import RecordsHead
from vlrl.errors import DataError
from vlrl.runlog.run_folder import write_atomically

FILE = "taught_by.json"
ANY = "any"


def writers_of(recipe: Recipe, names: Iterable[str]) -> tuple[str, ...]:
    """Digests of the models that wrote the responses of these sources, as far as the recipe says."""
    used = set(names)
    files = [one for one in recipe.sources if isinstance(one, FileSourceSettings) and one.name in used]
    return tuple(sorted({one.written_by for one in files if one.written_by is not None}))


def keep_teachers(model: Path, teachers: tuple[str, ...]) -> None:
    """Write them beside a model's weights, by the first rank; without any nothing is written."""
    if teachers and dist.is_first():
        write_atomically(model / FILE, json.dumps({"teachers": list(teachers)}) + "\n")


def teachers_of(model: str | Path | None) -> tuple[str, ...]:
    """What `keep_teachers` wrote beside a model; none for a hub id or a model of which nothing is known."""
    file = None if model is None else Path(model).expanduser() / FILE
    return tuple(json.loads(file.read_text(encoding="utf-8"))["teachers"]) if file and file.is_file() else ()


def check_teacher(head: RecordsHead, records: Path, named: str | None, taught_by: tuple[str, ...]) -> None:
    """The records are of the teacher that is named, or else of one that wrote what the student was supervised on.

    `named` may be `any`. Raises DataError.
    """
    wanted = taught_by if named is None else (named,)
    if wanted and named != ANY and head.teacher not in wanted:
        why = "the model was supervised on responses of" if named is None else "distil.teacher is"
        raise DataError(
            f"{records}, teacher",
            f"is {head.teacher}; {why} {', '.join(wanted)}",
            f"record with that teacher at the same dtype, or say `distil.teacher: {ANY}`",
        )

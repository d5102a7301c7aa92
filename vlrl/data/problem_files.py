"""Problems as files: one JSON object a line, images by digest in `images/` beside the file.

    {"id": …, "prompt": [{"image": "images/3f….png"}, {"text": "How many?"}], "answer": "3", "verifier": "number", …}

An image that was drawn from a text has it as `source_text`. A line with `response` is a demonstration, one with
`chosen` and `rejected` a preference; `rejected_ended: false` says of one that was cut or looped, so that it has no end
token. `id` is for the reader's eye: it is computed again from the contents.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

from vlrl.data.tables.table_files import JsonLines
from vlrl.errors import DataError, did_you_mean
from vlrl.runlog.atomic_files import write_atomically
from vlrl.runlog.codecs import problem_row
from vlrl.types import MODALITIES, Demonstration, Image, Modality, Preference, Problem, Text, content_digest

SUFFIXES = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif", b"RIFF": ".webp", b"BM": ".bmp"}
OPTIONAL = ("source", "difficulty", "metadata", "tags", "twin", "system")
Item = Problem | Demonstration | Preference
SAID = ("response", "chosen", "rejected")
TURNS = "turns"  # of a demonstration: texts of the policy's turns before its response
BESIDE: dict[str, tuple[type, ...]] = {
    "source_text": (str,),
    "second": (int, float),
}  # what a piece may say of its image, and as what
ENDED = ("chosen_ended", "rejected_ended")  # false: the response was cut or looped


def write_problem_file(path: str | Path, items: Iterable[Item]) -> int:
    """Write problems, demonstrations or preferences and their images; whole or not at all. Returns the lines' number.

    Raises DataError for metadata that JSON can't hold or an image that is gone.
    """
    file = Path(path)
    lines = problem_lines(file.parent, items)
    _write_whole(file, "".join(lines).encode())
    return len(lines)


def problem_lines(folder: Path, items: Iterable[Item]) -> list[str]:
    """The lines of a problem file in `folder`, whose images are there when this returns.

    Raises DataError as write_problem_file does.
    """
    lines = []
    images: dict[str, Image] = {}
    for item in items:
        problem = item if isinstance(item, Problem) else item.problem
        names = {image.digest: f"images/{image.digest}{_suffix(image, problem)}" for image in problem.images}
        images |= {names[image.digest]: image for image in problem.images}
        lines.append(_line(item, problem, names))
    for name, image in images.items():
        target = folder / name
        if not target.exists() or content_digest(target.read_bytes()) != image.digest:
            _write_whole(target, image.read_bytes())
    return lines


def read_problems(path: str | Path) -> list[Problem]:
    """The problems of a file. Raises DataError with file and line."""
    return [problem for problem, _ in _read(Path(path))]


def read_demonstrations(path: str | Path) -> list[Demonstration]:
    """The demonstrations of a file. Raises DataError with file and line, also for a line without a response."""
    found = []
    for number, (problem, said) in enumerate(_read(Path(path)), start=1):
        if "response" not in said:
            raise DataError(f"{path}, entry {number}", "has no `response`", "this file holds no demonstrations")
        found.append(Demonstration(problem, said["response"], said[TURNS]))
    return found


def read_preferences(path: str | Path) -> list[Preference]:
    """The preferences of a file. Raises DataError with file and line, also for a line that lacks a side."""
    found = []
    for number, (problem, said) in enumerate(_read(Path(path)), start=1):
        for side in ("chosen", "rejected"):
            if side not in said:
                raise DataError(f"{path}, entry {number}", f"has no `{side}`", "this file holds no preferences")
        ended = [said.get(name, True) for name in ENDED]
        found.append(Preference(problem, said["chosen"], said["rejected"], *ended))
    return found


def _line(item: Item, problem: Problem, names: dict[str, str]) -> str:
    row = problem_row(problem, lambda image: _named(image, names))
    if isinstance(item, Demonstration):
        row |= {"response": item.response} | ({TURNS: list(item.turns)} if item.turns else {})
    elif isinstance(item, Preference):
        row |= {"chosen": item.chosen, "rejected": item.rejected}
        row |= {name: False for name in ENDED if not getattr(item, name)}
    try:
        return json.dumps(row, ensure_ascii=False) + "\n"
    except (TypeError, ValueError) as error:
        raise DataError(
            f"problem {problem.id} of source {problem.source!r}, metadata",
            str(error),
            "metadata holds plain JSON values",
        ) from error


def _named(image: Image, names: dict[str, str]) -> dict[str, Any]:
    said = {name: getattr(image, name) for name in BESIDE if getattr(image, name) is not None}
    return {"image": names[image.digest]} | said


def _suffix(image: Image, problem: Problem) -> str:
    try:
        data = image.read_bytes()[:8]
    except OSError as error:
        raise DataError(f"problem {problem.id}", f"its image is gone: {error}", "restore the file") from error
    return next((suffix for magic, suffix in SUFFIXES.items() if data.startswith(magic)), ".img")


def _write_whole(target: Path, data: bytes) -> None:
    """The file is there with all its bytes or not there: written beside, then renamed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, data)


def _read(path: Path) -> list[tuple[Problem, dict[str, Any]]]:
    if not path.is_file():
        raise DataError(str(path), "no such file", "check the path")
    table = JsonLines(path, by_policy=SAID)
    return [_problem(table.row(index), table.place(index), path.parent) for index in range(len(table))]


def _problem(row: dict[str, Any], place: str, folder: Path) -> tuple[Problem, dict[str, Any]]:
    for key in ("prompt", "answer", "verifier", "modality", "domain"):
        if key not in row:
            raise DataError(place, f"has no {key!r}", did_you_mean(key, row))
    known = ("id", "prompt", "answer", "verifier", "modality", "domain", *SAID, *ENDED, TURNS, *OPTIONAL)
    for key in row:
        if key not in known:
            raise DataError(place, f"unknown key {key!r}", did_you_mean(key, known))
    if row["modality"] not in MODALITIES:
        raise DataError(
            f"{place}, modality", f"got {row['modality']!r}", f"one of: {', '.join(map(str, get_args(Modality)))}"
        )
    if not isinstance(row["prompt"], list) or not row["prompt"]:
        raise DataError(f"{place}, prompt", "is not a list of pieces", 'write [{"image": path}, {"text": …}]')
    problem = Problem(
        prompt=tuple(_piece(piece, place, folder) for piece in row["prompt"]),
        answer=str(row["answer"]),
        verifier=str(row["verifier"]),
        modality=row["modality"],
        domain=str(row["domain"]),
        source=str(row.get("source") or ""),
        difficulty=row.get("difficulty"),
        metadata=dict(row.get("metadata") or {}),
        tags=tuple(row.get("tags") or ()),
        twin=row.get("twin"),
        system=row.get("system"),
    )
    said: dict[str, Any] = {key: str(row[key]) for key in SAID if row.get(key) is not None}
    for key in ENDED:
        if not isinstance(row.get(key, True), bool):
            raise DataError(f"{place}, {key}", f"is {row[key]!r}", "write true or false, or leave it out: true")
    turns = row.get(TURNS, [])
    if not isinstance(turns, list) or not all(isinstance(turn, str) for turn in turns):
        raise DataError(f"{place}, {TURNS}", f"is {turns!r:.80}", "write a list of texts, those before the response")
    return problem, said | {key: row[key] for key in ENDED if key in row} | {TURNS: tuple(turns)}


def _piece(piece: Any, place: str, folder: Path) -> Text | Image:
    given = piece if isinstance(piece, dict) else {}
    said = {name: given[name] for name, kinds in BESIDE.items() if isinstance(given.get(name), kinds)}
    kind = set(given) - set(said)
    if kind not in ({"image"}, {"digest"}) and not (kind == {"text"} and not said):
        raise DataError(
            f"{place}, prompt",
            f"got {piece!r}",
            'a piece is {"text": …}, {"image": path} or {"digest": …}, these two may have "source_text", "second"',
        )
    if "text" in piece:
        return Text(str(piece["text"]))
    if "digest" in piece:
        found = sorted((folder / "images").glob(f"{piece['digest']}.*"))
        if not found:
            raise DataError(f"{place}, prompt", f"no image images/{piece['digest']}.* beside the file", "restore it")
        path = found[0]
    else:
        path = folder / str(piece["image"])
    try:
        return dataclasses.replace(Image.from_file(str(path)), **said)
    except OSError as error:
        raise DataError(
            f"{place}, prompt",
            f"the image {path} can't be read: {error.strerror}",
            "paths start at the file's folder",
        ) from error

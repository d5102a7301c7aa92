"""One row of a table as a problem: columns are mapped, pictures are put where the question names them.

A question may place its pictures with `<image>` (in order) or `<image 1>`, `<image1>` (by number, also more than once,
also inside choices). Without placeholders the pictures come first. As many placeholders as pictures, or an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vlrl.data.benchmark_rows import read_benchmark, row_pictures
from vlrl.data.images import BadImageError
from vlrl.data.layouts import BENCHMARK_LAYOUTS, canonical_row
from vlrl.data.placeholders import LETTERS, PLACEHOLDER, picture_order
from vlrl.data.source_settings import FileSourceSettings, VerifierByColumn, check_verifier
from vlrl.errors import DataError, did_you_mean
from vlrl.scenes.domain import worked_response
from vlrl.types import Demonstration, Image, Problem, Text

__all__ = ["LETTERS", "PLACEHOLDER", "Row", "RowReader"]

_LABELLED = re.compile(r"(?:^|[\s(\[])A[).\]:].*(?:^|[\s(\[])B[).\]:]", re.DOTALL)
Row = Mapping[str, Any]


@dataclass(frozen=True)
class RowReader:
    """Reads rows of one source. `folder` is where relative picture paths start.

    Raises DataError with the row's place for whatever is missing or doesn't fit together.
    """

    settings: FileSourceSettings
    folder: Path

    def problem(self, row: Row, place: str) -> tuple[Problem, Demonstration | None]:
        """The problem of a row, its pictures read for their digests, and its demonstration where a column has one."""
        settings, columns = self.settings, self.settings.columns
        if settings.layout in BENCHMARK_LAYOUTS:
            return self._benchmark_problem(row, place), None
        row = self._usual(row, place)
        pieces = self.pieces(row, place)
        prompt = tuple(piece if isinstance(piece, Text) else self._image(piece, place) for piece in pieces)
        answers = self._answers(row, place)
        problem = Problem(
            prompt=prompt,
            answer=answers[0],
            verifier=self._verifier(row, place),
            modality=settings.modality,
            domain=settings.domain or settings.name,
            source=settings.name,
            facts=self._facts(row, place, answers),
            difficulty=self.difficulty(row, place),
            tags=settings.tags,
        )
        response = columns.response or ("response" if settings.layout and "response" in row else None)
        if response:
            return problem, Demonstration(problem, str(_cell(row, response, place)))
        if columns.thought:
            thought = str(_cell(row, columns.thought, place))
            return problem, Demonstration(problem, worked_response(thought, answers[0]))
        return problem, None

    def check(self, row: Row, place: str) -> None:
        """Everything that `problem` checks but the contents of picture files."""
        if self.settings.layout in BENCHMARK_LAYOUTS:
            self._benchmark_problem(row, place)
            return
        row = self._usual(row, place)
        for piece in self.pieces(row, place):
            if isinstance(piece, str) and not self._file(piece).is_file():
                self._missing(piece, place)
        self._facts(row, place, self._answers(row, place))
        self._verifier(row, place)
        self.difficulty(row, place)

    def difficulty(self, row: Row, place: str) -> float | None:
        """The label of a row, None where no column is named. Raises DataError for one that is no number in [0, 1]."""
        column = self.settings.columns.difficulty
        if column is None:
            return None
        given = _cell(row, column, place)
        if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 1:
            raise DataError(f"{place}, {column}", f"is {given!r}", "give a number in [0, 1]; 1 is the hardest")
        return float(given)

    def group(self, row: Row, place: str) -> str:
        """What rows share that must fall into one split: the named column, their first picture, or their question."""
        if self.settings.columns.group:
            return str(_cell(row, self.settings.columns.group, place))
        if self.settings.layout in BENCHMARK_LAYOUTS:
            pictures = list(row_pictures(row).values())
            question = str(row.get("question") or row.get("problem") or "")
        else:
            row = self._usual(row, place)
            pictures = _optional(row, self.settings.columns.images, "images", place)
            question = str(_cell(row, self.settings.columns.question, place)) if not pictures else ""
        return picture_key(pictures[0]) if pictures else question

    def _usual(self, row: Row, place: str) -> Row:
        """The row with the usual columns where it has another trainer's layout."""
        return row if self.settings.layout is None else canonical_row(self.settings.layout, row, place)

    def _benchmark_problem(self, row: Row, place: str) -> Problem:
        settings = self.settings
        assert settings.layout is not None
        problem = read_benchmark(settings.layout, [(place, dict(row))], self._folder)[0].problem
        if problem.images and settings.modality == "text":
            raise _pictures_in_text(place, len(problem.images))
        return replace(
            problem,
            verifier=problem.verifier if settings.verifier is None else self._verifier(row, place),
            modality=settings.modality,
            domain=settings.domain or settings.name,
            source=settings.name,
            facts={**problem.facts, **settings.facts},
            difficulty=problem.difficulty if settings.columns.difficulty is None else self.difficulty(row, place),
            tags=settings.tags,
        )

    def pieces(self, row: Row, place: str) -> list[Text | Any]:
        """The prompt in reading order: texts, and pictures as the row refers to them."""
        columns = self.settings.columns
        text = str(_cell(row, columns.question, place))
        choices = self._choices(row, place)
        if choices and not _LABELLED.search(text):
            text += "".join(f"\n({LETTERS[i]}) {choice}" for i, choice in enumerate(choices))
        pictures = _optional(row, columns.images, "images", place)
        if pictures and self.settings.modality == "text":
            raise _pictures_in_text(place, len(pictures))
        found = list(PLACEHOLDER.finditer(text))
        if not found:
            return [*pictures, Text(text)]
        order = picture_order(found, len(pictures), place)
        pieces: list[Text | Any] = []
        start = 0
        for match, index in zip(found, order, strict=True):
            if text[start : match.start()]:
                pieces.append(Text(text[start : match.start()]))
            pieces.append(pictures[index])
            start = match.end()
        if text[start:]:
            pieces.append(Text(text[start:]))
        return pieces

    def _choices(self, row: Row, place: str) -> list[str]:
        return [str(choice) for choice in _optional(row, self.settings.columns.choices, "choices", place)]

    def _answers(self, row: Row, place: str) -> list[str]:
        given = _cell(row, self.settings.columns.answer, place)
        answers = [str(answer) for answer in given] if isinstance(given, list | tuple) else [str(given)]
        if not answers or not answers[0].strip():
            raise DataError(place, f"the answer is empty: {given!r}", "leave the row out or mend it")
        return answers

    def _facts(self, row: Row, place: str, answers: Sequence[str]) -> dict[str, Any]:
        facts = dict(self.settings.facts)
        for fact, column in self.settings.columns.facts.items():
            if column not in row:
                raise _no_column(row, column, place)
            if row[column] is not None:
                facts[fact] = row[column]
        choices = self._choices(row, place)
        if choices:
            facts["choices"] = choices
        if len(answers) > 1:
            facts["accepted"] = list(answers[1:])
        return facts

    def _verifier(self, row: Row, place: str) -> str:
        given = self.settings.verifier
        if isinstance(given, str):
            return given
        if isinstance(given, VerifierByColumn):
            value = str(_cell(row, given.column, place))
            name = given.values.get(value, given.otherwise)
            if name is None:
                raise DataError(
                    f"{place}, {given.column}",
                    f"no verifier is named for {value!r}",
                    f"add it to `values`, or `otherwise:`, in the source {self.settings.name!r}",
                )
            return name
        name = str(_cell(row, self.settings.columns.verifier or "", place))
        check_verifier(name, place)
        return name

    @property
    def _folder(self) -> Path:
        named = self.settings.image_folder
        return self.folder if named is None else Path(named).expanduser()

    def _file(self, path: str) -> Path:
        return self._folder / Path(path).expanduser()

    def _missing(self, path: str, place: str) -> None:
        raise BadImageError(
            place, f"the picture {path!r} is not there", f"picture paths start at {self._folder}; mend the path"
        )

    def _image(self, given: Any, place: str) -> Image:
        if isinstance(given, dict):
            given = given.get("bytes") or given.get("path")
        if isinstance(given, bytes):
            return Image.from_bytes(given)
        if isinstance(given, str):
            path = self._file(given)
            try:
                return Image.from_file(str(path))
            except FileNotFoundError:
                self._missing(given, place)
            except OSError as error:
                raise BadImageError(place, f"the picture {given!r} can't be read: {error.strerror}") from error
        raise DataError(place, f"a picture is given as {type(given).__name__}", "give a path or encoded bytes")


def picture_key(given: Any) -> str:
    """What tells a row's picture from others: its path, or for encoded bytes their digest."""
    if isinstance(given, Mapping):
        given = given.get("bytes") or given.get("path")
    return Image.from_bytes(given).digest if isinstance(given, bytes) else str(given)


def _pictures_in_text(place: str, count: int) -> DataError:
    return DataError(place, f"has {count} pictures in a source of modality 'text'", "name its modality")


def _cell(row: Row, column: str, place: str) -> Any:
    if column not in row:
        raise _no_column(row, column, place)
    if row[column] is None:
        raise DataError(f"{place}, {column}", "is empty", "leave the row out or mend it")
    return row[column]


def _no_column(row: Row, column: str, place: str) -> DataError:
    return DataError(place, f"has no column {column!r}", f"{did_you_mean(column, row)} Set `columns:` in the source.")


def _optional(row: Row, column: str | None, usual: str, place: str) -> list[Any]:
    """What a column of pictures or choices holds, as a list. One that was named must be there, the usual one may be."""
    if column and column not in row:
        raise _no_column(row, column, place)
    given = None if column == "" else row.get(column or usual)
    if given is None and column is None and usual == "images":
        given = row.get("image")  # as folders of pictures and many data sets have it
    if given is None or given == "":
        return []
    return list(given) if isinstance(given, list | tuple) else [given]

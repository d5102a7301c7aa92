"""Benchmarks in their own schemas, read as problems: MathVista, MMMU, MMMU-Pro, MATH-Vision, MATH, AIME, GSM8K, TabMWP,
DynaMath. The same reader serves `vlrl score` (answers, no images needed) and `vlrl eval` (images read).

Images stand where the question or an option names them (`<image 2>`, `<image2>`, `<image>`), the others before the
text. Ids are kept as the benchmark gives them (`pid`, `id`, `raw_id` …), beside the problem's own content digest.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from vlrl.data.images.image_refs import image_of
from vlrl.data.rows.placeholders import LETTERS, PLACEHOLDER
from vlrl.data.rows.row_view import file_named, media_in
from vlrl.data.tables.cell_text import shortened
from vlrl.data.tables.records import Record
from vlrl.errors import BadRowError, ConfigError, DataError, did_you_mean
from vlrl.types import Image, Problem, Text

_NUMBERED = re.compile(r"image_\d{1,2}")
KEYS = ("pid", "id", "raw_id", "unique_id", "model")
Row = Mapping[str, Any]

MMMU_DOMAINS = {
    "Art and Design": ("Art", "Art_Theory", "Design", "Music"),
    "Business": ("Accounting", "Economics", "Finance", "Manage", "Marketing"),
    "Science": ("Biology", "Chemistry", "Geography", "Math", "Physics"),
    "Health and Medicine": (
        "Basic_Medical_Science",
        "Clinical_Medicine",
        "Diagnostics_and_Laboratory_Medicine",
        "Pharmacy",
        "Public_Health",
    ),
    "Humanities and Social Science": ("History", "Literature", "Sociology", "Psychology"),
    "Tech and Engineering": (
        "Agriculture",
        "Architecture_and_Engineering",
        "Computer_Science",
        "Electronics",
        "Energy_and_Power",
        "Materials",
        "Mechanical_Engineering",
    ),
}
_DOMAIN_OF = {subject: domain for domain, subjects in MMMU_DOMAINS.items() for subject in subjects}


@dataclass(frozen=True)
class BenchmarkRow:
    """One row of a benchmark.

    keys    the ids that the row carries, as text: pid, id, raw_id, model …
    groups  grouping → this row's values in it (a row may stand in several, e.g. skills)
    place   file and line
    """

    keys: Mapping[str, str]
    problem: Problem
    groups: Mapping[str, tuple[str, ...]]
    place: str


@dataclass(frozen=True)
class _Draft:
    """What one schema says of a row, before images are placed."""

    text: str
    answer: str
    verifier: str
    metadata: dict[str, Any] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    imaged: bool = True


def read_benchmark(
    name: str,
    records: Sequence[Record],
    images_from: Path | None = None,
    on_bad_row: Callable[[str, DataError], None] | None = None,
) -> list[BenchmarkRow]:
    """The rows of a benchmark in order.

    images_from  folder where image paths start; None leaves images out (placeholders stay in the text)
    on_bad_row     is told place and error of a row that can't be read, which is then left out; None: they are raised

    Raises ConfigError for an unknown benchmark, DataError with the row's place for a missing or unreadable column.
    """
    reader = READERS.get(name)
    if reader is None:
        raise ConfigError("benchmark", f"unknown benchmark {name!r}", did_you_mean(name, READERS))
    rows = []
    for number, (place, row) in enumerate(records):
        try:
            rows.append(_row(name, reader, number, place, row, images_from))
        except DataError as error:
            if on_bad_row is None:
                raise
            on_bad_row(place, error)
    return rows


def _row(
    name: str,
    reader: Callable[[Row, str], _Draft],
    number: int,
    place: str,
    row: dict[str, Any],
    images_from: Path | None,
) -> BenchmarkRow:
    draft = reader(row, place)
    keys = {key: str(row[key]) for key in KEYS if row.get(key) is not None} or {"id": str(number)}
    if images_from is None:
        pieces: tuple[Text | Image, ...] = (Text(draft.text),)
    else:
        refuse_unread_images(row, place)
        pieces = _placed(draft.text, _images(row, images_from, place), place)
    problem = Problem(
        prompt=pieces,
        answer=draft.answer,
        verifier=draft.verifier,
        modality="real" if draft.imaged else "text",
        domain=name,
        source=name,
        metadata={key: value for key, value in draft.metadata.items() if value is not None},
    )
    return BenchmarkRow(keys, problem, draft.groups, place)


# --- one reader a schema ---------------------------------------------------------------------------------------------

_INTEGER_HINT = "requiring an integer answer and provide the final value, e.g., 1, 2, 3, at the end."
_FLOAT_HINTS = {
    1: "requiring a floating-point number with one decimal place and provide the final value, e.g., 1.2, 1.3, 1.4, "
    "at the end.",
    2: "requiring a floating-point number with two decimal places and provide the final value, e.g., 1.23, 1.34, 1.45, "
    "at the end.",
}
_LIST_HINT = (
    "requiring a Python list as an answer and provide the final list, e.g., [1, 2, 3], [1.2, 1.3, 1.4], at the end."
)
_CHOICE_HINT = "and provide the correct option letter, e.g., A, B, C, D, at the end."


def mathvista_query(row: Row) -> str:
    """The official prompt of a row: hint, question with its unit, choices (evaluation/build_query.py)."""
    choices, unit = row.get("choices"), row.get("unit")
    if row.get("question_type") == "multi_choice":
        hint = _CHOICE_HINT
    elif row.get("answer_type") == "integer":
        hint = _INTEGER_HINT
    elif row.get("answer_type") == "float":
        hint = _FLOAT_HINTS.get(int(row.get("precision") or 1), _FLOAT_HINTS[1])
    else:
        hint = _LIST_HINT
    lines = [
        f"Hint: Please answer the question {hint}",
        f"Question: {row['question']}" + (f" (Unit: {unit})" if unit else ""),
    ]
    if choices:
        lines.append("Choices:")
        lines += [f"({LETTERS[i]}) {choice}" for i, choice in enumerate(choices)]
    return "\n".join(lines).strip()


def _mathvista(row: Row, place: str) -> _Draft:
    meta = row.get("metadata") or {}
    answer_type = str(_cell(row, place, "answer_type"))
    precision = row.get("precision")
    groups: dict[str, tuple[str, ...]] = {"question_type": _values(_cell(row, place, "question_type"))}
    groups["answer_type"] = (answer_type,)
    for name in ("language", "source", "category", "task", "context", "grade"):
        groups[name] = _values(meta.get(name, row.get(name)))
    groups["skills"] = _values(meta.get("skills", row.get("skills")))
    metadata = {
        "question_type": row["question_type"],
        "answer_type": answer_type,
        "choices": _texts(row.get("choices")),
        "precision": None if precision is None else int(precision),
        "unit": row.get("unit") or None,
    }
    text = row.get("query") or mathvista_query(row)
    return _Draft(str(text), str(_cell(row, place, "answer")), "mathvista", metadata, groups)


def _mmmu(row: Row, place: str) -> _Draft:
    options = _options(row, place)
    kind = row.get("question_type")
    closed = bool(options) if kind is None else kind == "multiple-choice"
    answers = _texts(_listed(_cell(row, place, "answer"))) or [str(row["answer"])]
    subject = str(row.get("subject") or _subject(row))
    groups = {"domain": _values(_DOMAIN_OF.get(subject)), "subject": _values(subject)}
    if kind:
        groups["question_type"] = (str(kind),)
    question = str(row.get("question") or "")
    if closed:
        listed = "".join(f"({LETTERS[i]}) {option}\n" for i, option in enumerate(options))
        text = f"{question}\n\n{listed}\nAnswer with the option's letter from the given choices directly."
    else:
        text = f"{question}\n\nAnswer the question using a single word or phrase."
    metadata = {"choices": options if closed else None, "accepted": answers[1:] or None}
    return _Draft(text.strip(), answers[0], "mmmu", metadata, groups)


def _mathvision(row: Row, place: str) -> _Draft:
    options = _options(row, place)
    level, subject = str(row.get("level") or ""), str(row.get("subject") or "")
    groups = {"level": _values(level), "subject": _values(subject)}
    if level and subject:
        groups["subject_level"] = (f"{subject}, level {level}",)
    listed = "".join(f"\n({LETTERS[i]}) {option}" for i, option in enumerate(options))
    text = str(row.get("question") or "") + listed
    return _Draft(text, str(_cell(row, place, "answer")), "mathvision", {"choices": options}, groups)


def _math(row: Row, place: str) -> _Draft:
    groups = {"subject": _values(row.get("subject") or row.get("type")), "level": _values(row.get("level"))}
    text = str(_cell(row, place, "problem", "question", "Problem", "Question"))
    answer = str(_cell(row, place, "answer", "Answer"))
    return _Draft(text, answer, "math", {}, {k: v for k, v in groups.items() if v}, imaged=False)


def _gsm8k(row: Row, place: str) -> _Draft:
    answer = str(_cell(row, place, "answer")).rpartition("####")[2].strip()
    groups = {"model": _values(row.get("model"))} if row.get("model") else {}
    return _Draft(str(row.get("question") or ""), answer.replace(",", ""), "number", {}, groups, imaged=False)


def _tabmwp(row: Row, place: str) -> _Draft:
    choices = _texts(row.get("choices"))
    groups = {}
    for name, columns in (
        ("question_type", ("question_type", "ques_type")),
        ("answer_type", ("answer_type", "ans_type")),
    ):
        value = next((row[column] for column in columns if row.get(column)), None)
        groups[name] = _values(value)
    groups["grade"] = _values(row.get("grade"))
    listed = "".join(f"\n({LETTERS[i]}) {choice}" for i, choice in enumerate(choices or ()))
    unit = row.get("unit")
    text = str(row.get("question") or "") + (f" (Unit: {unit})" if unit else "") + listed
    metadata = {"choices": choices, "unit": unit or None}
    return _Draft(text, str(_cell(row, place, "answer")), "tabmwp", metadata, {k: v for k, v in groups.items() if v})


def _dynamath(row: Row, place: str) -> _Draft:
    groups = {name: _values(row.get(name)) for name in ("subject", "level", "answer_type")}
    metadata = {"answer_type": row.get("answer_type"), "seed_question": str(_cell(row, place, "seed_question"))}
    answer = str(_cell(row, place, "answer", "ground_truth"))
    return _Draft(str(row.get("question") or ""), answer, "dynamath", metadata, {k: v for k, v in groups.items() if v})


READERS: dict[str, Callable[[Row, str], _Draft]] = {
    "mathvista": _mathvista,
    "mmmu": _mmmu,
    "mmmu-pro": _mmmu,
    "mathvision": _mathvision,
    "math": _math,
    "aime": _math,
    "gsm8k": _gsm8k,
    "tabmwp": _tabmwp,
    "dynamath": _dynamath,
}


def _cell(row: Row, place: str, *columns: str) -> Any:
    for column in columns:
        if row.get(column) is not None:
            return row[column]
    raise DataError(place, f"has no {' or '.join(map(repr, columns))}", did_you_mean(columns[0], row))


def _values(value: Any) -> tuple[str, ...]:
    """A grouping's value or values as texts; empty where there is none."""
    if value is None or value == "":
        return ()
    return tuple(map(str, value)) if isinstance(value, list | tuple) else (str(value),)


def _texts(value: Any) -> list[str] | None:
    return [str(item) for item in value] if isinstance(value, list | tuple) else None


def _listed(value: Any) -> Any:
    """A list that is written as a Python literal, read without running it; anything else as it is."""
    if isinstance(value, str) and value.strip().startswith("[") and value.strip().endswith("]"):
        try:
            return ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return value
    return value


def _options(row: Row, place: str) -> list[str]:
    """The option texts: a list, a list as a string, or MMMU's letter → text mapping."""
    given = _listed(row.get("options"))
    if given is None and isinstance(row.get("index2ans"), Mapping):
        given = list(row["index2ans"].values())
    if given is None or given == "":
        return []
    texts = _texts(given)
    if texts is None:
        raise DataError(f"{place}, options", f"got {given!r}", "give a list of texts")
    return texts


def _subject(row: Row) -> str:
    """The subject inside an id such as `validation_Art_Theory_12`."""
    parts = str(row.get("id") or "").split("_")
    return "_".join(parts[1:-1]) if len(parts) > 2 else ""


# --- images --------------------------------------------------------------------------------------------------------


def row_images(row: Row) -> dict[int, Any]:
    """The row's images as it refers to them, by number from 1: `decoded_image`, `image_1` …, `images`, or `image`."""
    if row.get("decoded_image") is not None:
        return {1: row["decoded_image"]}
    numbered = {int(column[6:]): row[column] for column in row if _NUMBERED.fullmatch(column)}
    if found := {k: numbered[k] for k in sorted(numbered) if numbered[k] is not None}:
        return found
    listed = row.get("images") if row.get("images") is not None else row.get("image")
    items = listed if isinstance(listed, list | tuple) else [listed] if listed else []
    return dict(enumerate(items, 1))


def refuse_unread_images(row: Row, place: str) -> None:
    """Raises BadRowError for a column of a benchmark's row that holds an image which its schema doesn't name."""
    taken = list(row_images(row).values())
    known = {column for column in row if column in ("image", "images", "decoded_image") or _NUMBERED.fullmatch(column)}
    names = {PurePath(name).name for name in map(file_named, taken) if name}
    for column in row:
        if column not in known and (kind := media_in(column, row[column], names, bool(taken))) is not None:
            raise BadRowError(
                f"{place}, {column}",
                f"holds {kind} that would be lost: {shortened(row[column])}",
                "is the benchmark the right one? else leave the column out",
            )


def _images(row: Row, folder: Path, place: str) -> dict[int, Image]:
    found = row_images(row)
    return {number: _image(given, folder, f"{place}, image {number}") for number, given in found.items()}


def _image(given: Any, folder: Path, place: str) -> Image:
    return image_of(given, folder, place)


def _placed(text: str, images: Mapping[int, Image], place: str) -> tuple[Text | Image, ...]:
    """Text and images in reading order. Raises DataError for a placeholder without an image."""
    pieces: list[Text | Image] = []
    start, unnumbered, used = 0, 0, set()
    for match in PLACEHOLDER.finditer(text):
        unnumbered += match[1] is None
        number = int(match[1]) if match[1] else unnumbered
        if number not in images and len(images) == 1:  # MATH-Vision keeps all figures of a question in one file
            pieces.append(Text(text[start : match.start()]))
            start = match.end()
            continue
        if number not in images:
            raise DataError(place, f"names {match[0]} but has the images {sorted(images)}", "add the image")
        pieces += [Text(text[start : match.start()]), images[number]]
        start = match.end()
        used.add(number)
    pieces.append(Text(text[start:]))
    before = [image for number, image in images.items() if number not in used]
    return (*before, *(piece for piece in pieces if isinstance(piece, Image) or piece.text))

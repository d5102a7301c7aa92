"""Which column of a user's rows asks, answers and shows: by name, by what it holds, or asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vlrl.data.rows.chat_messages import messages_of
from vlrl.data.rows.gold_columns import GOLD_COLUMNS, bare
from vlrl.data.rows.layouts import CHATS, IMAGES, NUMBERED
from vlrl.data.rows.row_view import is_empty, media_in
from vlrl.data.tables.cell_text import shortened
from vlrl.errors import ConfigError

QUESTIONS = ("question", "problem", "prompt", "query", "instruction", "input", "question_text", "text")
WEAK_GOLDS = ("label", "target", "response", "output", "completion", "result")
THOUGHTS = ("rationale", "thought", "thinking", "reasoning", "cot", "chain_of_thought", "explanation")
CHOICES = ("choices", "options")
IDS = ("id", "idx", "index", "pid", "qid", "uid", "key", "number", "row", "split", "source", "license")
SHORT_WORDS, QUESTION_WORDS = 6, 3  # words of a gold at most, and of a question at least, where names say nothing
MOST = 0.95  # share of the rows for which what is told of a column must hold

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Said:
    """What the user says of the rows; None and empty where the rows are to tell."""

    question: str | None = None
    answer: str | None = None
    images: tuple[str, ...] = ()
    choices: str | None = None
    ignored: tuple[str, ...] = ()
    verifier: str | None = None
    choice_answers: str | None = None
    image_folder: str | None = None


@dataclass(frozen=True)
class Roles:
    """What a source's settings say of columns, and in words why."""

    settings: dict[str, Any]
    has_images: bool
    thought: str | None = None
    reasons: tuple[str, ...] = field(default=())


def unclear(what: str, found: str, option: str) -> ConfigError:
    """The question to the user where rows leave something open."""
    return ConfigError(f"--data, {what}", found, f"say it: {option}")


def kind_of_cell(column: str, value: Any) -> str:
    """`empty`, `messages`, `image`, `list`, `number`, `text` or `other`."""
    if is_empty(value):
        return "empty"
    if not isinstance(value, str) and messages_of(value):
        return "messages"
    if media_in(column, value) == "an image" or _names_files(column, value):
        return "image"
    if isinstance(value, bool):
        return "other"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "messages" if value.lstrip().startswith("[{") and messages_of(value) else "text"
    return "list" if isinstance(value, list | tuple) else "other"


def _names_files(column: str, value: Any) -> bool:
    listed = value if isinstance(value, list | tuple) else [value]
    return all(not isinstance(one, str) or len(one.split()) < 8 for one in listed) and (
        media_in(column, value) is not None
    )


def kinds_of(rows: Rows) -> dict[str, str]:
    """By column what its cells are, where 95 % of those that hold something agree; else `other`."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    found = {}
    for column in columns:
        counts: dict[str, int] = {}
        for row in rows:
            kind = kind_of_cell(column, row.get(column))
            counts[kind] = counts.get(kind, 0) + 1
        counts.pop("empty", None)
        if not counts:
            found[column] = "empty"
            continue
        if set(counts) == {"number", "text"}:
            counts = {"text": counts["number"] + counts["text"]}
        kind, most = max(counts.items(), key=lambda item: item[1])
        found[column] = kind if most >= MOST * sum(counts.values()) else "other"
    return found


def roles_of(rows: Rows, said: Said) -> Roles:
    """Columns of question, answer, images and options. Raises ConfigError with the question that rows leave open."""
    kinds = kinds_of(rows)
    named = [said.question, said.answer, said.choices, *said.images, *said.ignored]
    for column in named:
        if column and column not in kinds:
            listed = ", ".join(kinds)
            raise ConfigError("--data", f"no row has a column {column!r}", f"its columns: {listed}")
    kinds = {column: kind for column, kind in kinds.items() if column not in said.ignored}
    reasons: list[str] = []
    images = _images(rows, kinds, said, reasons)
    has_images = images is not None or any(kinds.get(column) == "image" for column in kinds)
    thought = next((column for column in THOUGHTS if kinds.get(column) == "text"), None)
    settings: dict[str, Any] = {}
    columns: dict[str, Any] = {}
    chats = [column for column in dict.fromkeys((*CHATS, "prompt", "input")) if kinds.get(column) == "messages"]
    if chats and said.question in (None, *chats):
        settings["layout"] = "verl" if "reward_model" in kinds and chats == ["prompt"] else "chat"
        reasons.append(f"column {chats[0]!r} holds messages: layout {settings['layout']}")
    else:
        columns["question"] = _question(rows, kinds, said, reasons)
        taken = [columns["question"], said.choices, thought]
        columns["answer"] = _answer(rows, kinds, said, taken, reasons)
        if choices := _choices(rows, kinds, said, columns["answer"], reasons):
            columns["choices"] = choices
    if images:
        columns["images"] = images[0] if len(images) == 1 else list(images)
    if said.ignored:
        columns["ignored"] = list(said.ignored)
    usual = {"question": "question", "answer": "answer"}
    columns = {key: value for key, value in columns.items() if usual.get(key) != value}
    if columns:
        settings["columns"] = columns
    return Roles(settings, has_images, thought, tuple(reasons))


def _images(rows: Rows, kinds: dict[str, str], said: Said, reasons: list[str]) -> tuple[str, ...] | None:
    """Columns to name; () where the reader's own names find them, None without images."""
    if said.images:
        return said.images
    found = [column for column, kind in kinds.items() if kind == "image"]
    if not found:
        return None
    if len(found) == 1:
        if found[0] in IMAGES:
            return ()
        reasons.append(f"column {found[0]!r} holds images")
        return (found[0],)
    if set(found) <= set(NUMBERED):
        return ()
    raise unclear(
        "images",
        f"{len(found)} columns hold images: {', '.join(found)}",
        f"--images {','.join(found)} for all of them in this order, or --images {found[0]} and "
        f"{' '.join(f'--ignore {column}' for column in found[1:])}",
    )


def _question(rows: Rows, kinds: dict[str, str], said: Said, reasons: list[str]) -> str:
    if said.question:
        return said.question
    texts = [column for column, kind in kinds.items() if kind == "text"]
    by_name = [column for column in QUESTIONS if column in texts]
    if len(by_name) == 1 or by_name[:1] == ["question"]:
        return by_name[0]
    if len(by_name) > 1:
        raise unclear("question", _several("may ask", by_name, rows), f"--question {'|'.join(by_name)}")
    known = (*GOLD_COLUMNS, *WEAK_GOLDS, *THOUGHTS, *CHOICES, *IDS)
    long = [column for column in texts if column.lower() not in known and _mean_words(rows, column) >= QUESTION_WORDS]
    if len(long) == 1:
        reasons.append(f"column {long[0]!r} is the only one with sentences: it asks")
        return long[0]
    if long:
        raise unclear("question", _several("may ask", long, rows), f"--question {'|'.join(long)}")
    listed = ", ".join(f"{column} ({kind})" for column, kind in kinds.items())
    raise unclear("question", f"no column holds questions: {listed}", "--question COLUMN")


def _answer(rows: Rows, kinds: dict[str, str], said: Said, taken: Sequence[str | None], reasons: list[str]) -> str:
    if said.answer:
        return said.answer
    free = [
        column
        for column, kind in kinds.items()
        if kind in ("text", "number", "list", "other") and column not in taken and column not in CHOICES
    ]
    strong = [column for column in GOLD_COLUMNS if column in free]
    if strong:
        strong.sort(key=lambda column: -_bare_share(rows, column))
        if len(strong) > 1:
            reasons.append(f"{', '.join(map(repr, strong))} hold answers: {strong[0]!r} is read, the others must agree")
        return strong[0]
    weak = [column for column in WEAK_GOLDS if column in free]
    short = [
        column for column in free if column.lower() not in IDS and kinds[column] != "list" and _is_gold(rows, column)
    ]
    found = weak if len(weak) == 1 else list(dict.fromkeys((*weak, *short)))
    if len(found) == 1:
        reasons.append(f"column {found[0]!r} holds the answers")
        return found[0]
    if found:
        raise unclear("answer", _several("may hold the answer", found, rows), f"--answer {'|'.join(found)}")
    listed = ", ".join(f"{column} ({kind})" for column, kind in kinds.items())
    raise unclear("answer", f"no column holds answers: {listed}", "--answer COLUMN")


def _choices(rows: Rows, kinds: dict[str, str], said: Said, answer: str, reasons: list[str]) -> str | None:
    """A column of options under a name that the reader doesn't know."""
    if said.choices or any(column in kinds for column in CHOICES):
        return said.choices
    lists = [column for column, kind in kinds.items() if kind == "list" and column != answer]
    held = [column for column in lists if _share(rows, lambda row, column=column: row[answer] in row[column]) >= MOST]
    if len(held) > 1:
        raise unclear("options", _several("may hold the options", held, rows), f"--choices {'|'.join(held)}")
    if held:
        reasons.append(f"column {held[0]!r} lists texts with the answer among them: options")
    return held[0] if held else None


def _share(rows: Rows, holds: Any) -> float:
    count = 0
    for row in rows:
        try:
            count += bool(holds(row))
        except (KeyError, TypeError):
            continue
    return count / max(1, len(rows))


def _held(rows: Rows, column: str) -> list[Any]:
    return [row[column] for row in rows if not is_empty(row.get(column))]


def _mean_words(rows: Rows, column: str) -> float:
    held = _held(rows, column)
    return sum(len(str(value).split()) for value in held) / max(1, len(held))


def _bare_share(rows: Rows, column: str) -> float:
    return _share(rows, lambda row: isinstance(row[column], list) or bare(row[column], column) is not None)


def _is_gold(rows: Rows, column: str) -> bool:
    """Whether a column may hold golds: short, in nearly all rows, not counting the rows, not always the same."""
    held = _held(rows, column)
    texts = [str(value).strip() for value in held]
    if len(held) < MOST * len(rows) or (len(set(texts)) < 2 and len(texts) > 1):
        return False
    counting = [str(k) for k in range(int(texts[0]), int(texts[0]) + len(texts))] if texts[0].isdecimal() else []
    return texts != counting and sum(len(text.split()) <= SHORT_WORDS for text in texts) >= MOST * len(texts)


def _several(may: str, columns: Sequence[str], rows: Rows) -> str:
    shown = "; ".join(f"{column}: {shortened(next(iter(_held(rows, column)), ''))}" for column in columns)
    return f"{len(columns)} columns {may}: {shown}"

"""Rows in the layouts of other trainers and of benchmarks, so that a switch costs one line: `layout: easyr1`.

A trainer's layout says in which columns a row asks, answers, shows images and responds; `LAYOUTS_OF_TRAINERS` is the
whole table. A question is a text, or a chat in any of the spellings that `vlrl.data.rows.chat_messages` reads. System
messages are left out: a run's config sets its own. Without a column for the answer, it is what the response declares.
Columns of tools, earlier turns, boxes, videos and recordings that hold something make the row refused by name, unless
the layout reads them. The benchmarks' layouts (`vlrl.data.benchmarks`), those of programming problems among them
(`vlrl.data.rows.code_rows`), bring their own prompt and verifier along.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vlrl.data.benchmarks.benchmark_definition import benchmarks
from vlrl.data.rows.chat_messages import ASKED_ONCE, beside_messages, messages_of, system_of, text_of, turns_of
from vlrl.data.rows.gold_columns import bare, declared
from vlrl.data.rows.grounding import fill_objects, refuse_marks
from vlrl.data.rows.placeholders import Piece, pieces_of
from vlrl.data.rows.row_view import RowView, is_empty
from vlrl.data.tables.cell_text import shortened, written
from vlrl.errors import BadRowError

CHATS = ("messages", "conversations", "conversation", "message", "contents", "texts", "dialog", "context_messages")
IMAGES = ("images", "image", "image_path", "image_paths", "image_file", "image_url", "image_urls", "img", "img_path")
NUMBERED = tuple(f"image_{k}" for k in range(1, 21))
REFUSED = ("history", "objects", "tools", "videos", "video", "audios", "audio")  # where they hold something
SYSTEM_COLUMNS = ("system", "system_prompt")
# what preference rows and other stages of those trainers hold, and the system message
LEFT_OUT = frozenset(
    [
        "system",
        "system_prompt",
        "rejected",
        "rejected_response",
        "rejected_images",
        "rejected_messages",
        "kto_tag",
        "score",
        "margin",
        "channel",
        "extra_info",
        "reward_method",
        "accu_reward_method",
    ]
)


@dataclass(frozen=True)
class TrainerLayout:
    """Which columns of a trainer's rows hold what; of several the first that holds something.

    asked      the question as a text; `input` is added to an `instruction`
    chats      the question as a chat, tried before `asked`
    answers    the gold; where two of them hold something they must agree
    responses  a whole response
    """

    asked: tuple[str, ...] = ("problem", "question", "prompt", "query", "instruction")
    chats: tuple[str, ...] = CHATS
    answers: tuple[str, ...] = ("solution", "answer", "ground_truth", "reward_model", "gt", "target")
    responses: tuple[str, ...] = ("completion", "response", "output", "chosen")


_TRL = TrainerLayout(chats=("prompt", *CHATS))
LAYOUTS_OF_TRAINERS: dict[str, TrainerLayout] = {
    "easyr1": TrainerLayout(asked=("problem",), chats=(), answers=("answer",), responses=()),
    "verl": TrainerLayout(asked=("prompt",), chats=("prompt",), answers=("reward_model",), responses=()),
    "trl": _TRL,
    "r1-v": _TRL,
    "open-r1": _TRL,
    "vlm-r1": TrainerLayout(),
    "mm-eureka": TrainerLayout(),
    "openrlhf": TrainerLayout(
        asked=("input", "prompt", "question", "query"),
        chats=("message", "prompt", "input", *CHATS),
        answers=("answer", "label", "ground_truth", "solution"),
    ),
    "llama-factory": TrainerLayout(),
    "ms-swift": TrainerLayout(),
    "sharegpt": TrainerLayout(),
    "llava": TrainerLayout(),
    "internvl": TrainerLayout(),
    "qwen-vl": TrainerLayout(),
    "openai": TrainerLayout(),
    "chat": TrainerLayout(chats=(*CHATS, "prompt", "input")),
}


def known_layouts() -> tuple[str, ...]:
    """All names that `layout:` takes: trainers', then those of the registered benchmarks."""
    return (*LAYOUTS_OF_TRAINERS, *benchmarks)


@dataclass(frozen=True)
class AskedRow:
    """What a row asks: the question's pieces, the images of its columns, the gold as given, a response, and metadata
    that the row declares to its verifier."""

    pieces: list[Piece]
    images: list[Any]
    answer: Any
    response: str | None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    answer_column: str = "answer"
    system: str | None = None  # the row's own system message


def read_trainer_row(name: str, row: RowView, place: str) -> AskedRow:
    """A row in the layout of a trainer. Raises BadRowError for what it lacks and for content that it can't carry."""
    layout = LAYOUTS_OF_TRAINERS[name]
    pieces, response, system = _question(layout, row, place)
    for column in SYSTEM_COLUMNS:
        if row.holds(column) and isinstance(given := row.peek(column), str):
            if system is not None and system != given:
                raise BadRowError(f"{place}, {column}", "says something else than the system message", "give it once")
            system = given
    for column in layout.responses:
        if response is None and row.holds(column):
            given = row[column]
            turns = messages_of(given)
            response = _response(turns, f"{place}, {column}") if turns else pieces_of(written(given, place))
    images = column_images(row, None, place)
    metadata: Mapping[str, Any] = {}
    if row.holds("objects") and name == "ms-swift":
        pieces, response, metadata = fill_objects(row["objects"], pieces, response, place)
    for column in REFUSED:
        if row.holds(column) and column in row.unread():
            what = f"holds {len(row[column])} earlier turns" if column == "history" else "is not read"
            remedy = ASKED_ONCE if column == "history" else "leave the row out, or empty the column"
            raise BadRowError(f"{place}, {column}", f"{what}: {shortened(row[column])}", remedy)
    said = text_of(response, place)
    for text in (*(piece for piece in pieces if isinstance(piece, str)), said or ""):
        refuse_marks(text, place)
    column, answer = _answer(layout, row, place, said)
    return AskedRow(pieces, images, answer, said, metadata, column, system)


def column_images(row: RowView, named: str | None, place: str) -> list[Any]:
    """The row's images as it refers to them: of a named column, or of the first usual one that holds some.

    `image_1`, `image_2` … are read in order. `named` "" is for none.
    """
    if named == "":
        return []
    for column in IMAGES if named is None else (named,):
        if row.holds(column):
            given = row[column]
            if isinstance(given, str) and given.lstrip()[:1] in ("[", "{"):
                given = _from_json(given)
            listed = list(given) if isinstance(given, list | tuple) else [given]
            if any(is_empty(item) for item in listed):
                raise BadRowError(f"{place}, {column}", f"holds an empty image: {shortened(listed)}", "mend the row")
            return listed
    return [row[column] for column in NUMBERED if row.holds(column)] if named is None and _is_numbered(row) else []


def _is_numbered(row: RowView) -> bool:
    return any(column.startswith("image_") for column in row)


def suggested_layout(row: Mapping[str, Any]) -> str:
    """A remedy for a row without the usual columns that looks as if another trainer had written it."""
    for column in (*CHATS, "prompt"):
        if messages_of(row.get(column)):
            return f"its column {column!r} holds messages: set `layout: chat`, or that of its trainer."
    if "reward_model" in row:
        return "set `layout: verl`."
    return "set `layout: easyr1`, or `columns: {question: problem}`." if "problem" in row else ""


def _question(layout: TrainerLayout, row: RowView, place: str) -> tuple[list[Piece], list[Piece] | None, str | None]:
    """Question, response and system message, the last two where a chat holds them."""
    for column in layout.chats:
        if not row.holds(column):
            continue
        given = row[column]
        if messages_of(given) or beside_messages(given) or not isinstance(given, str):
            return *turns_of(given, f"{place}, {column}"), system_of(given, f"{place}, {column}")
    for column in layout.asked:
        if row.holds(column):
            text = written(row[column], f"{place}, {column}")
            if column == "instruction" and row.holds("input"):
                text += f"\n{written(row['input'], place)}"
            return *turns_of(text, f"{place}, {column}"), system_of(text, f"{place}, {column}")
    names = list(dict.fromkeys((*layout.asked, *layout.chats)))
    raise BadRowError(
        place,
        f"has no {' or '.join(map(repr, names))}",
        f"its columns: {', '.join(row)}; is the layout the right one?",
    )


def _response(turns: list[Mapping[str, Any]], place: str) -> list[Piece] | None:
    """The last message of a completion."""
    return turns_of([{"role": "user", "content": "?"}, turns[-1]], place)[1]


def _answer(layout: TrainerLayout, row: RowView, place: str, response: str | None) -> tuple[str, Any]:
    """The gold and its column (tags and boxes around it are taken off), else what the response declares.

    Of several columns it is the first that holds no solution in words; the others must agree: `gold_columns`.
    """
    held = [column for column in layout.answers if row.holds(column)]
    if len(held) > 1:
        held.sort(key=lambda column: _wording(row.peek(column)))
    for column in held[:1]:
        given = row[column]
        if column == "reward_model":
            given = _from_json(given) if isinstance(given, str) else given
            if not isinstance(given, Mapping) or is_empty(given.get("ground_truth")):
                raise BadRowError(
                    f"{place}, reward_model", f"got {shortened(given)}", "give {style: rule, ground_truth: answer}"
                )
            given = given["ground_truth"]
        if isinstance(given, str):
            refuse_marks(given, place)
        return column, declared(given) if isinstance(given, str) else given
    if len(layout.answers) == 1:
        column = layout.answers[0]
        raise BadRowError(f"{place}, {column}", "is missing or empty", "is the layout the right one?")
    found = None if response is None else declared(response, prose=False)
    if found is None:
        raise BadRowError(
            place,
            "has no answer: no column " + ", ".join(layout.answers) + ", and no response that declares one",
            "add such a column, or write <answer>…</answer> or \\boxed{…} in the response",
        )
    return "the response", found


def _wording(given: Any) -> int:
    """0 for a cell that is the gold and nothing else, 1 for one that declares it in a few words, 2 for a solution."""
    text = bare(given) if isinstance(given, str) else ""
    return 2 if text is None else int(isinstance(given, str) and text != given.strip())


def _from_json(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except ValueError:
        return text

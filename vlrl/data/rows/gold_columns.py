"""Several columns that hold a row's gold: they must say the same, since one of them alone is read.

A table may hold the answer twice: `answer` beside `ground_truth`, `\\boxed{…}` in `solution`, the letter and the text
of an option. What isn't read as the gold is compared with it, by the source's own verifier where the texts differ. A
worked solution in words is no gold: it declares its answer somewhere, or not.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from vlrl.data.choices.gold_choice import gold_of
from vlrl.data.choices.options import Options
from vlrl.data.inspection.gold_checks import BadGoldError
from vlrl.data.rows.row_view import RowView, is_empty
from vlrl.data.tables.cell_text import shortened, written
from vlrl.errors import BadRowError
from vlrl.types import Problem
from vlrl.verify.extract import extract
from vlrl.verify.gold_check import accepts
from vlrl.verify.verifiers.choice import LETTERS, gold_index

GOLD_COLUMNS = (
    "answer",
    "answers",
    "solution",
    "ground_truth",
    "groundtruth",
    "gt",
    "gt_answer",
    "gold",
    "gold_answer",
    "final_answer",
    "correct_answer",
    "correct_option",
    "reference_answer",
    "reward_model",
)
GOLDS_ARE_LISTS = ("list", "box", "boxes", "point")
GOLDS_ARE_TEXTS = ("number", "choice", "text", "math", "time", "relaxed", "anls", "vqa")
_WRAPPERS = ("<answer>", "\\boxed{", "\\boxed {")
DECLARING = ("tag", "box", "json", "phrase")
_MOST_KNOWN = 50_000
_known: dict[tuple[str, str], bool] = {}  # by problem and text
_LONGEST = 6  # words of a gold; what is longer is a solution in words


def refuse_second_golds(
    row: RowView,
    problem: Problem,
    options: Options,
    read: str,
    place: str,
    ignored: Iterable[str] = (),
    others: Iterable[str] = (),
) -> None:
    """Raises BadGoldError where another column of the row holds another gold than the one that was read.

    read    the name of the gold's own column, for the message
    others  columns that hold golds in the row's layout, besides those that do in any
    """
    for column in dict.fromkeys((*GOLD_COLUMNS, *others)):
        if column in ignored or not row.holds(column) or column not in row.unread():
            continue
        second = [text for item in _listed(row.peek(column)) if (text := bare(item, column)) is not None]
        if second and not any(_agrees(problem, options, text) for text in second):
            raise BadGoldError(
                f"{place}, {column}",
                f"says {shortened(second[0])!r}, and {read} says {shortened(problem.answer)!r}",
                f"mend the row, or name the right one: `columns: {{answer: …}}`, `columns: {{ignored: [{column}]}}`",
            )


def declared(text: str, prose: bool = True) -> str | None:
    """What stands in a tag, a box or a declaring phrase; the text itself where nothing does and it may be prose."""
    found = extract(text)
    if found.answer is not None and found.how in DECLARING:
        return found.answer if found.declared else found.answer.removesuffix(".")
    if found.how == "line" or prose:
        return text.strip()
    return None


def bare(given: Any, column: str = "") -> str | None:
    """The gold that a cell holds by itself; None for a solution in words and for what is no single value."""
    if isinstance(given, Mapping):
        given = given.get("ground_truth", given.get("answer"))
    try:
        text = written(given, "")
    except BadRowError:
        return None
    if is_empty(text.strip()) or len(text.split()) > _LONGEST or "\n" in text.strip():
        return None
    if column == "solution" and len(text.split()) > 1 and extract(text).how not in DECLARING:
        return None
    return declared(text)


def unwrapped(text: str) -> str:
    """A gold without the tag or the box that is all around it."""
    inner = text.strip().strip("$").strip()
    if not (inner.startswith(_WRAPPERS) and inner.endswith(("}", ">"))):
        return text
    found = extract(inner)
    return found.answer if found.answer is not None and found.how in ("tag", "box") else text


def golds_in(given: Any, verifier: str, place: str) -> list[Any]:
    """The golds that a cell holds: of a list the first is the gold and each other one is as good.

    Under a verifier whose golds are lists themselves, a list of single values is one gold. A text that is a JSON or
    Python list of one text is that text. Raises BadRowError for such a list of several, which may mean any or all.
    """
    if verifier == "code":
        return [given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)]
    if verifier in GOLDS_ARE_LISTS and isinstance(given, list | tuple) and _is_one_list(given, verifier):
        return [json.dumps(list(given), default=str, ensure_ascii=False)]
    if verifier in GOLDS_ARE_TEXTS and isinstance(given, str) and (inner := _texts_in(given)):
        if len(inner) > 1:
            raise BadRowError(
                place,
                f"is a text that lists {len(inner)} answers: {shortened(given)}",
                "write a list where each of them is right, or choose the verifier `list` where all belong together",
            )
        return inner
    return _listed(given)


def _is_one_list(given: Any, verifier: str) -> bool:
    kinds = (list, tuple) if verifier == "boxes" else (str, int, float) if verifier == "list" else (int, float)
    return len(given) > 0 and all(isinstance(item, kinds) for item in given)


def _texts_in(text: str) -> list[str]:
    """The texts of a list that is written as a text, quotes and all; empty where it is none."""
    if not re.fullmatch(r"\s*\[\s*([\"']).*\1\s*\]\s*", text, re.DOTALL):
        return []
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(found, list) and all(isinstance(item, str) for item in found):
            return found
    return []


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else [given]


def _agrees(problem: Problem, options: Options, text: str) -> bool:
    if _plain(text) == _plain(problem.answer):
        return True
    if options:
        gold = gold_index(problem, list(options.texts))
        return any(_option(text, options, meaning) == gold for meaning in _MEANINGS)
    return _accepted(problem, text)


_MEANINGS: tuple[Any, ...] = (None, "letter", "text", "index", "number")


def _option(text: str, options: Options, meaning: Any) -> int | None:
    """The number of the option that a text is, read in one way; None where it is none."""
    try:
        found = gold_of(int(text) if text.isdecimal() else text, options, meaning, "")
    except BadRowError:
        return None
    return options.texts.index(found) if found in options.texts else LETTERS.index(found.strip("()"))


def _accepted(problem: Problem, text: str) -> bool:
    """Whether the verifier takes the text for the gold; asked once, however often the row is read."""
    known = (problem.id, text)
    if known not in _known:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[known] = accepts(problem, text)
    return _known[known]


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()

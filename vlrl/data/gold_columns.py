"""Several columns that hold a row's gold: they must say the same, since one of them alone is read.

A table may hold the answer twice: `answer` beside `ground_truth`, `\\boxed{…}` in `solution`, the letter and the text
of an option. What isn't read as the gold is compared with it, by the source's own verifier where the texts differ. A
worked solution in words is no gold: it declares its answer somewhere, or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from vlrl.data.choices import Options, gold_of
from vlrl.data.gold_checks import BadGoldError
from vlrl.data.row_view import RowView, is_empty
from vlrl.data.written import shortened, written
from vlrl.errors import BadRowError
from vlrl.types import Problem
from vlrl.verify.choice import LETTERS, gold_index
from vlrl.verify.extract import extract
from vlrl.verify.gold_check import accepts

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
        second = [text for item in _listed(row.peek(column)) if (text := bare(item)) is not None]
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


def bare(given: Any) -> str | None:
    """The gold that a cell holds by itself; None for a solution in words and for what is no single value."""
    if isinstance(given, Mapping):
        given = given.get("ground_truth", given.get("answer"))
    try:
        text = written(given, "")
    except BadRowError:
        return None
    if is_empty(text.strip()) or len(text.split()) > _LONGEST or "\n" in text.strip():
        return None
    return declared(text)


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

"""Where a row holds the options of its question: in a named column, in one of the usual ones, or in one a letter."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from typing import Any

from vlrl.data.choices.option_forms import from_columns, from_text, read_options
from vlrl.data.choices.option_labels import lists_letters
from vlrl.data.choices.options import Options
from vlrl.data.rows.placeholders import LETTERS
from vlrl.data.rows.row_view import RowView, is_empty
from vlrl.errors import BadRowError

COLUMNS = ("choices", "options")

OTHER_COLUMNS = (
    "option",
    "choice",
    "candidates",
    "answer_choices",
    "answer_options",
)  # of options, if they hold a list

_LETTERED = [
    tuple(pattern.format(letter) for letter in letters)
    for pattern in (
        "{}",
        "option_{}",
        "choice_{}",
        "option{}",
        "choice{}",
        "op{}",
        "opt_{}",
        "answer_{}",
        "ending{}",
    )
    for letters in (LETTERS, LETTERS.lower(), "123456789", "0123456789")
]


def row_options(row: RowView, column: str | None, place: str) -> Options:
    """The options of a row: of the named column, of the usual ones, or of one column a letter.

    column  None: look in the usual ones; "": the row has no options

    Raises BadRowError for options that can't be read, that two columns hold differently, or that have a gap.
    """
    if column == "":
        return Options()
    names = [name for name in (COLUMNS if column is None else (column,)) if name in row and not is_empty(row[name])]
    read = [read_options(row[name], f"{place}, {name}") for name in names]
    if len({options.texts for options in read}) > 1:
        raise BadRowError(
            place,
            f"its columns {' and '.join(map(repr, names))} hold different options",
            "name the right one: `columns: {choices: …}`",
        )
    if read:
        return read[0]
    if column is not None:
        return Options()
    for name in OTHER_COLUMNS:
        if row.holds(name) and (listed := _listed_options(row.peek(name), f"{place}, {name}")):
            row[name]  # so that the column counts as read
            return listed
    for lettered in _LETTERED:
        if lettered[0] in row and row.holds(lettered[0]) and row.holds(lettered[1]):
            filled = list(takewhile(row.holds, lettered))
            if skipped := [name for name in lettered[len(filled) :] if row.holds(name)]:
                raise BadRowError(place, f"has the option {skipped[0]!r} but not {lettered[len(filled)]!r}", "mend it")
            return from_columns([row[name] for name in filled], place)
    return Options()


def _listed_options(cell: Any, place: str) -> Options:
    """The options that a cell lists in one of the usual forms; none where it holds something else."""
    if isinstance(cell, str):
        try:
            cell = from_text(cell, place)
        except BadRowError:
            return Options()
    return read_options(cell, place) if isinstance(cell, Mapping | list | tuple) else Options()


def refuse_stray(row: RowView, place: str) -> None:
    """Raises BadRowError where a row without options has columns of options that don't begin with the first two."""
    for names in _LETTERED:
        filled = [name for name in names if row.holds(name)]
        if len(filled) > 1:
            missing = next(name for name in names if not row.holds(name))
            raise BadRowError(place, f"has the options {filled} but not {missing!r}", "mend the row")


def refuse_empty(row: RowView, column: str | None, question: str, place: str) -> None:
    """Raises BadRowError for a column of options that is there and empty, where the question lists none either."""
    for name in COLUMNS if column is None else (column,):
        cell = row.get(name)
        if cell is not None and is_empty(cell) and not lists_letters(question):
            raise BadRowError(
                f"{place}, {name}",
                "has no option, and the question lists none",
                "add the options; a question whose options stand in its image has no such column, or null in it",
            )

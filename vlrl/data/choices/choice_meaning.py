"""What the golds of a table of choices mean, where single rows leave it open: decided by all rows together.

A table whose golds are whole numbers counts from 0 if a 0 is among them, and from 1 if one of them is as large as the
number of its options. Where neither or both occur, nothing is decided, and the first such row is refused by name.
"""

from __future__ import annotations

import logging
from typing import Any

from vlrl.data.choices.gold_choice import Meaning
from vlrl.data.rows.row_to_problem import RowReader
from vlrl.data.tables.table_files import Table
from vlrl.errors import BadRowError

FIRST_ROWS = 20_000  # of a longer table

log = logging.getLogger(__name__)


def decided_meaning(table: Table, reader: RowReader) -> Meaning | None:
    """How the golds of choices are written, None where rows say it themselves or it can't be told."""
    settings = reader.settings
    if settings.choice_answers is not None or settings.verifier != "choice":
        return settings.choice_answers
    from_zero = from_one = False
    numbers = 0
    for index in range(min(len(table), FIRST_ROWS)):
        try:
            given, options = reader.gold_and_options(table.row(index), table.place(index))
        except BadRowError:
            continue  # said where the row is read
        number = _number(given)
        if not options:
            continue
        if number is None or (isinstance(given, str) and given in options.texts) or options.numbers:
            return None
        numbers += 1
        from_zero |= number == 0
        from_one |= number == len(options.texts)
    if not numbers or from_zero == from_one:
        return None
    meaning: Meaning = "index" if from_zero else "number"
    log.warning(
        "source %r: its %d golds of choices are taken as %s; `choice_answers: %s` says so without this line",
        settings.name,
        numbers,
        "indices from 0" if from_zero else "numbers from 1",
        meaning,
    )
    return meaning


def _number(given: Any) -> int | None:
    if isinstance(given, bool) or not isinstance(given, int | str):
        return None
    text = str(given).strip()
    return int(text) if text.isdecimal() and len(text) < 3 else None

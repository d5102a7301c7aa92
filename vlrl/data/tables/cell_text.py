"""Cells as their author wrote them: the text of a value, without what a library would make of it.

JSON numbers keep their digits ("7.10", "1e5"), true and false are spelled as in JSON, a float32 has the digits of a
float32, dates and times are ISO 8601.
"""

from __future__ import annotations

import datetime
import decimal
import json
import math
from typing import Any

from vlrl.errors import BadRowError


class WrittenFloat(float):
    """A number of a JSON file with the digits that stand there."""

    text: str

    def __new__(cls, text: str) -> WrittenFloat:
        """Raises ValueError for a text that is no number."""
        made = super().__new__(cls, text)
        made.text = text
        return made

    def __str__(self) -> str:
        return self.text

    def __reduce__(self) -> tuple[type[WrittenFloat], tuple[str]]:
        return type(self), (self.text,)


def written(value: Any, place: str) -> str:
    """The text of a cell. Raises BadRowError for one that holds no single value."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        raise BadRowError(place, f"is {value!r}", "leave the row out or mend it")
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    raise BadRowError(place, f"holds {shortened(value)}, not one text or number", "name another column or mend the row")


def shortened(value: Any, most: int = 80) -> str:
    """A value in a message: one line, the start of a long one."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    text = " ".join(text.split()).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= most else f"{text[:most]}…"

"""A griffe extension: the house's lists of fields in docstrings (`name   what it is`) are lists on the site."""

from __future__ import annotations

import re
from typing import Any

import griffe

FIELD = re.compile(r"^(\w[\w, ]*?) {2,}(\S.*)$")


def as_list(text: str) -> str:
    """Paragraphs that are such a list, as Markdown; all else as it is."""
    paragraphs = text.split("\n\n")
    return "\n\n".join(_listed(one) if FIELD.match(one.partition("\n")[0]) else one for one in paragraphs)


def _listed(paragraph: str) -> str:
    lines: list[str] = []
    for line in paragraph.splitlines():
        if field := FIELD.match(line):
            lines.append(f"- `{field[1]}` {field[2]}")
        else:
            lines.append(f"  {line.strip()}")
    return "\n".join(lines)


class FieldLists(griffe.Extension):
    """Applies `as_list` to every docstring that is read."""

    def on_object(self, *, obj: Any, **_: Any) -> None:
        """Griffe calls this for modules, classes, functions and attributes."""
        if obj.docstring is not None:
            obj.docstring.value = as_list(obj.docstring.value)

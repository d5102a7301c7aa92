"""Prompts that are part image, part typed text: which part of a text is rendered."""

from __future__ import annotations

import re
from typing import Literal

from vlrl.rendered_text.typesetting.markup import FENCE, TABLE_RULE
from vlrl.rendered_text.undrawable import UndrawableError

Part = Literal["all", "context", "question", "data"]
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"“(])")


def split_text(text: str, part: Part) -> list[tuple[bool, str]]:
    """(whether it is rendered, text) in reading order; together they are the whole text.

    all       everything is rendered
    context   everything but the question, which is typed after the image
    question  only the question, after the typed context
    data      only fenced code and tables (lines with bars or tabs); the prose is typed

    The question is the last paragraph, or of a single paragraph the last line, or of a single line the last sentence.
    Raises UndrawableError if the text has no such part.
    """
    if part == "all":
        return [(True, text)]
    if part == "data":
        return _data(text)
    context, question = _question(text.strip())
    return [(part == "context", context), (part == "question", question)]


def _question(text: str) -> tuple[str, str]:
    for ends in (re.compile(r"\n\s*\n"), re.compile(r"\n"), SENTENCE_END):
        found = list(ends.finditer(text))
        if found:
            return text[: found[-1].start()], text[found[-1].end() :]
    raise UndrawableError(
        "rendered text, part", f"{text[:60]!r} is a single sentence: no context before a question", "use part: all"
    )


def _data(text: str) -> list[tuple[bool, str]]:
    lines = text.split("\n")
    drawn = [False] * len(lines)
    opened: int | None = None
    for i, line in enumerate(lines):
        if opened is None and FENCE.match(line):
            opened = i
        elif opened is not None and line.strip() == "```":
            drawn[opened : i + 1] = [True] * (i + 1 - opened)
            opened = None
    row = ["|" in line or "\t" in line.strip() or bool(line and TABLE_RULE.fullmatch(line)) for line in lines]
    for i, is_row in enumerate(row):
        beside = (i > 0 and row[i - 1]) or (i + 1 < len(row) and row[i + 1])
        drawn[i] = drawn[i] or (is_row and beside)
    if not any(drawn):
        raise UndrawableError(
            "rendered text, part", f"{text[:60]!r} holds no fenced code and no table", "use part: all"
        )
    parts: list[tuple[bool, str]] = []
    for is_drawn, line in zip(drawn, lines, strict=True):
        if parts and parts[-1][0] == is_drawn:
            parts[-1] = (is_drawn, parts[-1][1] + "\n" + line)
        else:
            parts.append((is_drawn, line))
    return [(is_drawn, piece) for is_drawn, piece in parts if piece.strip()]

r"""Where `\boxed{…}` stands in a text: every outermost one whose braces balance."""

from __future__ import annotations

import re

_BOX = re.compile(r"\\f?box(?:ed)?\s{0,3}\{")
_BRACES = re.compile(r"\\f?box(?:ed)?\s{0,3}\{|\\.|[{}]", re.DOTALL)


def boxed(text: str) -> list[str]:
    r"""The contents of every outermost `\boxed{…}` in order; a box whose braces never balance is left out."""
    return [text[content:end] for _, content, end in box_spans(text)]


def box_spans(text: str) -> list[tuple[int, int, int]]:
    """(start, start of the content, end of the content) of every outermost box."""
    first = _BOX.search(text) if "box" in text else None
    if first is None:
        return []
    open_braces: list[tuple[bool, int, int]] = []  # (a box?, where it starts, where its content starts)
    spans: list[tuple[int, int, int]] = []  # (start, start of the content, end of the content)
    for match in _BRACES.finditer(text, first.start()):
        token = match.group()
        if token == "}":
            if open_braces:
                box, start, content = open_braces.pop()
                if box:
                    while spans and spans[-1][0] > start:
                        spans.pop()  # it lies inside this one
                    spans.append((start, content, match.start()))
        elif token[-1] == "{" and token != "\\{":
            open_braces.append((len(token) > 1, match.start(), match.end()))
    return spans

"""Reading markdown: blocks of a text, and the words, code and formulas of a line. What is no markup stays as it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

BlockKind = Literal["text", "heading", "item", "code", "table", "formula", "gap"]
Style = Literal["plain", "bold", "code", "formula"]

FENCE = re.compile(r"^\s*```\s*([\w+#-]*)\s*$")
HEADING = re.compile(r"^(#{1,4})\s+(.*)$")
ITEM = re.compile(r"^(\s*)([-*•]|\d{1,3}[.)])\s+(.*)$")
TABLE_RULE = re.compile(r"^[\s|:-]*-[\s|:-]*$")
DISPLAY = re.compile(r"\$\$(.+?)\$\$|\\\[(.+?)\\\]", re.DOTALL)
# a dollar opens a formula before a character and closes it after one, but not before a digit: "$5 and $7" is money
INLINE = re.compile(
    r"(?<!\\)\$(?P<dollar>(?=\S)(?:[^$\\]|\\.)+?(?<=\S))\$(?!\d)"
    r"|\\\((?P<paren>.+?)\\\)"
    r"|(?P<code>`[^`\n]+`)"
    r"|(?<![\w*])(?P<bold>\*\*(?=\S)[^*\n]+?(?<=\S)\*\*)(?![\w*])"
)


# an amount and words between two dollars, and nothing of a formula: "$5 now and 6$ later"
MONEY = re.compile(r"\d[\d,.]*[ .,;:)!?][^\\^_={}<>+*/]*?(?<![A-Za-z])[A-Za-z]{2,}[^\\^_={}<>+*/]*")


@dataclass(frozen=True)
class MarkupBlock:
    """One block. `text` is a line, the code, or a formula; `mark` the language, the item's mark or the heading's #."""

    kind: BlockKind
    text: str = ""
    mark: str = ""
    rows: tuple[tuple[str, ...], ...] = ()
    level: int = 0  # of an item's indentation


def read_blocks(text: str) -> list[MarkupBlock]:
    """The blocks of a text, in order. Every line of prose is a block; a fence that is never closed is prose."""
    blocks: list[MarkupBlock] = []
    lines = _display_on_own_lines(text).expandtabs(4).split("\n")
    i = 0
    while i < len(lines):
        line = lines[i]
        fence = FENCE.match(line)
        if fence:
            end = next((j for j in range(i + 1, len(lines)) if lines[j].strip() == "```"), None)
            if end is not None:
                blocks.append(MarkupBlock("code", "\n".join(lines[i + 1 : end]), fence.group(1)))
                i = end + 1
                continue
        table = _table_length(lines, i)
        if table:
            rows = [_cells(row) for row in lines[i : i + table] if not TABLE_RULE.match(row)]
            longest = max(len(row) for row in rows)
            filled = tuple((*row, *[""] * (longest - len(row))) for row in rows)
            blocks.append(MarkupBlock("table", rows=filled))
            i += table
            continue
        blocks.append(_line_block(line))
        i += 1
    return blocks


def read_lines(text: str) -> list[MarkupBlock]:
    """The lines of a text without markup: prose, gaps, and displayed formulas."""
    lines = _display_on_own_lines(text).expandtabs(4).split("\n")
    found = [_line_block(line) for line in lines]
    return [
        b if b.kind in ("gap", "formula") else MarkupBlock("text", t.strip()) for b, t in zip(found, lines, strict=True)
    ]


def read_inline(text: str, formulas: bool = True, markup: bool = True) -> list[tuple[Style, str]]:
    """(style, text) of the parts of a line; formulas come without their delimiters, and `\\$` is a dollar."""
    parts: list[tuple[Style, str]] = []
    done = 0
    for match in INLINE.finditer(text):
        kind = str(match.lastgroup)
        if (kind in ("dollar", "paren") and not formulas) or (kind in ("code", "bold") and not markup):
            continue
        if kind == "dollar" and MONEY.fullmatch(match.group(kind)):
            continue
        parts.append(("plain", text[done : match.start()]))
        inside = match.group(kind)
        if kind in ("dollar", "paren"):
            parts.append(("formula", inside))
        else:
            parts.append(("code", inside[1:-1]) if kind == "code" else ("bold", inside[2:-2]))
        done = match.end()
    parts.append(("plain", text[done:]))
    unescaped: list[tuple[Style, str]] = [(s, t.replace("\\$", "$") if s != "formula" else t) for s, t in parts]
    return [(style, part) for style, part in unescaped if part]


def _display_on_own_lines(text: str) -> str:
    """Displayed formulas each on a line `$$…$$` of its own, outside of code."""
    pieces = re.split(r"(^\s*```.*?^\s*```\s*$)", text, flags=re.DOTALL | re.MULTILINE)

    def alone(match: re.Match[str]) -> str:
        return "\n$$" + " ".join((match.group(1) or match.group(2)).split()) + "$$\n"

    for i in range(0, len(pieces), 2):
        pieces[i] = re.sub(r"[ \t]*\n?[ \t]*\n(\$\$[^\n]*\$\$)\n[ \t]*\n?", r"\n\1\n", DISPLAY.sub(alone, pieces[i]))
    return "".join(pieces)


def _line_block(line: str) -> MarkupBlock:
    if not line.strip():
        return MarkupBlock("gap")
    display = re.fullmatch(r"\s*\$\$(.+)\$\$\s*", line)
    if display:
        return MarkupBlock("formula", display.group(1))
    heading = HEADING.match(line)
    if heading:
        return MarkupBlock("heading", heading.group(2), heading.group(1))
    item = ITEM.match(line)
    if item:
        mark = "•" if item.group(2) in "-*•" else item.group(2)
        return MarkupBlock("item", item.group(3), mark, level=min(len(item.group(1)) // 2, 4))
    return MarkupBlock("text", line.strip())


def _table_length(lines: list[str], start: int) -> int:
    """How many lines from `start` are one table: rows with bars, with a rule below the first; 0 for none."""
    if "|" not in lines[start] or start + 1 >= len(lines) or "|" not in lines[start + 1]:
        return 0
    if not TABLE_RULE.match(lines[start + 1]) or len(_cells(lines[start])) < 2:
        return 0
    length = 2
    while start + length < len(lines) and "|" in lines[start + length]:
        length += 1
    return length


def _cells(row: str) -> list[str]:
    row = row.strip()
    row = row.removeprefix("|").removesuffix("|")
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row)]

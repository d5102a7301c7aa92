"""A grammar of TeX formulas: what mathtext sets under another name or spelling, and what needs more than mathtext.

`read` turns a formula into pieces in a row: formulas in mathtext's own spelling, tables of cells (matrices, cases,
aligned equations) with their delimiters, and frames. Arguments are read as TeX reads them (`\\frac1x`, `\\sqrt2`),
braces must match, and what is left over (`&` outside of a table, `\\\\` in a line) is refused rather than drawn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from vlrl.rendered_text.typesetting.tex_names import (
    ALIASES,
    ALIGNED,
    ARGUMENTS,
    DELIMITERS,
    DROPPED,
    PLAIN_ARGUMENT,
    RAW,
    TABLES,
)

TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|\s+|.", re.DOTALL)


class TexError(ValueError):
    """What is wrong with a formula, and the text at which it is."""

    def __init__(self, problem: str, near: str) -> None:
        super().__init__(problem)
        self.problem, self.near = problem, near


@dataclass(frozen=True)
class Table:
    """Rows of cells, each cell a formula of its own, between two delimiters ("" for none)."""

    rows: tuple[tuple[tuple[Piece, ...], ...], ...]
    left: str
    right: str
    columns: str  # l, c or r for each column


@dataclass(frozen=True)
class Frame:
    """A formula in a frame."""

    inner: tuple[Piece, ...]


Piece = str | Table | Frame  # a string is mathtext's


def read(tex: str) -> tuple[Piece, ...]:
    """The pieces of a formula from left to right. Raises TexError."""
    reader = _Reader(TOKEN.findall(tex))
    pieces = reader.row(ends=())
    if reader.at < len(reader.tokens):
        reader.fail("has no beginning")
    return pieces


class _Reader:
    """Reads tokens from left to right; a position that only moves on."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens, self.at = tokens, 0

    def fail(self, problem: str, at: int | None = None) -> NoReturn:
        at = self.at if at is None else at
        near = "".join(self.tokens[at : at + 12])
        token = self.tokens[at] if at < len(self.tokens) else "the end"
        raise TexError(f"{token} {problem}", near)

    def peek(self) -> str | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def skip_space(self) -> None:
        while (token := self.peek()) is not None and token.isspace():
            self.at += 1

    def row(self, ends: tuple[str, ...]) -> tuple[Piece, ...]:
        """Pieces up to one of the ending tokens, which is left to be read, or to the end."""
        pieces: list[Piece] = []
        text = ""
        while (token := self.peek()) is not None and token not in ends and token != "}":
            start = self.at
            if token == r"\begin" or (token == r"\left" and self._table_follows()):
                found: Piece = self._table()
            elif token in (r"\boxed", r"\fbox"):
                self.at += 1
                found = Frame(self._argument_pieces())
            else:
                text += self._item()
                continue
            if text.strip():
                pieces.append(text)
            text = ""
            pieces.append(found)
            if self.peek() in ("^", "_"):
                self.fail("can't be set after a table or a frame", start)
        if text.strip():
            pieces.append(text)
        return tuple(pieces)

    def _item(self) -> str:
        """One token, command with its arguments, or group, in mathtext's spelling."""
        token = self.tokens[self.at]
        self.at += 1
        if token == "{":
            return "{" + self._formula_until("}") + "}"
        if token in ("&", r"\\", r"\cr", r"\hline"):
            self.fail("stands outside of a table", self.at - 1)
        if token == "#" or token == "$":
            self.fail("has no meaning here", self.at - 1)
        if token == r"\end":
            self.fail("has no \\begin", self.at - 1)
        if token in DROPPED:
            return " "
        if token in (r"\left", r"\right"):
            return self._fence(token)
        if token == r"\middle":
            return self._delimiter()
        token = ALIASES.get(token, token)
        if token == r"\pmod":
            return r"\ (\mathrm{mod}\ " + self._argument() + ")"
        if token in RAW:
            return self._raw(token)
        if token in ARGUMENTS:
            optional = self._optional() if token == r"\sqrt" else ""
            arguments = [self._argument() for _ in range(ARGUMENTS[token])]
            if token in PLAIN_ARGUMENT:
                return "{" + arguments[0] + "}"
            return token + optional + "".join("{" + argument + "}" for argument in arguments)
        if token in ("^", "_"):
            return token + "{" + self._argument() + "}"
        if re.fullmatch(r"\\[A-Za-z]+", token):
            return token + " "  # so that it doesn't grow into a letter that follows
        return " " if token.isspace() else token

    def _formula_until(self, end: str) -> str:
        start, text = self.at - 1, ""
        while True:
            token = self.peek()
            if token is None:
                self.fail("is never closed", start)
            if token == end:
                self.at += 1
                return text
            if token == "}":
                self.fail("closes nothing")
            if token == r"\begin" or token in (r"\boxed", r"\fbox"):
                self.fail("can't be set inside of another formula's part")
            text += self._item()

    def _argument(self) -> str:
        """The next group without its braces, or the next single item."""
        self.skip_space()
        token = self.peek()
        if token is None or token in ("}", "&", r"\\"):
            command = self.at
            self.fail("stands where an argument is missing", command)
        if token == "{":
            self.at += 1
            return self._formula_until("}")
        if token == r"\begin":
            self.fail("can't be set inside of another formula's part")
        return self._item()

    def _argument_pieces(self) -> tuple[Piece, ...]:
        self.skip_space()
        if self.peek() != "{":
            return (self._argument(),)
        start = self.at
        self.at += 1
        pieces = self.row(ends=())
        if self.peek() != "}":
            self.fail("is never closed", start)
        self.at += 1
        return pieces

    def _optional(self) -> str:
        self.skip_space()
        if self.peek() != "[":
            return ""
        self.at += 1
        return "[" + self._formula_until("]") + "]"

    def _raw(self, command: str) -> str:
        """A command whose argument is text: kept letter by letter, but for formulas between dollars in it."""
        self.skip_space()
        if self.peek() != "{":
            return command + "{" + self._item() + "}"
        start, depth, text = self.at, 0, ""
        while True:
            token = self.peek()
            if token is None:
                self.fail("is never closed", start)
            self.at += 1
            depth += (token == "{") - (token == "}")
            if token == "}" and depth == 0:
                break
            if not (token == "{" and depth == 1):
                text += str(token)
        if command == r"\hspace" and (em := re.fullmatch(r"\s*(-?\d*\.?\d+)\s*em\s*", text)):
            return command + "{" + em.group(1) + "}"
        if command != r"\text":
            return command + "{" + text + "}"
        parts = re.split(r"(?<!\\)\$", text)
        if len(parts) % 2 == 0:
            self.fail("has a dollar sign that is never closed", start)
        return "".join(
            ("{" + _one_line(read(part)) + "}" if i % 2 else _text(part)) for i, part in enumerate(parts) if part
        )

    def _delimiter(self) -> str:
        self.skip_space()
        token = self.peek()
        if token is None or ALIASES.get(token, token) not in DELIMITERS | {"<", ">"}:
            self.fail("is no delimiter")
        self.at += 1
        return ALIASES.get(str(token), str(token))

    def _fence(self, side: str) -> str:
        """`\\left(` with all up to its `\\right)`, or the `\\right` that a caller waits for."""
        start = self.at - 1
        if side == r"\right":
            self.fail("has no \\left", start)
        opening, text = self._delimiter(), ""
        while (token := self.peek()) != r"\right":
            if token is None or token == "}":
                self.fail("has no \\right", start)
            if token == r"\begin":
                self.fail("can't be set inside of another formula's part")
            text += self._item()
        self.at += 1
        return r"\left" + _spaced(opening) + text + r"\right" + _spaced(self._delimiter())

    def _table_follows(self) -> bool:
        """Whether nothing but a table stands between this `\\left` and its `\\right`."""
        rest = [t for t in self.tokens[self.at : self.at + 8] if not t.isspace()]
        return len(rest) > 2 and rest[2] == r"\begin"

    def _table(self) -> Table:
        start, left, right = self.at, "", ""
        fenced = self.peek() == r"\left"
        if fenced:
            self.at += 1
            left = self._delimiter()
            self.skip_space()
        self.at += 1
        name = self._name()
        if name not in TABLES:
            self.fail(f"{name!r} is no environment that can be set", start)
        own_left, own_right = TABLES[name]
        columns = ""
        if name in ("array", "alignedat"):
            columns = self._name().replace(" ", "")
            if re.search("[^lcr0-9]", columns):
                self.fail(f"{name!r} has columns {columns!r}: only l, c and r can be set", start)
            columns = re.sub("[^lcr]", "", columns)
        rows: list[tuple[tuple[Piece, ...], ...]] = []
        row: list[tuple[Piece, ...]] = []
        while True:
            row.append(self.row(ends=("&", r"\\", r"\cr", r"\end", r"\hline")))
            token = self.peek()
            if token is None or token == "}":
                self.fail(f"{name!r} has no \\end", start)
            self.at += 1
            if token == "&":
                continue
            if token == r"\hline":
                self.fail("can't be set", self.at - 1)
            rows.append(tuple(row))
            row = []
            if token == r"\end":
                break
            if self.peek() == "[":  # extra space below a row
                while self.peek() not in ("]", None):
                    self.at += 1
                self.at += 1
        if self._name() != name:
            self.fail(f"{name!r} ends as another environment", start)
        if len(rows) > 1 and rows[-1] == ((),):
            rows.pop()
        if fenced:
            self.skip_space()
            if self.peek() != r"\right":
                self.fail("has more between \\left and \\right than one table", start)
            self.at += 1
            right = self._delimiter()
        elif own_left or own_right:
            left, right = own_left, own_right
        across = max(len(cells) for cells in rows)
        if name in ALIGNED:
            columns = "rl" * across
        columns = (columns or ("l" if "cases" in name else "c") * across).ljust(across, "c")
        filled = tuple((*cells, *[()] * (across - len(cells))) for cells in rows)
        return Table(filled, left.replace(".", ""), right.replace(".", ""), columns[:across])

    def _name(self) -> str:
        """`{name}`."""
        self.skip_space()
        start = self.at
        if self.peek() != "{":
            self.fail("stands where {name} is missing")
        while self.peek() not in ("}", None):
            self.at += 1
        if self.peek() is None:
            self.fail("is never closed", start)
        self.at += 1
        return "".join(self.tokens[start + 1 : self.at - 1])


def _spaced(delimiter: str) -> str:
    return delimiter + " " if delimiter[-1].isalpha() else delimiter


def _text(part: str) -> str:
    for sign in "%&#_":
        part = part.replace("\\" + sign, sign)
    return r"\text{" + part + "}"


def _one_line(pieces: tuple[Piece, ...]) -> str:
    if not all(isinstance(piece, str) for piece in pieces):
        raise TexError("a table can't be set inside of \\text", "")
    return "".join(str(piece) for piece in pieces)

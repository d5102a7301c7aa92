"""Shell scripts that start other trainers: their commands with variables filled in, word by word. Nothing is run.

Read are assignments (`NAME=value`, `export NAME=value`), `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:?message}`,
`$((1024 * 4))`, quotes, comments and lines that go on behind a backslash. A variable that the script doesn't set stays
`${NAME}`, which a config of ours takes from the environment. What a shell would have to run (`$(basename …)`) stays as
it stands.
"""

from __future__ import annotations

import ast
import operator
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_ASSIGNED = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_VARIABLE = re.compile(r"\$\{(\w+)(?:(:?[-=?])((?:[^{}]|\{[^{}]*\})*))?\}|\$(\w+)")
_ARITHMETIC = re.compile(r"\$\(\((.*?)\)\)")
_COMPUTED = re.compile(r"\$\((?!\()(?:[^()]|\([^()]*\))*\)")
_OPERATIONS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.floordiv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}


@dataclass(frozen=True)
class Command:
    """One command of a script: its words, and the variables that stand before it or were exported."""

    words: tuple[str, ...]
    variables: dict[str, str]


def commands_of(text: str) -> list[Command]:
    """Every command of a script in order, whether it would be run or not. Raises ValueError for open quotes."""
    known: dict[str, str] = {}
    found = []
    for statement in _statements(text):
        words = [_filled(word, known) for word in statement]
        if words and words[0] == "export":
            words = words[1:]
        before: dict[str, str] = {}
        while words and (match := _ASSIGNED.fullmatch(words[0])):
            before[match[1]] = match[2]
            words = words[1:]
        if words:
            found.append(Command(tuple(words), {**known, **before}))
        else:
            known.update(before)
    return found


def _statements(text: str) -> Iterator[list[str]]:
    """The words of each command; a quoted text may go over several lines."""
    waiting, quoted = "", False
    for line in text.splitlines():
        if not quoted and line.lstrip().startswith("#"):
            continue
        if line.rstrip().endswith("\\"):
            waiting += line.rstrip()[:-1] + " "
            continue
        waiting += line
        try:
            words = _words(waiting)
        except ValueError:  # a quote that is still open
            waiting, quoted = waiting + "\n", True
            continue
        waiting, quoted = "", False
        yield from _parts(words)
    if waiting.strip():
        yield from _parts(_words(waiting))


def _parts(words: list[str]) -> Iterator[list[str]]:
    """Commands of one line, apart at `;`, `&&`, `||` and `&`."""
    part: list[str] = []
    for word in words:
        if word in (";", "&&", "||", "&", ";;"):
            yield part
            part = []
        elif word.endswith(";") and len(word) > 1:
            yield [*part, word[:-1]]
            part = []
        else:
            part.append(word)
    if part:
        yield part


def _words(line: str) -> list[str]:
    line = _ARITHMETIC.sub(lambda match: f"$(({match[1].replace(' ', '')}))", line)
    line = _COMPUTED.sub(lambda match: re.sub(r"[\s\"']+", "\u00a0", match[0]), line)
    return shlex.split(_without_comment(line))


def _without_comment(line: str) -> str:
    """A comment begins at a word's start, outside of quotes: `name#1000` is one word."""
    quote = ""
    for place, sign in enumerate(line):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign == "#" and (not place or line[place - 1].isspace()):
            return line[:place]
    return line


def _filled(word: str, known: dict[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name, default = match[1] or match[4], None if match[2] in ("?", ":?") else match[3]
        if name in known:
            return known[name]
        if default is not None:
            return _filled(default, known)
        return "" if name.isdecimal() else f"${{{name}}}"

    def result(match: re.Match[str]) -> str:
        computed = _computed(_VARIABLE.sub(value, match[1]), known)
        return match[0] if computed is None else str(computed)

    return _VARIABLE.sub(value, _ARITHMETIC.sub(result, word))


def _computed(text: str, known: dict[str, str]) -> int | None:
    """What an arithmetic expression of whole numbers is; None where a variable is unknown."""
    try:
        return _value(ast.parse(text.strip(), mode="eval").body, known)
    except (SyntaxError, ValueError, ZeroDivisionError):
        return None


def _value(node: ast.expr, known: dict[str, str]) -> int:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.Name) and known.get(node.id, "").lstrip("-").isdecimal():
        return int(known[node.id])
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, known)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        left, right = _value(node.left, known), _value(node.right, known)
        if isinstance(node.op, ast.Pow) and not 0 <= right <= 64:
            raise ValueError(f"{right} is no power that sizes are given in")
        return _OPERATIONS[type(node.op)](left, right)
    raise ValueError("no whole number")

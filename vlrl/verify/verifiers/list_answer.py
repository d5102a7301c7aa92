"""The verifier `list`: several values, in order or not."""

from __future__ import annotations

import json
import re
from typing import Any

from vlrl.errors import DataError
from vlrl.types import Problem, Verdict
from vlrl.verify.judge import verifier
from vlrl.verify.reading.committed_answer import committed
from vlrl.verify.reading.declared import extract
from vlrl.verify.reading.gold import golds_of
from vlrl.verify.reading.hedging import doubts
from vlrl.verify.values.compare import differs
from vlrl.verify.values.normaliser import clean, normalise, unwrapped
from vlrl.verify.values.quantity import read_quantity
from vlrl.verify.values.shown_text import visible_text
from vlrl.verify.verifiers.text import text_reader

MAX_ITEMS = 500

_BULLET = re.compile(r"\s*(?:[-*•]|[0-9]{1,3}[.)])\s+(\S.*)")
_BRACKETS = ("[]", "()", "{}")
_SPACED = re.compile(r",\s+(?:and\s+)?|\s*;\s*|\s*\n\s*|\s+and\s+")
_TIGHT = re.compile(r"\s*,\s*(?:and\s+)?|\s*;\s*|\s*\n\s*|\s+and\s+")


@verifier("list")
def sequence(problem: Problem, response: str) -> Verdict:
    """Several values: numbers are compared as in `number`, everything else as in `text`.

    Accepts JSON (`[2014, 2016]`), commas, semicolons, lines, "and", with or without brackets. The gold is written the
    same way. Rejects a list that is longer or shorter, a value twice that the gold has once, "or", no answer, two
    answers.

    metadata:
    ordered  true (default): the order counts; false: any order, each value as often as in the gold
    graded   true: the score is the F1 of the values (in order: of those at their right place); `correct` asks for all
    tolerance, relative_tolerance, precision   as in `number`, for each value
    accepted further golds

    Raises DataError if the gold is empty (the verdict is then a fault).
    """
    extraction = extract(response, problem.question)
    written = extraction.answer if extraction.answer is not None else _bullets(response)
    if written is None:
        return Verdict.wrong(extraction.note)
    stated = None if extraction.declared else committed(response, text_reader(problem.question)).value
    found = items(stated[-1] if stated is not None else written)
    if found is None:
        return Verdict.wrong("not a list", written)
    best = Verdict.wrong("another list", written)
    for text in golds_of(problem):
        gold = items(text)
        if not gold:
            raise DataError(f"problem {problem.id}", f"the gold {text!r} is not a list", "write it as [1, 2]")
        hits = matches(gold, found, problem)
        if hits == len(gold) == len(found):
            return Verdict.right(written)
        f1 = 2 * hits / (len(gold) + len(found))
        if problem.metadata.get("graded") and f1 > best.score:
            best = Verdict(f1, False, written, f"{hits} of {len(gold)} values")
    return best


def _bullets(response: str) -> str | None:
    """The entries of a response that is a list with bullets or numbers, perhaps below a line that ends in ":"."""
    lines = [line for line in visible_text(response).splitlines() if line.strip()]
    if len(lines) > 2 and lines[0].rstrip().endswith(":") and not doubts(lines[0]):
        lines = lines[1:]
    entries = [_BULLET.fullmatch(line) for line in lines]
    return "\n".join(str(e[1]) for e in entries if e is not None) if len(entries) > 1 and all(entries) else None


def items(text: str) -> list[str] | None:
    """The values of a list as texts; None if it holds an empty value, a nested list or more than 500 values."""
    text = clean(text) if "\\" in text else unwrapped(text)
    values: Any = None
    if text.startswith("["):
        try:
            values = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
        except (ValueError, RecursionError):
            values = None
        if isinstance(values, list) and not all(isinstance(v, (str, bool)) for v in values):
            return None
    if not isinstance(values, list):
        text = text.removesuffix(".").replace("\\{", "{").replace("\\}", "}")
        if len(text) >= 2 and text[0] + text[-1] in _BRACKETS:
            text = text[1:-1]
        pattern = _SPACED if re.search(r",\s|;|\n", text) else _TIGHT
        values = pattern.split(text)
    cleaned = [str(v).strip().strip("'\"") for v in values]
    if len(cleaned) > MAX_ITEMS or not all(cleaned):
        return None
    return cleaned


def matches(gold: list[str], found: list[str], problem: Problem) -> int:
    """How many gold values the answer has: at the same place, or, where the order is free, each matched once."""
    if problem.metadata.get("ordered", True):
        return sum(same_value(g, f, problem) for g, f in zip(gold, found, strict=False))
    remaining, hits = list(found), 0
    for value in gold:
        match = next((i for i, other in enumerate(remaining) if same_value(value, other, problem)), None)
        if match is not None:
            del remaining[match]
            hits += 1
    return hits


def same_value(gold: str, found: str, problem: Problem) -> bool:
    """Whether two values of a list are one: as numbers where the gold is a number, else as normalised text."""
    asked = f"{problem.question} {problem.answer}"
    a, b = read_quantity(gold, asked), read_quantity(found, asked)
    if a is None:
        return normalise(gold) == normalise(found)
    return b is not None and a.percent == b.percent and differs(b, a, problem.question, problem.metadata) is None

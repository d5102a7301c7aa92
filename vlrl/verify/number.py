"""The verifier `number`: one number, compared by value."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from vlrl.errors import DataError
from vlrl.types import Problem, Verdict
from vlrl.verify.judge import verifier
from vlrl.verify.numerals import Numeral, parse_numeral, unit_name
from vlrl.verify.prose import number_in_prose
from vlrl.verify.statement import committed


@verifier("number")
def number(problem: Problem, response: str) -> Verdict:
    """One number, compared by value.

    Accepts integers, decimals, thousands separators, fractions (also LaTeX and mixed), scientific notation, number
    words, currency signs, `%`, a unit, `$…$`, `x = …`. By default the values must be exactly equal (1/2 = 0.5,
    1/3 ≠ 0.33). Rejects no answer, two answers, hedges ("3 or 4", "about 3", "3+", "3-4"), expressions (2+3), a wrong
    unit, "%" where the gold is none and the question asks for none, NaN and infinity.

    Facts:
    tolerance           absolute, ≥ 0: |answer − gold| ≤ tolerance, boundary included, computed exactly
    relative_tolerance  share of |gold|
    precision           decimals: the answer, rounded, equals the gold, rounded
    unit                of the gold; an answer may leave the unit away but may not have another one
    percent_sign        "optional": "%" after the answer means nothing (a bare gold read off a chart of percentages)
    accepted            further golds, each as good as the first

    Raises DataError if the gold is no number (the verdict is then a fault).
    """
    statement = committed(response, _read)
    found, text = statement.value, statement.text
    if found is None:
        return Verdict.wrong(statement.note, text)
    note = "wrong number"
    for gold in golds(problem):
        mismatch = differs(found, gold, problem)
        if mismatch is None:
            return Verdict.right(text)
        note = mismatch
    return Verdict.wrong(note, text)


def _read(text: str, declared: bool) -> Numeral | None:
    found = parse_numeral(text)
    return number_in_prose(text) if found is None and not declared else found


def golds(problem: Problem) -> list[Numeral]:
    """The gold and its alternatives as numerals. Raises DataError if one is no number."""
    found = []
    for text in (problem.answer, *problem.facts.get("accepted", ())):
        numeral = parse_numeral(str(text))
        if numeral is None:
            raise DataError(
                f"problem {problem.id}", f"the gold answer {text!r} is not a number", "use another verifier"
            )
        found.append(numeral)
    return found


def differs(found: Numeral, gold: Numeral, problem: Problem) -> str | None:
    """Why this number is not the gold; None where it is."""
    facts = problem.facts
    unit = str(facts.get("unit") or "") or gold.unit
    percent_gold = gold.percent or (bool(unit) and unit_name(unit) == "%")
    if found.unit and unit and unit_name(found.unit) != unit_name(unit):
        return "wrong unit"
    if found.unit and percent_gold:
        return "wrong unit"
    if found.percent and not percent_gold:
        if unit:
            return "wrong unit"
        question = problem.question.casefold()
        free = facts.get("percent_sign") == "optional" or "percent" in question or "%" in question
        if not free:
            return None if found.value / 100 == gold.value else "wrong unit"
    if within(found.value, gold.value, facts):
        return None
    return "wrong number"


def within(value: Fraction, gold: Fraction, facts: Any) -> bool:
    """Whether `value` equals the gold exactly or to the tolerance or precision that the facts allow."""
    if value == gold:
        return True
    tolerance, relative, precision = facts.get("tolerance"), facts.get("relative_tolerance"), facts.get("precision")
    if tolerance is not None and abs(value - gold) <= Fraction(str(tolerance)):
        return True
    if relative is not None and abs(value - gold) <= Fraction(str(relative)) * abs(gold):
        return True
    return precision is not None and round(value, int(precision)) == round(gold, int(precision))

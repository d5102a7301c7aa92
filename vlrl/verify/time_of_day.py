"""The verifier `time`: a time of day, compared in minutes (and seconds where the gold has them)."""

from __future__ import annotations

import re

from vlrl.errors import DataError
from vlrl.types import Problem, Verdict
from vlrl.verify.doubt import committed_before, denied_after, hedges
from vlrl.verify.extract import extract
from vlrl.verify.judge import verifier
from vlrl.verify.numerals import parse_numeral, strip_markup

_CLOCK = re.compile(
    r"([0-9]{1,2})(?::([0-9]{2})(?::([0-9]{2}))?)?\s{0,2}(o'clock|o’clock)?\s{0,2}([ap]\.?\s?m\.?)?", re.IGNORECASE
)
_SPOKEN = re.compile(
    r"(?:(quarter|half|[a-z-]+|[0-9]{1,2})\s(?:minutes\s)?(past|to|after)\s)([a-z]+|[0-9]{1,2})", re.IGNORECASE
)
_IN_PROSE = re.compile(
    r"(?<![-−–0-9:])[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?:\s{0,2}[ap]\.?\s?m\b\.?)?(?![0-9:]|\s?[-–])", re.IGNORECASE
)
_HALF_DAY = 12 * 3600


@verifier("time")
def time(problem: Problem, response: str) -> Verdict:
    """A time of day: "3:45", "03:45", "3:45 PM", "15:45", "3 o'clock", "quarter past 3", "half past three", "noon".

    With AM or PM (or an hour above 12 or "00") on both sides the times must agree on 24 hours; a gold without a half of
    the day ("3:45") accepts the bare time alone, unless `hours` is 12. Rejects "3.45", "345", minutes above 59, two
    times, ranges, a duration, no answer.

    Facts:
    hours              12: the clock has no half of the day; 3:45, 15:45 and 3:45 PM are one time
    tolerance_minutes  how far off the answer may be, around the clock, boundary included
    accepted           further golds

    Raises DataError if the gold is no time (the verdict is then a fault).
    """
    extraction = extract(response)
    if extraction.answer is None:
        return Verdict.wrong(extraction.note)
    answer = parse_time(extraction.answer)
    if answer is None and not extraction.declared and not hedges(extraction.answer):
        times = list(_IN_PROSE.finditer(extraction.answer))
        if len({match[0] for match in times}) == 1:
            before, after = extraction.answer[: times[-1].start()], extraction.answer[times[-1].end() :]
            answer = parse_time(times[-1][0]) if committed_before(before) and not denied_after(after) else None
    if answer is None:
        return Verdict.wrong("not a time", extraction.answer)
    for text in (problem.answer, *problem.facts.get("accepted", ())):
        gold = parse_time(str(text))
        if gold is None:
            raise DataError(f"problem {problem.id}", f"the gold answer {text!r} is not a time", 'write it as "3:45"')
        if _same(answer, gold, problem):
            return Verdict.right(extraction.answer)
    return Verdict.wrong("wrong time", extraction.answer)


def parse_time(text: str) -> tuple[int, bool] | None:
    """(seconds after midnight, whether the half of the day is known); None for what is not a time of day."""
    text = strip_markup(text).strip()
    match = _CLOCK.fullmatch(text)
    if match:
        hour, minute, second, oclock, half = match.groups()
        if (minute is None and not (oclock or half)) or (minute and oclock):
            return None
        return _seconds(int(hour), int(minute or 0), int(second or 0), half)
    word = text.casefold().rstrip(".")
    if word in ("noon", "midnight"):
        return (_HALF_DAY if word == "noon" else 0), True
    match = _SPOKEN.fullmatch(word)
    if match:
        amount = {"quarter": 15, "half": 30}.get(match[1]) or _small(match[1], 59)
        hour = _small(match[3], 12)
        if not amount or not hour or (match[1] == "half" and match[2] == "to"):
            return None
        minutes = hour * 60 + (-amount if match[2] == "to" else amount)
        return minutes * 60 % _HALF_DAY or _HALF_DAY, False
    if match := re.fullmatch(r"([a-z]+) o['’]clock", word):
        hour = _small(match[1], 12)
        return (hour * 3600, False) if hour else None
    return None


def _seconds(hour: int, minute: int, second: int, half: str | None) -> tuple[int, bool] | None:
    if minute > 59 or second > 59 or hour > 23 or (half and not 1 <= hour <= 12):
        return None
    if half:
        hour = hour % 12 + (12 if half[0] in "pP" else 0)
    return hour * 3600 + minute * 60 + second, bool(half) or hour > 12 or hour == 0


def _small(text: str, most: int) -> int:
    numeral = parse_numeral(text)
    if numeral is None or numeral.unit or numeral.value.denominator != 1 or not 1 <= numeral.value <= most:
        return 0
    return int(numeral.value)


def _same(answer: tuple[int, bool], gold: tuple[int, bool], problem: Problem) -> bool:
    half_day = problem.facts.get("hours") == 12
    if not half_day and answer[1] != gold[1]:
        return False
    around = _HALF_DAY if half_day or not gold[1] else 2 * _HALF_DAY
    apart = (answer[0] - gold[0]) % around
    return min(apart, around - apart) <= 60 * float(problem.facts.get("tolerance_minutes", 0))

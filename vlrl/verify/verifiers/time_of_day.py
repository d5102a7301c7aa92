"""The verifier `time`: a time of day, compared in minutes (and seconds where the gold has them)."""

from __future__ import annotations

import re

from vlrl.errors import DataError
from vlrl.types import Problem, Verdict
from vlrl.verify.judge import verifier
from vlrl.verify.reading.committed_answer import Reader, committed
from vlrl.verify.reading.gold import golds_of
from vlrl.verify.reading.hedging import committed_before, denied_after, hedges, main_clause
from vlrl.verify.values.moments import HALF_DAY, SPOKEN_TIME, parse_time, with_digits
from vlrl.verify.words.languages import words

_OR = re.compile(r"\bor\b", re.IGNORECASE)
_MAY_FOLLOW = re.compile(  # "3:45 ago", "3:45 left", "3:45 minutes" are something else
    r"[\s*$)\]]*(?:$|[.,;!(]|(?:in|on|as|by|at|because|since|which|now|right now|exactly|o['’]clock|sharp|uhr)\b)"
    r"|(?:です|입니다|이다|。)",
    re.IGNORECASE,
)
_LASTS = re.compile(
    r"\b(?:in|for|after|until|till|before|since|takes?|took|lasts?|lasted|within|during)\W*$", re.IGNORECASE
)
_LATER = re.compile(r"\b(?:will (?:be|show|read)|wird|sera|será|будет)\b|将|將", re.IGNORECASE)
_AT_ABROAD = re.compile(rf"(?:{words('clock', apart=True)}\s|{words('clock', apart=False)})$", re.IGNORECASE)
_IN_PROSE = re.compile(
    r"(?<![0-9.:])[0-9]{1,2}\.[0-9]{2}\sUhr|(?<![-−–0-9:])[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?:\s{0,2}[ap]\.?\s?m\b\.?)?(?![0-9:]|\s?[-–])"
    r"|(?:(?:上午|早上|午前|오전|下午|晚上|午後|오후)\s?)?(?<![0-9:])[0-9]{1,2}\s?(?:点|點|時|时|시|h|Uhr)\s?"
    rf"(?:[0-9]{{1,2}}(?![0-9])\s?(?:分|분)?|半|반|[一三]刻)|{SPOKEN_TIME}",
    re.IGNORECASE,
)


@verifier("time")
def time(problem: Problem, response: str) -> Verdict:
    """A time of day: "3:45", "03:45", "3:45 PM", "15:45", "3 o'clock", "quarter past 3", "half past three", "noon".

    With AM or PM (or an hour above 12 or "00") on both sides the times must agree on 24 hours; a gold without a half of
    the day ("3:45") accepts the bare time alone, unless `hours` is 12. Rejects "3.45", "345", minutes above 59, two
    times, ranges, a duration, no answer.

    metadata:
    hours              12: the clock has no half of the day; 3:45, 15:45 and 3:45 PM are one time
    tolerance_minutes  how far off the answer may be, around the clock, boundary included
    accepted           further golds

    Raises DataError if the gold is no time (the verdict is then a fault).
    """
    question = problem.question
    reader = Reader(parse_time, lambda sentence: time_in_sentence(sentence, question), leading_time, question)
    statement = committed(response, reader)
    answer = statement.value
    if answer is None:
        return Verdict.wrong(statement.note or "not a time", statement.text)
    for text in golds_of(problem):
        gold = parse_time(text)
        if gold is None:
            raise DataError(f"problem {problem.id}", f"the gold answer {text!r} is not a time", 'write it as "3:45"')
        if _same(answer, gold, problem):
            return Verdict.right(statement.text)
    return Verdict.wrong("wrong time", statement.text)


def time_in_sentence(sentence: str, question: str) -> tuple[int, bool] | None:
    """The one time of day that a sentence states without a hedge."""
    sentence = with_digits(main_clause(sentence).replace("**", ""))
    times = list(_IN_PROSE.finditer(sentence))
    if len({match[0] for match in times}) != 1 or hedges(sentence, question) or _OR.search(sentence):
        return None
    before, after = sentence[: times[-1].start()], sentence[times[-1].end() :]
    goes_on = _MAY_FOLLOW.match(after) is not None or (not after.isascii() and after[:2] in question)
    if _LASTS.search(before) or _LATER.search(before) or not goes_on or denied_after(after):
        return None
    return parse_time(times[-1][0]) if committed_before(before) or _AT_ABROAD.search(before) else None


def leading_time(text: str) -> tuple[int, bool] | None:
    """The time that "the answer is …" begins with, where an explanation follows: "3:45 (quarter to four)"."""
    match = _IN_PROSE.match(text := text.lstrip(" *$"))
    if match is None or hedges(text) or _OR.search(text) or any(c.isdigit() for c in text[match.end() :]):
        return None
    return parse_time(match[0]) if _MAY_FOLLOW.match(text, match.end()) else None


def _same(answer: tuple[int, bool], gold: tuple[int, bool], problem: Problem) -> bool:
    half_day = problem.metadata.get("hours") == 12
    if not half_day and answer[1] != gold[1]:
        return False
    around = HALF_DAY if half_day or not gold[1] else 2 * HALF_DAY
    apart = (answer[0] - gold[0]) % around
    return min(apart, around - apart) <= 60 * float(problem.metadata.get("tolerance_minutes", 0))

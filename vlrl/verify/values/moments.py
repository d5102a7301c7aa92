"""Dates, times of day and scores: what looks like arithmetic or a ratio and is none."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

from vlrl.verify.values.normaliser import clean
from vlrl.verify.values.number_words import spoken_number
from vlrl.verify.values.quantity import read_quantity

HALF_DAY = 12 * 3600

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_YEAR_FIRST = re.compile(r"([0-9]{4})\s?[-/.年]\s?([0-9]{1,2})\s?[-/.月]\s?([0-9]{1,2})日?")
_YEAR_LAST = re.compile(r"([0-9]{1,2})\s?[-/.]\s?([0-9]{1,2})\s?[-/.]\s?([0-9]{4})")
_MONTH_FIRST = re.compile(r"([a-z]{3,9})\.?\s([0-9]{1,2})(?:st|nd|rd|th)?,?\s([0-9]{4})", re.IGNORECASE)
_DAY_FIRST = re.compile(
    r"(?:the\s)?([0-9]{1,2})(?:st|nd|rd|th|\.)?\s(?:of\s)?([a-z]{3,9})\.?,?\s([0-9]{4})", re.IGNORECASE
)
_CLOCK = re.compile(
    r"([0-9]{1,2})(?:\s?(?::|\.(?=[0-9]{2}\s?[Uu]hr))\s?([0-9]{2})(?::([0-9]{2}))?)?\s{0,2}(o'clock|uhr)?\s{0,2}"
    r"([ap]\.?\s?m\.?)?",
    re.IGNORECASE,
)
_ABROAD = re.compile(  # 3点45分, 下午3時45分, 오후 3시 45분, 3h45, 3 Uhr 45, 3 ч 45 мин
    r"(?:(?P<am>上午|早上|午前|오전)|(?P<pm>下午|晚上|午後|오후))?\s?([0-9]{1,2})\s?(?:点|點|時|时|시|h(?![0-9\s]{1,6}m)|Uhr|ч\.?|часов|часа)\s?"
    r"(?:([0-9]{1,2})\s?(?:分|분|мин\.?)?|(?P<half>半|반)|(?P<quarters>[一三])刻)?"
)
_LIKE_ONE = re.compile(r"\d\s?[-/.年][\d\s]+[-/.月]|\d\s?(?:[-–:：∶−]|to)\s?\d|[A-Za-z]{3}.*\d{4}")
_WITH_COLON = re.compile(r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?:\s?[ap]\.?\s?m\.?)?", re.IGNORECASE)
_SPOKEN = re.compile(
    r"(?:an?\s)?(quarter|half|[a-z-]+|[0-9]{1,2})\s(?:minutes\s)?(past|to|till|before|after)\s([a-z]+|[0-9]{1,2})"
)
_HOURS = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_DIGITS = "one|two|three|four|five|six|seven|eight|nine"
_MINUTES = (
    rf"oh[\s-](?:{_DIGITS})|ten|eleven|twelve|[a-z]{{3,5}}teen|(?:twenty|thirty|forty|fifty)(?:[\s-](?:{_DIGITS}))?"
)
_DAY_HALF = r"\s?(?:([ap])\.?\s?m\.?|in the (morning|afternoon|evening)|at (night))"
SPOKEN_TIME = (  # "quarter to four pm", "three forty-five", "ten o'clock in the morning"
    rf"(?:\ban?\s)?\b(?:quarter|half|(?:{_MINUTES}|five)(?:\sminutes)?|[0-9]{{1,2}}(?:\sminutes)?)"
    rf"\s(?:past|to|till|before|after)\s(?:{_HOURS}|[0-9]{{1,2}})\b(?:{_DAY_HALF})?"
    rf"|\b(?:{_HOURS})\s(?:{_MINUTES}|o'clock)\b(?:{_DAY_HALF})?"
)
_HOUR_MINUTES = re.compile(rf"({_HOURS})\s({_MINUTES})")
_QUARTERS = {"一": 15, "三": 45}
_HAN_TIME = re.compile(r"[零〇一二两三四五六七八九十]+(?=\s?[点點時时分])")
_SCORE = re.compile(r"([0-9]{1,3})\s?(?:[-:]|\bto\b)\s?([0-9]{1,3})")
_ASKS_RATIO = re.compile(
    r"\b(?:ratio|proportion|odds|scale|verhältnis|rapport|razón|razão)\b|отношение|比|비율|نسبة", re.IGNORECASE
)
_ASKS_SCORE = re.compile(
    r"\b(?:scores?|final result|endstand|spielstand|resultado|placar|marcador)\b|счёт|счет|比分|スコア|점수|النتيجة",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class DatedValue:
    """A date ("date": the days that the text may mean), a time of day ("clock") or a score ("score")."""

    kind: str
    value: frozenset[object]


def read_moment(text: str, question: str = "") -> DatedValue | None:
    """The date, the time written with a colon, or, where the question asks for one, the score that a text is."""
    if len(text) > 40 or not _LIKE_ONE.search(text):
        return None
    text = clean(text)
    if days := dates(text):
        return DatedValue("date", frozenset(days))
    if _ASKS_SCORE.search(question) and (match := _SCORE.fullmatch(text)):
        return DatedValue("score", frozenset(((int(match[1]), int(match[2])),)))
    if _WITH_COLON.fullmatch(text) and not _ASKS_RATIO.search(question) and (time := parse_time(text)) is not None:
        return DatedValue("clock", frozenset((time,)))
    return None


def dates(text: str) -> set[datetime.date]:
    """The days that a text may mean: two where day and month can change places."""
    if match := _YEAR_FIRST.fullmatch(text):
        orders = [(match[1], match[2], match[3])]
    elif match := _YEAR_LAST.fullmatch(text):
        orders = [(match[3], match[1], match[2]), (match[3], match[2], match[1])]
    elif (match := _MONTH_FIRST.fullmatch(text)) and match[1][:3].casefold() in _MONTHS:
        orders = [(match[3], str(_MONTHS.index(match[1][:3].casefold()) + 1), match[2])]
    elif (match := _DAY_FIRST.fullmatch(text)) and match[2][:3].casefold() in _MONTHS:
        orders = [(match[3], str(_MONTHS.index(match[2][:3].casefold()) + 1), match[1])]
    else:
        return set()
    found = set()
    for year, month, day in orders:
        try:
            found.add(datetime.date(int(year), int(month), int(day)))
        except ValueError:
            continue
    return found


def parse_time(text: str) -> tuple[int, bool] | None:
    """(seconds after midnight, whether the half of the day is known); None for what is not a time of day."""
    text = clean(text)
    there = _ABROAD.fullmatch(with_digits(text))
    if there is not None:
        minutes = there[4] or (there["half"] and 30) or _QUARTERS.get(there["quarters"], "")
        if minutes or not text.endswith(("h", "시", "ч")):  # "3 h" is a duration
            part = "am" if there["am"] else "pm" if there["pm"] else None
            return _seconds(int(there[3]), int(minutes or 0), 0, part)
    match = _CLOCK.fullmatch(text)
    if match:
        hour, minute, second, oclock, half = match.groups()
        if (minute is None and not (oclock or half)) or (minute and oclock and oclock[0] == "o"):
            return None
        return _seconds(int(hour), int(minute or 0), int(second or 0), half)
    word = text.casefold().rstrip(".")
    if word in ("noon", "midnight"):
        return (HALF_DAY if word == "noon" else 0), True
    half = re.search(_DAY_HALF + "$", word)
    seconds = _spoken(word if half is None else word[: half.start()].strip())
    if seconds is None or half is None:
        return None if seconds is None else (seconds, False)
    return seconds % HALF_DAY + (0 if half[1] == "a" or half[2] == "morning" else HALF_DAY), True


def with_digits(text: str) -> str:
    """A time in Han numerals with digits: 8点15分 of 八点十五分."""
    return text if text.isascii() else _HAN_TIME.sub(lambda m: str(spoken_number(m[0], "chinese")[0]), text)


def _spoken(words: str) -> int | None:
    """Seconds after noon or midnight of "quarter to four", "three forty-five", "ten o'clock"; None for other words."""
    before = False
    if match := _SPOKEN.fullmatch(words):
        hour, before = _small(match[3], 12), match[2] in ("to", "till", "before")
        minutes = {"quarter": 15, "half": 30}.get(match[1]) or _small(match[1], 59)
        if not minutes or (match[1] == "half" and before):
            return None
    elif match := _HOUR_MINUTES.fullmatch(words):
        hour, minutes = _small(match[1], 12), _small(re.sub(r"^oh[\s-]", "", match[2]), 59)
    elif match := re.fullmatch(r"([a-z]+) o'clock", words):
        hour, minutes = _small(match[1], 12), 0
    else:
        return None
    if not hour:
        return None
    return (hour * 60 + (-minutes if before else minutes)) * 60 % HALF_DAY or HALF_DAY


def _seconds(hour: int, minute: int, second: int, half: str | None) -> tuple[int, bool] | None:
    if minute > 59 or second > 59 or hour > 23 or (half and not 1 <= hour <= 12):
        return None
    if half:
        hour = hour % 12 + (12 if half[0] in "pP" else 0)
    return hour * 3600 + minute * 60 + second, bool(half) or hour > 12 or hour == 0


def _small(text: str, most: int) -> int:
    number = read_quantity(text)
    if (
        number is None
        or number.unit
        or number.percent
        or number.value.denominator != 1
        or not 1 <= number.value <= most
    ):
        return 0
    return int(number.value)

"""Whether later sentences take an answer back: discard it, call it wrong, or state another value of what was asked."""

from __future__ import annotations

import re

from vlrl.verify.reading.clause.sentence_end import SENTENCE_END
from vlrl.verify.values.quantity import Quantity, read_quantity
from vlrl.verify.words.languages import words

MAX_SENTENCES = 40  # of what follows an answer
MAX_STATEMENT = 300  # characters

_BAD, _GOOD = words("wrong", "bad", apart=True), words("good")
_OPENING = rf"^\W{{0,4}}(?:{words('hesitates')},?\s){{0,2}}"
_IT = words("it", apart=True)
_CALLED_WRONG = re.compile(
    rf"{_OPENING}{_IT}\s?(?:['’]s|{words('is', apart=True)}|(?:seems?|looks?|(?:must|may|might|could) be)\b|[—–-])?\s?"
    rf"(?:(?:simply|clearly|only|just|obviously|probably|actually)\s)?{_BAD}"
    rf"|{_OPENING}{_IT}\s?(?:(?:is|was|can|could|does|did|must|should|may)(?:\s?n['’]t|\snot|not)|['’]s\snot|isn['’]t|"
    rf"can['’]t)\s(?:\w+\s){{0,2}}(?:{_GOOD}|(?:work|make sense|look right|seem right|add up)\b)"
    rf"|{_OPENING}{words('it', abroad=True, apart=True)}\s?{words('is', abroad=True, apart=True)}?\s?"
    rf"{words('not', abroad=True, apart=True)}\s{_GOOD}|{_OPENING}{words('denies_it')}|{words('erred')}"
    rf"|^\W{{0,4}}{_BAD}[.!]*\W*$|^\W{{0,4}}{words('it', apart=False)}?.{{0,6}}{words('wrong', 'bad', apart=False)}",
    re.IGNORECASE,
)
_DISCARDED = re.compile(
    rf"{words('discard', apart=True)}\s(?:(?:all|everything)\s(?:of\s)?)?(?:(?:the above|everything)\b|{_IT}|"
    rf"(?:(?:the|my|that|this|your)\s)(?:\w+\s){{0,2}}{words('answer', 'thing')})"
    rf"|{words('discarded')}|{words('discard', apart=False)}",
    re.IGNORECASE,
)
_AGAIN = re.compile(words("again"), re.IGNORECASE)
_LAST_VALUE = re.compile(
    r"(-?[0-9][0-9.,]*(?:\s?/\s?[0-9]+)?)\s?(?:\\?%|°|\\circ|[^\W\d_]{1,12}[²³]?|\\text\{[^{}]*\})?[\s.!$*})\]]*$"
)
_STATES = re.compile(
    rf"(?P<subject>[^\d=:.]{{0,80}}?)(?:\s(?:{words('is', apart=True)}|becomes|comes to|(?:should|must|would) be)\s"
    rf"|['’]s\s|\s?=|\s?[:：]|{words('is', apart=False)})",
)
_SUBJECT_WORD = re.compile(r"[^\W\d_]+")
_FREE = re.compile(words("free", "again"), re.IGNORECASE)
_ANSWERS = re.compile(words("answer"), re.IGNORECASE)
_REAL = frozenset(("real", "actual", "correct", "true", "right"))
_COMMAND = re.compile(r"\\[A-Za-z]+\s?[0-9]*")  # \frac12 has no 12
_GIVES = re.compile(r"[=:]|\b(?:is|be|get|gives?)\b|['’]s\b|是|为|得")
_DISCARDS = re.compile(words("wrong", "bad", "erred", "discard", "discarded", "denies_it", "not"), re.IGNORECASE)
_NUMBER = re.compile(r"-?[0-9][0-9,]*(?:\.[0-9]+)?")


def taken_back_by(tail: str, answer: str, question: str) -> bool:
    """Whether a text that follows an answer takes it back in words, or states another value of what was asked."""
    discarding, digits = _DISCARDS.search(tail) is not None, any(c.isdigit() for c in tail)
    if not discarding and not digits:
        return False
    pieces = _sentences(tail)
    if discarding and any(_CALLED_WRONG.search(piece) or _DISCARDED.search(piece) for piece in pieces):
        return True
    return digits and _states_another(pieces, tail, answer, question)


def discards(tail: str) -> bool:
    """Whether a text that follows an answer takes it back in words, in any of its sentences."""
    return taken_back_by(tail, "", "")


def _states_another(pieces: list[str], tail: str, answer: str, question: str) -> bool:
    """Whether sentences that follow the number `answer` state another number of what the question asks for."""
    ending = [place for place, piece in enumerate(pieces) if any(c.isdigit() for c in piece[-30:])]
    if not ending or (value := read_quantity(answer.strip(" $.*"), question)) is None:
        return False
    readings = _readings(value)
    first = next((place for place, piece in enumerate(pieces) if _AGAIN.search(piece)), len(pieces))
    repeated: bool | None = None
    for place in ending:
        piece = pieces[place]
        last = _LAST_VALUE.search(piece[-60:])
        stated = read_quantity(last[1].rstrip(".,")) if last is not None else None
        if stated is None or stated.value in readings:
            continue
        again = place >= first
        if again and _GIVES.search(piece):
            repeated = _repeats(tail, value) if repeated is None else repeated
            if not repeated:
                return True
        if _is_asked(piece, question, last=place == len(pieces) - 1, again=again):
            return True
    return False


def _sentences(tail: str) -> list[str]:
    text = tail.lstrip(" .!。$*)]}`,;:")
    pieces = [piece.strip() for piece in SENTENCE_END.split(text[-8000:])[:MAX_SENTENCES]]
    return [piece for piece in pieces if piece and len(piece) <= MAX_STATEMENT]


def _readings(value: Quantity) -> tuple[object, ...]:
    """The values that a number may be written as: as it is, as a share, in base units."""
    factor = value.unit.factor if value.unit else 1
    return value.value, value.value * 100, value.value / 100, value.value * factor, value.other


def _repeats(tail: str, value: Quantity) -> bool:
    """Whether a text has the value among its numbers."""
    found = (read_quantity(number) for number in _NUMBER.findall(_COMMAND.sub(" ", tail)))
    return any(number is not None and number.value == value.value for number in found)


def _is_asked(sentence: str, question: str, last: bool, again: bool) -> bool:
    """Whether a sentence of the form "so the area is 14", "Area = … = 14" speaks of what the question asks for."""
    match = _STATES.match(sentence)
    if match is None:
        return False
    said = [word.casefold() for word in _SUBJECT_WORD.findall(match["subject"])]
    letter = (re.search(r"(?<![^\W\d_])([A-Za-z])[\s$*]*$", match["subject"]) or ["", ""])[1]
    named = [letter.casefold()] if letter else [word for word in said if not _FREE.fullmatch(word)]
    if not named:
        return again or bool(_REAL & set(said))
    if len(named) == 1 and (
        _ANSWERS.fullmatch(named[0]) or (named[0] in ("value", "number", "one") and _REAL & set(said))
    ):
        return True
    asked = {word.casefold() for word in _SUBJECT_WORD.findall(question)}
    if letter and "=" in sentence:
        initials = {word[0] for word in asked if len(word) > 3}
        return last and (letter in _SUBJECT_WORD.findall(question) or (letter.isupper() and named[0] in initials))
    return all(word in asked for word in named) and any(len(word) > 1 or not word.isascii() for word in named)

"""What a response commits to: its declared answer, or else the one value that its prose states. For all verifiers.

A verifier brings a reader: `whole(text)` for a text that must be the answer and nothing else, `inside(sentence)` for a
sentence that states it. A declared answer (tag, box, JSON) must be readable as it stands. Prose is read in this order,
and the first step that gives a value decides:

1. every "the answer is …", in ten languages: two different values are no answer
2. the last sentence that draws a conclusion ("so", "因此", "donc" …)
3. what stands in bold type, if it is the same value everywhere
4. the last sentence and the first one, if they don't differ; a first one that sets the scene ("initially") is skipped

Thinking, code, tables, drawings, questions and courtesies are not read. Values are compared by `==`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from vlrl.verify.reading.another_quantity import names_another
from vlrl.verify.reading.clause.afterwards import retracts
from vlrl.verify.reading.clause.declaration import is_example, standing
from vlrl.verify.reading.clause.sentence_end import SENTENCE_END
from vlrl.verify.reading.cues import CONCLUDES, COURTESY, NOW, SCENE, SETUP, TAIL_ABROAD
from vlrl.verify.reading.declared import ESCAPED_LINE, MAX_TEXT_CHARS, Extraction, extract
from vlrl.verify.reading.hedging import condition, supposes
from vlrl.verify.values.shown_text import visible_text, without_markup
from vlrl.verify.words.languages import words

V = TypeVar("V")

MAX_SENTENCE = 600  # characters; a longer "sentence" is no statement
_MAX_BOLD = 200  # spans in bold type that are read
_CONTRAST = re.compile(  # "It isn't Venus; it is Mars"
    r"(?:\b(?:not(?! only| just)|nicht|pas|no|não|не)\b|n['’]t\b|不是)[^.;,，]{1,60}(?:[;,，]\s?(?:but\s|"
    r"rather\s)?(?=(?:it|this|"
    r"that)(?:['’]s|\sis)\b)|,\s(?:sondern|mais|sino|mas sim|а)\s|[，,]?而是|"
    r"\sbut\s(?!also\b))|^\W*not\s-?[0-9][0-9.,]*\s?[^\W\d_]{0,12}\s?[:;—–]\s(?=the\b)",
    re.IGNORECASE,
)
_CODE = re.compile(r"```.*?(?:```|\Z)|\[asy\].*?(?:\[/asy\]|\Z)|<<[^<>\n]{0,200}>>", re.DOTALL)
_LONG = re.compile(r"[^\W\d_]{4,}")
_BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*")
_GOES_ON = re.compile(r"\s?[-−–+*/×÷·^]\s?[0-9(\\]|\s(?:plus|minus|times)\b")
_NOT_ANOTHER = re.compile(r",\s(?:and\s)?not\s(?:option\s)?\(?(?:-?[0-9][0-9.,]*|[A-J])\)?[.*]*$")
_AND_WHY = re.compile(r"[^()—–]{1,40}(?:\([^()]*\)|\s[—–]\s.*)\W*")  # "4 (two on each side)"
_EXCLAIMS = re.compile(r"(?<![!=])!(?=[\s*]*$)")
_STATEMENT = re.compile(
    rf"\s*(?:[^\W\d_]+\s){{1,12}}?{words('is', 'states', 'stating', apart=True)}\s\S", re.IGNORECASE
)
_LONG_WORD = re.compile(r"(?<!\\)\b[^\W\d_]{2,}")


@dataclass(frozen=True)
class Reader(Generic[V]):
    """How a verifier reads its kind of value: from a text that is the answer, from a sentence that states it, and from
    the beginning of what follows "the answer is"."""

    whole: Callable[[str], V | None]
    inside: Callable[[str], V | None]
    leading: Callable[[str], V | None] = lambda _: None
    question: str = ""

    def read(self, text: str) -> V | None:
        """The value that a text is, or states."""
        value = self.whole(text)
        return self.inside(text) if value is None else value

    def said(self, text: str) -> V | None:
        """The value of what follows "the answer is", up to another one that it denies: "12, not 13"."""
        text = _NOT_ANOTHER.sub("", text)
        value = self.read(text)
        return self.leading(text) if value is None else value


@dataclass(frozen=True)
class Statement(Generic[V]):
    """The value that was read, the text it was read from, and why there is none where there is none."""

    value: V | None
    text: str | None
    note: str = ""


def committed(response: str, reader: Reader[V]) -> Statement[V]:
    """The one value that the response commits to, as the reader reads it."""
    found = extract(response, reader.question)
    if found.declared:
        return _declared(found, reader)
    if found.how == "none" and not found.candidates:
        return Statement(None, None, found.note)
    if found.how == "phrase":
        values = [v for c in found.candidates if (v := reader.said(c)) is not None]
        if found.note and found.note != "more than one answer":
            return Statement(None, found.candidates[-1] if found.candidates else None, found.note)
        if values:
            if any(v != values[0] for v in values):
                return Statement(None, found.candidates[-1], "more than one answer")
            return Statement(values[-1], found.candidates[-1])
        return Statement(None, found.candidates[-1] if found.candidates else None, "not readable")
    if found.how == "line":
        text = found.answer or ""
        value = reader.whole(without_tail(text))
        if value is None and _AND_WHY.fullmatch(text):
            value = reader.leading(text)
        if value is not None and not names_another(text, reader.question):
            return Statement(value, text)
    return _prose(response, reader)


def is_sentence(text: str) -> bool:
    """Whether a text is one sentence with a verb, which states an answer: "There are 7 birds"."""
    return _STATEMENT.match(text) is not None and SENTENCE_END.search(text) is None


def without_tail(text: str) -> str:
    """The text without what closes a sentence after its value in Japanese or Korean."""
    return text if text.isascii() else TAIL_ABROAD.sub("", text.strip())


def without_exclamation(text: str) -> str:
    """A sentence of words without the "!" at its end: "It's 8!" is no factorial."""
    return _EXCLAIMS.sub("", text) if "!" in text and _LONG_WORD.search(text) else text


def _declared(found: Extraction, reader: Reader[V]) -> Statement[V]:
    if found.answer is not None:
        value = reader.whole(found.answer)
        if value is None and found.how == "tag" and is_sentence(found.answer):
            value = _stated(found.answer, reader)
        return Statement(value, found.answer, "" if value is not None else "not readable")
    if found.note != "more than one answer" or not found.candidates:
        return Statement(None, None, found.note)
    values = [reader.whole(candidate) for candidate in found.candidates]
    if values[0] is None or any(v != values[0] for v in values):
        return Statement(None, None, found.note)
    return Statement(values[0], found.candidates[-1])  # one value in two spellings


def sentences_of(response: str) -> list[str]:
    """The sentences of a response in order, without code, tables, drawings, questions and courtesies."""
    text = ESCAPED_LINE.sub("\n", _CODE.sub("\n", without_markup(visible_text(response))[-MAX_TEXT_CHARS:]))
    pieces = (piece.strip() for piece in SENTENCE_END.split(text))
    return [p for p in pieces if any(c.isalnum() for c in p) and p.count("|") < 2 and not COURTESY.search(p)]


def _prose(response: str, reader: Reader[V]) -> Statement[V]:
    spoken = sentences_of(response)
    for place in reversed(range(len(spoken))):
        if CONCLUDES.search(spoken[place]) and (value := _stated(spoken[place], reader)) is not None:
            return _unless_retracted(value, spoken, place, reader)
    bold = [
        v for s in spoken if len(s) <= MAX_SENTENCE and not names_another(s, reader.question) for v in _bold(s, reader)
    ]
    if bold and all(v == bold[0] for v in bold):
        return _unless_retracted(bold[-1], spoken, len(spoken) - 1, reader)
    if not spoken:
        return Statement(None, None, "nothing but code, questions and courtesies")
    last = _stated(spoken[-1], reader)
    first = last if len(spoken) == 1 or SETUP.search(spoken[0]) else _stated(spoken[0], reader)
    if last is not None and first is not None and last != first and not _nearer(reader.question, spoken):
        return Statement(None, spoken[-1], "first and last sentence differ")
    value = first if last is None else last
    if value is None:
        return Statement(None, spoken[-1], "no readable answer")
    return _unless_retracted(value, spoken, len(spoken) - 1 if last is not None else 0, reader)


def _bold(sentence: str, reader: Reader[V]) -> list[V]:
    """The values that a sentence has in bold type, where its clause declares them as it would a box; all of them where
    they differ."""
    found = [
        (value, match)
        for match in islice(_BOLD.finditer(sentence), _MAX_BOLD)
        if (value := reader.read(match[1].strip(" .:"))) is not None
    ]
    values = [value for value, _ in found]
    if any(value != values[0] for value in values):
        return values
    return [v for v, m in found if _stands(sentence, m)]


def _stands(sentence: str, bold: re.Match[str]) -> bool:
    """Whether nothing around bold type denies it or makes it a part of a formula: "**12** − 1"."""
    if _GOES_ON.match(sentence, bold.end()):
        return False
    return not standing(sentence, bold.start(), bold.end(), bold[1], formula=False).fault


def _nearer(question: str, spoken: list[str]) -> bool:
    """Whether the last sentence has more of the question's words than the first one."""
    asked, first, last = ({w.casefold() for w in _LONG.findall(t)} for t in (question, spoken[0], spoken[-1]))
    return len(asked & last) > len(asked & first)


def _stated(sentence: str, reader: Reader[V]) -> V | None:
    if len(sentence) > MAX_SENTENCE or _sets_the_scene(sentence, reader.question):
        return None
    if names_another(sentence, reader.question) or is_example(sentence):
        return None
    value, supposed = reader.inside(sentence), condition(sentence)
    if value is None and (contrast := _CONTRAST.search(sentence)) is not None:
        value = reader.inside(sentence[contrast.end() :])
    if value is not None and supposed and (supposes(sentence, "") or reader.inside(supposed) == value):
        return None  # "If the bar is 85, the total is 85."
    return value


def _sets_the_scene(sentence: str, question: str) -> bool:
    """Whether a sentence says how things were at first, where that isn't asked, and nothing of how they are now."""
    scene = SCENE.search(sentence)
    return scene is not None and not SCENE.search(question) and not NOW.search(sentence)


def _unless_retracted(value: V, spoken: list[str], place: int, reader: Reader[V]) -> Statement[V]:
    """The value, unless a later sentence takes it back or is another bare value."""
    after = spoken[place + 1 :]
    if any(retracts(s) for s in after):
        return Statement(None, spoken[place], "the answer is taken back or hedged after it is given")
    if any((v := reader.whole(s)) is not None and v != value for s in after if len(s) < 60):
        return Statement(None, spoken[place], "more than one answer")
    return Statement(value, spoken[place])

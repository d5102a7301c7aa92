"""What a response commits to: its declared answer, or else the one value that its prose concludes with.

A verifier brings a reader, `read(text, declared) -> value or None`. A declared answer (tag, box, JSON) must be readable
as it stands. Prose is read in this order, and the first step that gives exactly one value decides:

1. every "the answer is …": two different values are no answer
2. the last sentence that concludes ("therefore", "so", "thus", "hence", "in conclusion" …)
3. the last sentence that is no courtesy ("I hope this helps", "Do you have other questions?")
4. the first sentence that is no courtesy

A value in `**bold**` comes before the rest of its sentence. Values are compared by `==`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from vlrl.verify.extract import MAX_TEXT_CHARS, Extraction, extract, sentences, visible_text

V = TypeVar("V")

_CONCLUDES = re.compile(
    r"^\W{0,6}(?:so|therefore|thus|hence|in conclusion|overall|finally|in total|altogether|in general|this means)\b"
    r"|\b(?:therefore|thus|hence)\b|(?:,|and) so\b",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"\?\W*$|\b(?:hope (?:this|that|it)|let me know|feel free|glad to|happy to|i can help|i see the image|i understand|"
    r"here is|here's|here are)\b|:\W*$",
    re.IGNORECASE,
)
_BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*")


@dataclass(frozen=True)
class Statement(Generic[V]):
    """The value that was read, the text it was read from, and why there is none where there is none."""

    value: V | None
    text: str | None
    note: str = ""


def committed(response: str, read: Callable[[str, bool], V | None]) -> Statement[V]:
    """The one value that the response commits to, as the reader reads it."""
    found = extract(response)
    if found.declared:
        return _declared(found, read)
    if found.how == "none":
        return Statement(None, None, found.note)
    if found.how == "phrase":
        values = [v for c in found.candidates if (v := read(c, False)) is not None]
        if values:
            if any(v != values[0] for v in values):
                return Statement(None, found.candidates[-1], "more than one answer")
            if found.note and found.note != "more than one answer":
                return Statement(None, found.candidates[-1], found.note)
            return Statement(values[-1], found.candidates[-1])
        if found.note and found.note != "more than one answer":
            return Statement(None, found.candidates[-1] if found.candidates else None, found.note)
    if found.how == "line":
        return _in_sentence(found.answer or "", read)
    spoken = [s for s in sentences(visible_text(response)[-MAX_TEXT_CHARS:]) if not _COURTESY.search(s)]
    concluding = [s for s in spoken if _CONCLUDES.search(s)]
    note = "no readable answer"
    for sentence in [*concluding[-1:], *spoken[-1:], *spoken[:1]]:
        statement = _in_sentence(sentence, read)
        if statement.value is not None:
            return statement
        note = statement.note
    return Statement(None, spoken[-1] if spoken else None, note)


def _declared(found: Extraction, read: Callable[[str, bool], V | None]) -> Statement[V]:
    if found.answer is not None:
        value = read(found.answer, True)
        return Statement(value, found.answer, "" if value is not None else "not readable")
    if found.note != "more than one answer" or not found.candidates:
        return Statement(None, None, found.note)
    values = [read(candidate, True) for candidate in found.candidates]
    if values[0] is None or any(v != values[0] for v in values):
        return Statement(None, None, found.note)
    return Statement(values[0], found.candidates[-1])  # one value in two spellings


def _in_sentence(sentence: str, read: Callable[[str, bool], V | None]) -> Statement[V]:
    bold = [v for text in _BOLD.findall(sentence) if (v := read(text.strip(), False)) is not None]
    if bold:
        if any(v != bold[0] for v in bold):
            return Statement(None, sentence, "more than one answer")
        if read(_BOLD.sub(" ", sentence), False) in (None, bold[0]):
            return Statement(bold[0], sentence)
    value = read(sentence.replace("**", ""), False)
    return Statement(value, sentence, "" if value is not None else "no readable answer")

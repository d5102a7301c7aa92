"""The boxes or points that a response commits to: its declared answer, or else what its prose shows and doesn't doubt.

A declared answer (tag, `\\boxed{}`, JSON) must be regions and nothing else. In every other response the notations of
`region_grammar` are looked for: after "the answer is" or "Action:" where one of them stands, else in the whole visible
text. A region in a sentence that denies it is none; a guess, an alternative and what is taken back afterwards are no
answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from vlrl.verify.reading.clause.afterwards import taken_back
from vlrl.verify.reading.clause.declaration import standing
from vlrl.verify.reading.clause.subject import names_another_place
from vlrl.verify.reading.declared import MAX_TEXT_CHARS, extract
from vlrl.verify.reading.hedging import denied_after, doubts, maybe
from vlrl.verify.reading.region_grammar import CHANGED_BEFORE, Kind, Region, read_regions, without_notation
from vlrl.verify.values.shown_text import visible_text

_ACTION = re.compile(r"^\s{0,3}Action:", re.MULTILINE)
_OR = re.compile(r"\bor\b", re.IGNORECASE)
_BREAK = re.compile(r"(?<=[.!?])\s|[.!?]$|\n")


@dataclass(frozen=True)
class Declared:
    """The regions that a response commits to, in order; None and a note where it commits to none."""

    regions: tuple[Region, ...] | None
    text: str | None
    note: str = ""


def declared_regions(response: str, kind: Kind, question: str = "") -> Declared:
    """What the response answers, as boxes or as points; none where its prose says that another thing lies there."""
    found = extract(response)
    if found.declared or found.how == "line":
        if found.answer is None:
            return Declared(None, None, found.note)
        read = read_regions(found.answer, kind)
        if read.whole:
            return Declared(read.found, found.answer)
        if found.declared:
            return Declared(None, found.answer, _unread(kind, read.others))
    if found.how == "none" and not found.candidates:
        return Declared(None, None, found.note)
    if found.how == "phrase":
        if found.answer is None:
            return Declared(None, None, found.note)
        if (said := read_regions(found.answer, kind).found) != ():
            later = read_regions(response[response.rfind(found.answer) + len(found.answer) :], kind).found
            if {region.numbers for region in later} - {region.numbers for region in said}:
                return Declared(None, found.answer, f"another {kind} after the answer")
            return _shown(found.answer, kind, question)
    text = visible_text(response)[-MAX_TEXT_CHARS:].strip()
    action = _ACTION.search(text)
    return _shown(text[action.end() :] if action else text, kind, question)


def _shown(text: str, kind: Kind, question: str) -> Declared:
    """The regions that a text in words shows."""
    read = read_regions(text, kind)
    if read.malformed or not read.found:
        return Declared(None, text[-200:], _unread(kind, read.others))
    kept: list[Region] = []
    position = 0
    for sentence_end in [*(m.end() for m in _BREAK.finditer(_masked(text, read.found))), len(text)]:
        inside = [r for r in read.found if position <= r.start < sentence_end]
        words = _words(text, position, sentence_end, inside)
        sentence_start, position = position, sentence_end
        if inside and (maybe(words) or _OR.search(words)):
            return Declared(None, text[-200:], f"the {kind} is one of several, or a guess")
        if any(_is_changed(text[sentence_start : region.start], text[region.start :]) for region in inside):
            return Declared(None, text[-200:], f"something beside the {kind} makes it another one")
        if inside and names_another_place(text[sentence_start : inside[0].start], question):
            return Declared(None, text[-200:], f"the {kind} is of another object")
        if not doubts(words):
            kept += [r for r in inside if not denied_after(without_notation(text[r.end : sentence_end]).strip())]
    if not kept:
        return Declared(None, text[-200:], f"the {kind} is denied")
    shown = standing(text, kept[0].start, kept[0].end, "", formula=False)
    if shown.fault:
        return Declared(None, text[-200:], shown.fault)
    if taken_back(without_notation(text[kept[-1].end :]), "phrase", text[kept[-1].start : kept[-1].end]):
        return Declared(None, text[-200:], "the answer is taken back or hedged after it is given")
    return Declared(tuple(kept), text[kept[0].start : kept[-1].end])


def _is_changed(before: str, region: str) -> bool:
    """Whether what stands right before a region makes it another one: "~[…]", "un[…]", "x > […]"."""
    if before[-1:].isalpha() and region[0] in "[{" and region[:2] != "[[":
        return True
    return CHANGED_BEFORE.search(without_notation(before).rstrip()) is not None


def _masked(text: str, found: tuple[Region, ...]) -> str:
    """The text with its regions blanked, so that a decimal point or a line break inside one ends no sentence."""
    pieces: list[str] = []
    position = 0
    for region in found:
        if region.start >= position:
            pieces += text[position : region.start], "#" * (region.end - region.start)
            position = region.end
    return "".join(pieces) + text[position:]


def _words(text: str, start: int, end: int, inside: list[Region]) -> str:
    """A sentence without its regions."""
    pieces: list[str] = []
    position = start
    for region in inside:
        pieces.append(text[position : max(position, region.start)])
        position = max(position, region.end)
    return without_notation(" ".join([*pieces, text[position:end]]))


def _unread(kind: Kind, others: int) -> str:
    return f"not a {kind}" + (", but a " + ("point" if kind == "box" else "box") if others else "")

r"""Patterns of words by what they do: `words("not")` finds "not", "nicht", "pas", 并非 …

A file gives for each kind of word its entries, parted by " | ". An entry is a regular expression and stands for whole
words, unless it begins with "~" or its language has no spaces between words (`apart: false`). What the kinds are is
said in `english.yaml`. Patterns are for `re.IGNORECASE`, or for text in lower case.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import yaml


@cache
def _files() -> dict[str, tuple[bool, dict[str, list[str]]]]:
    """Whether words stand apart, and the entries by kind, by language."""
    read = {}
    for file in sorted(Path(__file__).parent.glob("*.yaml")):
        kinds = yaml.load(file.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        apart = kinds.pop("apart", True)
        read[file.stem] = (apart, {kind: text.split(" | ") for kind, text in kinds.items()})
    return read


def words(*kinds: str, abroad: bool = False, apart: bool | None = None, language: str = "") -> str:
    """The pattern of all words of these kinds, in brackets.

    abroad    without the English ones
    apart     of the languages that part their words by spaces alone, or of the others alone
    language  of this one alone
    """
    whole: dict[str, None] = {}
    inside: dict[str, None] = {}
    for name, (spaced, listed) in _files().items():
        if (abroad and name == "english") or (apart is not None and apart != spaced) or language not in ("", name):
            continue
        for entry in (e.strip() for kind in kinds for e in listed.get(kind, ())):
            (whole if spaced and entry[0] != "~" else inside)[entry.removeprefix("~")] = None
    bounded = [rf"\b(?:{'|'.join(whole)})\b"] if whole else []  # one boundary for all is faster
    return f"(?:{'|'.join([*bounded, *inside])})"


def in_each_language(first: str, between: str, second: str, abroad: bool = False) -> str:
    """The pattern of a word of one kind and one of another kind in the same language: "si … serait"."""
    known = [
        name
        for name, (_, kinds) in _files().items()
        if {first, second} <= kinds.keys() and not (abroad and name == "english")
    ]
    return "|".join(f"{words(first, language=name)}{between}{words(second, language=name)}" for name in known)


@cache
def plain_words(kind: str) -> dict[str, frozenset[str]]:
    """Words of a kind that has plain words parted by spaces, such as "small", by language."""
    return {name: frozenset(kinds[kind][0].split()) for name, (_, kinds) in _files().items() if kind in kinds}


def pairs(kind: str, language: str = "") -> list[tuple[list[str], list[str]]]:
    """(what stands before "=", what stands behind it) of each word of a kind of plain words: "get=got,gotten"."""
    known = plain_words(kind)
    said = sorted(pair for name, words in known.items() if language in ("", name) for pair in words)
    return [(before.split(","), after.split(",")) for before, _, after in (pair.rpartition("=") for pair in said)]


def entries(kind: str) -> list[str]:
    """The entries of a kind as they stand, of all languages."""
    return [entry.strip() for _, kinds in _files().values() for entry in kinds.get(kind, ())]


_SCRIPTS = (("russian", "\u0400", "\u04ff"), ("japanese", "\u3040", "\u30ff"), ("korean", "\uac00", "\ud7af"),
            ("chinese", "\u4e00", "\u9fff"), ("arabic", "\u0600", "\u06ff"))  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+")


def languages_of(text: str) -> frozenset[str]:
    """The languages that a text may be in, by its script and its small words; none where nothing tells."""
    scripts = (
        [name for name, low, high in _SCRIPTS if any(low <= c <= high for c in text)] if not text.isascii() else []
    )
    if scripts:
        return frozenset(scripts[:1])
    spoken = [word.casefold() for word in _WORD.findall(text)]
    hits = {language: sum(word in known for word in spoken) for language, known in plain_words("small").items()}
    most = max(hits.values())
    return frozenset(language for language, count in hits.items() if count == most) if most else frozenset()

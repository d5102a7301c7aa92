"""Answers in JSON: the `answer` of an object, strict to the letter of the format."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

MAX_JSON_CHARS = 64_000  # ours: longer JSON is text that hides a guess
MAX_ANSWERS = 51  # one more than a response may have

_FENCED = re.compile(r"```json\s[^`]{1,16000}```")
_FENCE = re.compile(r"```(?:json|JSON)?\s")
_WHOLE = 16_000


def json_text(text: str) -> str | None:
    """A response that is JSON as a whole, without its code fence; None for every other text. Not parsed."""
    if (text[0] in "[{" and text[-1] in "]}" and len(text) <= _WHOLE) or _FENCED.fullmatch(text):
        return text.removeprefix("```json").strip("`").strip()
    return None


class _TwiceError(ValueError):
    """A JSON object that names a key twice; its arguments are the two values."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _TwiceError(json.dumps(found[key]), json.dumps(value))
        found[key] = value
    return found


def _not_a_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_ANSWERS = re.compile(r"(?:final[ _])?answer", re.IGNORECASE)
_OFFERS = re.compile(r"alternat|\bother|second_|backup|fallback", re.IGNORECASE)  # another answer beside the first
_NAMES_IT = re.compile(  # the one key of an object that is an answer
    r"(?:(?:total|final|correct|number|the)[ _]?(?:of[ _])?)*"
    r"(?:count|total|number|result|value|solution|output|option|choice|letter)",
    re.IGNORECASE,
)


def json_answers(text: str) -> list[str] | None:
    """The `answer` of a text that is one JSON object, as text; None of every other text."""
    text = text.strip()
    if not text.startswith("{") or not text.endswith("}") or len(text) > MAX_JSON_CHARS:
        return None
    try:
        loaded = json.loads(text, object_pairs_hook=_pairs, parse_constant=_not_a_number)
    except _TwiceError as error:
        return list(error.args)
    except (ValueError, RecursionError):
        return None
    found = []
    for key, value in loaded.items():
        if _ANSWERS.fullmatch(key) or (_OFFERS.search(key) and value not in (None, "", [], {})):
            found.append(value if isinstance(value, str) else json.dumps(value))
    [(key, value), *others] = loaded.items() if loaded else [("", {})]
    if not found and not others and _NAMES_IT.fullmatch(key) and not isinstance(value, dict):
        found = [value if isinstance(value, str) else json.dumps(value)]
    return found or None


_OBJECT = re.compile(r"^[ \t]*\{", re.MULTILINE)


def placed_json_answers(text: str) -> list[tuple[int, int, int, str]]:
    """(start, start, end, `answer` as text) of the JSON objects of a text that have one: in code fences, or where one
    of them ends the text and each begins a line."""
    fences = list(_FENCE.finditer(text))
    spans = [(fence.start(), fence.end(), text.find("```", fence.end())) for fence in fences]
    found = [
        (start, start, len(text) if end < 0 else end + 3, answer)
        for start, inside, end in spans
        for answer in json_answers(text[inside : end if end >= 0 else None]) or ()
    ]
    if found:
        return found[:MAX_ANSWERS]
    text = text.rstrip()
    if not text.endswith("}") or '"' not in text:
        return []
    starts = [match.start() for match in _OBJECT.finditer(text)][-MAX_ANSWERS:]
    for start, following in itertools.pairwise([*starts, len(text)]):
        last = json_answers(text[start:])
        for answer in last or json_answers(text[start:following].rstrip("` \n")) or ():
            found.append((start, start, len(text) if last else following, answer))
        if last is not None:
            return found
    return []

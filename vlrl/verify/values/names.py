r"""What may stand before "=" so that the value behind it is the answer: a name, or what the question asks for.

    x =   AB =   \angle ABC =   \angle A = \angle B =   R_{eq} =   \sin A =   f(2) =   Area =
    |z| =   after "Find |z|"

A name stands for its value. Of an expression of an unknown that isn't asked for, `x^2 = 5`, the value is no answer.
"""

from __future__ import annotations

import re
from functools import lru_cache

from vlrl.verify.values.number_words import WORDS

_FUNCTION_OF_ANGLE = (
    r"\\?(?:sin|cos|tan|cot)\s?[({]?\s?(?:(?:\\angle|∠)\s?)?(?:[A-Z]{1,3}|\\(?:alpha|beta|gamma|theta|phi))\s?[)}]?"
)
_SUBSCRIPT = r"(?:_\{?\s?[A-Za-z0-9]{1,12}\s?\}?)?"
_ONE = (
    rf"(?:{_FUNCTION_OF_ANGLE}|m?\s?(?:\\angle|∠)\s?[0-9]{{1,2}}"
    r"|(?:m?\s?(?:\\angle|∠)\s?)?(?:\\?[A-Za-z]+(?:\([A-Za-z0-9]{1,3}\))?'?|[A-Z][a-z]+(?:\s[a-z]+){0,3})"
    rf"{_SUBSCRIPT})"
)
_NAMED = re.compile(rf"(?:the\s)?{_ONE}\s?=\s?(?:{_ONE}\s?=\s?){{0,2}}")
_NO_NAME = re.compile(
    r"[a-z]{2}\s?=|(?:[Ll]et|[Ss]uppose|[Aa]ssume|[Ww]hen|[Ii]f|[Ff]or|[Gg]iven|[Ss]et|not|no|half|twice|minus|negative|"
    r"sqrt|log|ln|frac)\b|\\(?:neg|not|sqrt|frac|ln|log|pm)|\\?(?:sin|cos|tan)\b\s?[({]?\s?[a-z]"
)
_OF_ANGLE = re.compile(_FUNCTION_OF_ANGLE)
_FIND = (
    r"(?:find|what is|what's|determine|compute|calculate|evaluate|give|value of|求|计算)\s{0,2}"
    r"(?:(?:the|exact|value|measure|modulus|length|size|of)\s){0,4}(?:the\s)?\s{0,2}"
)
_MARKUP = re.compile(r"\\(?:left|right|displaystyle)(?![a-z])|[\\$]|\\[,;!]")
_WORD = re.compile(r"[A-Za-z]+|[0-9.]+|\S")


def value_start(text: str, asked: str = "") -> int:
    """Where the value begins behind "=" and its name, or what is asked for; 0 where none of them is there."""
    name = _NAMED.match(text)
    if name is not None and not _NO_NAME.match(text) and name[0].split("=")[0].strip() not in WORDS:
        return name.end()
    left, _, _ = text.partition("=")
    return len(left) + 1 if asks_for(left, asked) else 0


def is_named(text: str, asked: str = "") -> bool:
    """Whether a text beside "=" is a function of an angle or an expression that the question asks for."""
    return _OF_ANGLE.fullmatch(text.strip()) is not None or asks_for(text, asked)


@lru_cache(maxsize=1024)
def asks_for(text: str, question: str) -> bool:
    r"""Whether a question asks for this expression: "Find $|z|$." for `|z|`, "What is x + y?" for `x+y`."""
    words = _WORD.findall(_MARKUP.sub(" ", text.replace("{", " ").replace("}", " ")))
    if not question or not 1 < len(words) <= 20 or not any(word.isalpha() for word in words):
        return False
    expression = r"\s{0,2}".join(map(re.escape, words))
    plain = re.sub(r"\s+", " ", _MARKUP.sub(" ", question.replace("{", " ").replace("}", " "))[-2000:])
    return (
        re.search(rf"{_FIND}{expression}(?!\s?[-^+*/=<>(\w])|{_FIND}{expression}(?=\s[a-z]{{2}})", plain, re.IGNORECASE)
        is not None
    )

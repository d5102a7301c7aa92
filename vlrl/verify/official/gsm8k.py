"""GSM8K's rule: the number after the last "####", or after a last "A:" line as older recorded solutions write it."""

from __future__ import annotations

import re
from fractions import Fraction

_MARK = re.compile(r"(?:####|^\s*A:)\s*([^\n]*)", re.MULTILINE)
_NUMBER = re.compile(r"[-−]?[0-9]{1,60}(?:\.[0-9]{0,60})?|[-−]?\.[0-9]{1,60}")


def extract(response: str) -> Fraction | None:
    """The marked number, without thousands commas, currency, blanks and a final full stop; None where there is none."""
    marked = _MARK.findall(response)
    return to_number(marked[-1]) if marked else None


def to_number(text: str) -> Fraction | None:
    """The number that this text is; None for anything else."""
    bare = re.sub(r"[,$€£\s]", "", text).rstrip(".").replace("−", "-")
    return Fraction(bare) if _NUMBER.fullmatch(bare) else None


def is_right(answer: str, extraction: Fraction | None) -> bool:
    """Whether both are the same number."""
    return extraction is not None and extraction == to_number(answer)

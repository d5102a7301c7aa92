"""Values that programs take and return, as JSON and back: nothing but plain data ever comes out of the sandbox."""

from __future__ import annotations

import math
from typing import Any

from vlrl.verify.code.inside.plain_data import PlainError, decode, encode

__all__ = ["PlainError", "decode", "encode", "same_value"]


def same_value(got: Any, expected: Any, tolerance: float = 1e-9) -> bool:
    """Whether two plain values are equal. A tuple equals a list of the same; a truth value is no number.

    tolerance  for numbers that aren't both whole, absolute or relative
    """
    if isinstance(got, bool) or isinstance(expected, bool):
        return got is expected
    if isinstance(got, int | float) and isinstance(expected, int | float):
        if isinstance(got, int) and isinstance(expected, int):
            return got == expected
        if math.isnan(got) or math.isnan(expected):
            return math.isnan(got) and math.isnan(expected)
        return got == expected or abs(got - expected) <= tolerance * max(1.0, abs(expected))
    if isinstance(got, list | tuple) and isinstance(expected, list | tuple):
        return len(got) == len(expected) and all(
            same_value(a, b, tolerance) for a, b in zip(got, expected, strict=True)
        )
    if isinstance(got, dict) and isinstance(expected, dict):
        return got.keys() == expected.keys() and all(same_value(got[key], expected[key], tolerance) for key in got)
    return type(got) is type(expected) and bool(got == expected)

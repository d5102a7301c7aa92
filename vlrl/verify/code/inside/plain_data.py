"""Plain data as JSON and back: numbers, texts and collections of them, by their own types.

It runs on both sides of the sandbox's wall, with the standard library alone. Nothing that it reads becomes an object
with code of its own.
"""

import decimal
import fractions
import math
from collections.abc import Callable
from typing import Any

MAX_DEPTH = 200


class PlainError(ValueError):
    """Not plain data, or not what an honest side sends."""


BY_VALUE: "tuple[tuple[str, type, Callable[[Any], Any]], ...]" = (
    ("fraction", fractions.Fraction, lambda value: [hex(value.numerator), hex(value.denominator)]),
    ("decimal", decimal.Decimal, str),
    ("range", range, lambda value: [value.start, value.stop, value.step]),
)


PLAIN: "tuple[Any, ...]" = (int, float, str, bytes, list, tuple, set, frozenset, dict)


def encode(value: Any, keep: "Callable[[Any], Any] | None" = None, depth: int = 0) -> Any:
    """Plain data as JSON with tags; `keep` makes something of all else. Raises PlainError without it."""
    kind = type(value)
    if depth > MAX_DEPTH:
        raise PlainError("it is nested too deep")
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        return {"int": hex(value)}
    if kind is float:
        return {"float": value.hex() if math.isfinite(value) else str(value)}
    if kind is complex:
        return {"complex": [encode(value.real), encode(value.imag)]}
    if kind in (bytes, bytearray):
        return {kind.__name__: value.hex()}
    if kind in (list, tuple, set, frozenset):
        return {kind.__name__: [encode(item, keep, depth + 1) for item in value]}
    if kind is dict:
        pairs = [[encode(k, keep, depth + 1), encode(v, keep, depth + 1)] for k, v in value.items()]
        return {"dict": pairs}
    for tag, of, plain in BY_VALUE:
        if isinstance(value, of):
            return {tag: plain(value)}
    for base in PLAIN:  # counters, named tuples, enumerations
        if isinstance(value, base):
            return encode(base(value), keep, depth + 1)
    if kind.__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        return encode(value.item(), keep, depth + 1)
    if keep is None:
        raise PlainError(f"a {kind.__name__} is no plain data")
    return keep(value)


def decode(said: Any, known: "Callable[[str, Any], Any] | None" = None, depth: int = 0) -> Any:
    """The value of a tagged JSON; `known` finds what a number stands for. Raises PlainError for anything else."""
    if depth > MAX_DEPTH:
        raise PlainError("it is nested too deep")
    if said is None or type(said) in (bool, str):
        return said
    if type(said) is not dict or len(said) != 1:
        raise PlainError("no tagged value")
    (tag, inner), *_ = said.items()
    try:
        if tag == "int":
            return int(inner, 16)
        if tag == "float":
            return float(inner) if inner in ("inf", "-inf", "nan") else float.fromhex(inner)
        if tag == "complex":
            return complex(decode(inner[0]), decode(inner[1]))
        if tag in ("bytes", "bytearray"):
            return bytes.fromhex(inner) if tag == "bytes" else bytearray.fromhex(inner)
        if tag in ("list", "tuple", "set", "frozenset"):
            items = [decode(item, known, depth + 1) for item in inner]
            return {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[tag](items)
        if tag == "fraction":
            return fractions.Fraction(int(inner[0], 16), int(inner[1], 16))
        if tag == "decimal":
            return decimal.Decimal(inner)
        if tag == "range":
            return range(*inner)
        if tag == "dict":
            return {decode(k, known, depth + 1): decode(v, known, depth + 1) for k, v in inner}
    except PlainError:
        raise
    except (TypeError, ValueError, IndexError, ArithmeticError) as error:
        raise PlainError(f"{tag}: {error}") from error
    if known is None:
        raise PlainError(f"an unknown tag {tag!r}")
    return known(tag, inner)

"""What a user's verifier returned, as a verdict: what can only mean one thing is taken, all else is a fault by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from vlrl.types import Verdict

_SCORES = ("score", "overall", "reward")  # of a dictionary, the first that it has
_SHOWN = 200


def as_verdict(returned: Any, name: str) -> Verdict:
    """The verdict that a verifier meant.

    Taken: a Verdict, whose fields may be numpy's; a boolean; a number in [0, 1], correct at 1; a dictionary with such a
    number as `score` or `overall`, whose other numbers are the verdict's parts. A fault: None, NaN, a number outside
    [0, 1], anything else.
    """
    try:
        return _taken(returned)
    except (ValueError, TypeError) as error:
        return Verdict.broken(f"{name}: {error}")
    except Exception as error:  # an object whose conversion itself fails
        return Verdict.broken(f"{name}: returned {type(returned).__name__}, {type(error).__name__}: {error}")


def _taken(returned: Any) -> Verdict:
    if isinstance(returned, Verdict):
        if returned.fault is not None:
            return Verdict.broken(str(returned.fault))
        score = score_of(returned.score)
        return Verdict(
            score,
            _truth(returned.correct),
            _text(returned.answer),
            _text(returned.note) or "",
            None,
            parts_of(returned.parts),
        )
    if isinstance(returned, Mapping):
        key = next((one for one in _SCORES if one in returned), None)
        if key is None:
            raise ValueError(f"returned a dictionary without a score: {_shown(returned)}")
        score = score_of(returned[key])
        correct = _truth(returned["correct"]) if "correct" in returned else score >= 1.0
        parts = {str(k): v for k, v in returned.items() if k not in (key, "correct") and is_number(v)}
        return Verdict(score, correct, parts=parts_of(parts))
    score = score_of(returned)
    return Verdict(score, score >= 1.0)


def score_of(value: Any) -> float:
    """A score in [0, 1]. Raises ValueError with what was returned instead."""
    if value is None:
        raise ValueError("returned None, not a verdict: nothing is known about the response")
    if not is_number(value):
        raise ValueError(f"returned {_shown(value)} of type {type(value).__name__}, not a verdict or a score in [0, 1]")
    number = _plain(value)
    if not 0.0 <= number <= 1.0:  # also NaN
        raise ValueError(f"returned the score {number!r}, outside [0, 1]")
    return number


def parts_of(values: Mapping[str, Any]) -> dict[str, float]:
    """Sub-scores as plain numbers; one that is not finite is left out of the figures as it can't be averaged."""
    return {str(name): _plain(value) for name, value in values.items() if math.isfinite(_plain(value))}


def is_number(value: Any) -> bool:
    """Whether this is a number: Python's and numpy's numbers and booleans, and arrays and tensors of one element."""
    if isinstance(value, (bool, int, float)):
        return True
    if isinstance(value, (str, bytes, Mapping, complex)) or not hasattr(value, "__float__"):
        return False
    return getattr(value, "size", 1) == 1 if not callable(getattr(value, "size", 1)) else value.numel() == 1


def _truth(value: Any) -> bool:
    if not is_number(value) or _plain(value) not in (0.0, 1.0):
        raise ValueError(f"returned a verdict whose `correct` is {_shown(value)}")
    return bool(_plain(value))


def _plain(value: Any) -> float:
    return float(value.item() if hasattr(value, "item") else value)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, (str, bytes, int, float, complex, list, tuple, dict)) else "an object"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"

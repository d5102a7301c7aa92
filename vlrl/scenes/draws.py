"""Small random choices and the way from a difficulty in [0, 1] to a whole number, shared by the domains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from vlrl.errors import ConfigError

T = TypeVar("T")


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options, all alike likely. A tenth of the time of `rng.choice`, and it keeps the option's type."""
    return options[int(rng.integers(len(options)))]


def shuffled(rng: np.random.Generator, options: Sequence[T]) -> list[T]:
    """The options in a random order."""
    return [options[i] for i in rng.permutation(len(options))]


def scaled(span: tuple[int, int], difficulty: float) -> int:
    """The whole number at `difficulty` between span[0] (difficulty 0) and span[1] (difficulty 1), rounded half up."""
    low, high = span
    return low + int(difficulty * (high - low) + 0.5)


def check_span(place: str, span: tuple[int, int], low: int, high: int) -> None:
    """Raises ConfigError unless low <= span[0] <= span[1] <= high."""
    if not low <= span[0] <= span[1] <= high:
        raise ConfigError(place, f"got {list(span)}", f"give two whole numbers, the smaller first, in {low}..{high}")


def check_at_least(place: str, value: int, low: int) -> None:
    """Raises ConfigError if the value is below `low`."""
    if value < low:
        raise ConfigError(place, f"got {value}", f"give at least {low}")


def either(options: Sequence[str], word: str = "or") -> str:
    """The options as a list in a sentence: `red, blue or green`."""
    return f"{', '.join(options[:-1])} {word} {options[-1]}" if len(options) > 1 else options[0]

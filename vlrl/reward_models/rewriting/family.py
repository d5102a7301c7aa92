"""What a family of rewritings is: it draws a question with a reference, the answer in other forms, and near misses.

A form carries the exact value that it stands for. Two forms agree where their values are equal, and nothing else says
so: a near miss whose value happens to be the reference's is none.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np

from vlrl.registry import Registry

_PIECE = re.compile(r"\d|[^\W\d]+|\S")
ATTEMPTS = 64  # draws of a form until it is a new one


@dataclass(frozen=True)
class Form:
    """One way to write a value down.

    value   exact and hashable; equal values are equal answers
    normal  the value in the family's normal form, to which a reasoning brings every form
    how     the name of the rewriting
    """

    text: str
    value: Hashable
    normal: str
    how: str

    @property
    def step(self) -> str:
        """How a reasoning reads it: `1.5 km = 1500 m`."""
        return self.text if self.text == self.normal else f"{self.text} = {self.normal}"


@dataclass(frozen=True)
class Rewritten:
    """A question with its reference; answers that agree with it, and answers that don't."""

    question: str
    reference: Form
    verifier: str
    equal: tuple[Form, ...]
    other: tuple[Form, ...]
    metadata: dict[str, Any] = field(default_factory=dict)


def worked(reference: Form, answer: Form) -> str:
    """The reasoning that leads to the label: both in normal form, then piece by piece up to the first difference.

    `1.5 km = 1500 m; 150 m; 1 1, 5 5, 0 0, 0 m; differ`. Without the pieces the last word would compare all of two
    forms at once, which a small model doesn't learn.
    """
    verdict = "same" if reference.value == answer.value else "differ"
    return f"{reference.step}; {answer.step}; {compared(reference.normal, answer.normal)}; {verdict}"


def compared(first: str, second: str) -> str:
    """Pieces of two normal forms side by side, up to the first pair that differs; `end` where one has no more."""
    pairs = []
    for a, b in zip_longest(_PIECE.findall(first), _PIECE.findall(second), fillvalue="end"):
        pairs.append(f"{a} {b}")
        if a != b:
            break
    return ", ".join(pairs)


class Family(ABC):
    """Draws rewritings. `name` is how a config calls it."""

    name: str

    @abstractmethod
    def draw(self, rng: np.random.Generator, count: int) -> Rewritten:
        """A question with at most `count` answers of each label, each in a text of its own."""


families: Registry[Any] = Registry("family of rewritings", base=Family)


def distinct(draw: Callable[[], Form], count: int, reference: Form, agree: bool) -> tuple[Form, ...]:
    """At most `count` drawn forms that agree with the reference, or that don't; none has the reference's text."""
    found: dict[str, Form] = {}
    for _ in range(ATTEMPTS * count):
        if len(found) == count:
            break
        form = draw()
        if (form.value == reference.value) == agree and form.text != reference.text:
            found.setdefault(form.text, form)
    return tuple(found.values())

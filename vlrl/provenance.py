"""What every part of the algorithm surface says of itself: where it comes from, how far that can be trusted, its needs.

    shape → advantage → adjust → token_credit → weigh → loss

A part is a frozen settings class of one registry (`credit/`, `losses/`); docs/algorithms.md lists them all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

from vlrl.config import Settings

Mark = Literal["P", "C", "R", "A", "D", ""]
MARKS: dict[str, str] = {
    "P": "stated in the paper",
    "C": "read in the authors' released code, which may differ from the paper",
    "R": "read in a re-implementation or a note by others",
    "A": "known from the abstract alone",
    "D": "our derivation or reconstruction, in the style of the paper",
    "": "plain",
}


class Method(Settings):
    """A part with its source.

    paper   where it was proposed, by title or number
    mark    how far the formula can be trusted, a key of MARKS
    needs   what must be computed or set up besides rollouts and verdicts; only what some part needs is computed
    """

    paper: ClassVar[str] = ""
    mark: ClassVar[Mark] = ""
    needs: ClassVar[frozenset[str]] = frozenset()


def needs_of(parts: Iterable[Any]) -> frozenset[str]:
    """What the parts need together. Parts of a user's own may leave `needs` out."""
    return frozenset(need for part in parts for need in getattr(part, "needs", ()))


def source_of(part: Any) -> str:
    """One line for the run card: class, mark and paper."""
    mark = getattr(part, "mark", "")
    said = ", ".join(text for text in (getattr(part, "paper", ""), f"[{mark}]" if mark else "") if text)
    return f"{type(part).__name__} ({said})" if said else type(part).__name__

"""Short chains of thought for warm-up demonstrations (k1.5 §2.2): steps such as `3+5=8 8+9=17`, always exactly
right.
"""

from __future__ import annotations

from collections.abc import Sequence


def running_sum(terms: Sequence[int], modulus: int | None = None) -> str:
    """One addition a step: (3, 5, 9) → `3+5=8 8+9=17`. With a modulus every step is reduced: `3+5=8 8+9=7` (mod 10)."""
    total, steps = terms[0], []
    for term in terms[1:]:
        after = total + term if modulus is None else (total + term) % modulus
        steps.append(f"{total}+{term}={after}")
        total = after
    return " ".join(steps)


def one_sum(terms: Sequence[int]) -> str:
    """All terms in one addition: (1, 0, 2) → `1+0+2=3`."""
    return f"{'+'.join(map(str, terms))}={sum(terms)}"


def count_rows(marks: Sequence[bool], columns: int) -> str:
    """Counting row by row: nine cells with two marks in the first row and one in the last → `2+0+1=3`."""
    return one_sum([sum(marks[i : i + columns]) for i in range(0, len(marks), columns)])

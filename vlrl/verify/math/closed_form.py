r"""Whether two formulas are equal, without computer algebra: by their values at fixed points (`formula_value`).

Said to be *equal* only where they have the same values to forty digits, with positive and with negative unknowns. Said
to be *different* only where their values at some point are far apart, more than any rounding of a decimal explains.
Everything else (not read, ambiguous, too near to tell, equal for some signs alone) is left open.
"""

from __future__ import annotations

from vlrl.verify.math.formula import Formula, read_formula
from vlrl.verify.math.formula_value import apart

APART = 1e-4  # relative and absolute: far more than the 6 decimals to which a decimal and an exact value are compared


def same_closed_form(one: str, other: str, decimals: int = 6) -> bool | None:
    """True: equal. False: different, also after rounding to this many decimals. None: not read, or too near to tell."""
    first = read_formula(one)
    second = read_formula(other) if first is not None else None
    if first is None or second is None:
        return None
    return same_formula(first, second, decimals)


def same_formula(one: Formula, other: Formula, decimals: int = 6) -> bool | None:
    """As `same_closed_form`, of formulas that have been read."""
    if one.word and other.word:
        return None  # words may be prose, and prose is no product of letters
    differ = apart(one, other, max(APART, 2 * 10.0**-decimals))
    if differ:
        return None if one.vague or other.vague else False
    return True if differ is False and not one.word and not other.word else None

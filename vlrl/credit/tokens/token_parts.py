"""Credit token by token: parts that move advantages within a group, add to them at single tokens, or weigh tokens.

    credit: {adjust: [ucpo], token_credit: [vopd], weigh: [sas]}

Adjusting parts run one after the other, token credit is added up, weights are multiplied; a weight that says `last`
sees the product of the others. A token of weight 0 is out of the loss, and out of the number of tokens that a loss is
averaged over.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from vlrl.credit.advantage.advantages import State
from vlrl.credit.credit_context import CreditContext
from vlrl.provenance import Method
from vlrl.registry import Registry
from vlrl.types import PerToken, ScoredGroup


class Adjust(Method):
    """The base of parts that move advantages."""

    @abstractmethod
    def over(self, groups: Sequence[ScoredGroup], context: CreditContext, state: State) -> list[tuple[float, ...]]:
        """(n,) advantages of every group from those before."""


class TokenPart(Method):
    """The base of parts that add to the advantage at single tokens, or weigh tokens.

    last  whether a weight sees the product of the others
    """

    last: ClassVar[bool] = False

    @abstractmethod
    def over(self, groups: Sequence[ScoredGroup], context: CreditContext, state: State) -> list[PerToken]:
        """For every group, per response (T_j,): numbers to add, or weights ≥ 0 to multiply."""


adjusts: Registry[Any] = Registry("adjustment of advantages", base=Adjust)
token_credits: Registry[Any] = Registry("token credit", base=TokenPart)
weighers: Registry[Any] = Registry("token weight", base=TokenPart)


def add(sums: PerToken | None, more: PerToken) -> PerToken:
    """Per response (T_j,) the sums of both; None counts as zeros."""
    if sums is None:
        return more
    return tuple(
        tuple(a + b for a, b in zip(first, second, strict=True)) for first, second in zip(sums, more, strict=True)
    )


def multiply(products: PerToken | None, more: PerToken) -> PerToken:
    """Per response (T_j,) the products of both; None counts as ones."""
    if products is None:
        return more
    return tuple(
        tuple(a * b for a, b in zip(first, second, strict=True)) for first, second in zip(products, more, strict=True)
    )

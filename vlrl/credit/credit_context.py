"""When credit is given: what a part of credit knows besides the groups."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CreditContext:
    """When credit is given.

    step, steps   of the RL run; the first is 0
    max_tokens    response budget
    version       of the policy that writes now; older segments carry smaller ones
    mean_over_response  whether the loss divides what a response's tokens say by their number
    """

    step: int
    steps: int = 1
    max_tokens: int = 1
    version: int = 0
    mean_over_response: bool = False

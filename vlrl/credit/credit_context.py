"""What a part of credit knows besides the groups: where in the run it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CreditContext:
    """Where in the run credit is assigned.

    step, steps         0-based step of the RL run, and how many there are
    max_tokens          response budget
    version             policy version of this iteration; segments of earlier ones carry smaller numbers
    general             names of the sources of general problems, beside those that the run is about
    mean_over_response  whether the loss averages over a response's tokens, rather than adding them up
    """

    step: int
    steps: int = 1
    max_tokens: int = 1
    version: int = 0
    mean_over_response: bool = False
    general: frozenset[str] = frozenset()

"""Verdicts on responses: extraction, typed verifiers, combinators. Importing this package fills the registry."""

from vlrl.verify import (
    benchmark_rewards,
    box,
    choice,
    combine,
    exact,
    mathematics,
    model_judge,
    number,
    point,
    published_scores,
    sequence,
    text,
    time_of_day,
)

__all__ = [
    "benchmark_rewards",
    "box",
    "choice",
    "combine",
    "exact",
    "mathematics",
    "model_judge",
    "number",
    "point",
    "published_scores",
    "sequence",
    "text",
    "time_of_day",
]

"""Verdicts on responses: extraction, typed verifiers, combinators. Importing this package fills the registry.

Read judge, then verifiers/number and reading/committed_answer; combine makes verifiers of verifiers.
"""

from vlrl.verify import combine
from vlrl.verify.code import code_verifier
from vlrl.verify.learned import judgement, reward_model
from vlrl.verify.official import benchmark_rewards
from vlrl.verify.rendering import visual_code
from vlrl.verify.verifiers import (
    box,
    choice,
    exact,
    list_answer,
    mathematics,
    model_judge,
    number,
    point,
    published_scores,
    text,
    time_of_day,
)

__all__ = [
    "benchmark_rewards",
    "box",
    "choice",
    "code_verifier",
    "combine",
    "exact",
    "judgement",
    "list_answer",
    "mathematics",
    "model_judge",
    "number",
    "point",
    "published_scores",
    "reward_model",
    "text",
    "time_of_day",
    "visual_code",
]

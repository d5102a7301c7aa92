"""Verdicts on a whole table of responses: as rewards, or by the benchmark's published rule, luck and row order
included.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal

from vlrl.data.benchmarks.benchmark_definition import Answer, benchmark_named, benchmarks
from vlrl.types import Problem, Verdict
from vlrl.verify.judge import judge_all, warm_up_verifiers
from vlrl.verify.official import mmmu
from vlrl.verify.official.mathvista import IntegerRule

Mode = Literal["reward", "official"]


def score_answers(
    benchmark: str,
    problems: Sequence[Problem],
    answers: Sequence[Answer | None],
    mode: Mode = "reward",
    integer_rule: IntegerRule = "int",
) -> list[Verdict]:
    """One verdict a row, in row order (MMMU's random fallback depends on it); a missing answer (None) is wrong."""
    published = benchmark_named(benchmark) if mode == "official" and has_published_rule(benchmark) else None
    if published is None:
        warm_up_verifiers(problems)
    draws = random.Random(mmmu.SEED)
    verdicts: list[Verdict] = []
    asked: list[tuple[Problem, list[str]]] = []  # side by side, where their verifier waits
    judged: list[int] = []
    for problem, answer in zip(problems, answers, strict=True):
        if answer is None:
            verdicts.append(Verdict.wrong("missing"))
        elif answer.use_extraction and not answer.has_extraction:
            verdicts.append(Verdict.wrong("no extraction"))
        elif published is None:
            asked.append((problem, [answer.said]))
            judged.append(len(verdicts))
            verdicts.append(Verdict.broken("not judged yet"))
        else:
            verdicts.append(published.official(problem, answer, draws, integer_rule))
    for index, held in zip(judged, judge_all(asked), strict=True):
        verdicts[index] = held[0]
    return verdicts


def has_published_rule(benchmark: str) -> bool:
    """Whether official mode differs from reward mode; problem files have no benchmark's rule."""
    return benchmark in benchmarks and benchmark_named(benchmark).publishes_rule

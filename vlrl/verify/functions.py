"""Reward functions written for other trainers, as verifiers.

    verifier("mine")(from_compute_score(compute_score))   # compute_score(solution_str, ground_truth, …) -> float | dict
    verifier("theirs")(from_trl_reward(accuracy_reward))  # reward(completions, solution, …) -> list[float]

What such a function raises or returns that is no score in its range is a fault, as for every verifier.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

from vlrl.types import Problem, Verdict
from vlrl.verify.judge import Verifier
from vlrl.verify.reading.declared import extract

_RESPONSE_NAMES = ("solution", "solution_str", "response", "completion", "prediction")
_GOLD_NAMES = ("ground_truth", "answer", "gold", "target", "label")


def from_compute_score(
    function: Callable[..., Any],
    span: tuple[float, float] = (0.0, 1.0),
    correct_at: float = 1.0,
    answer_only: bool = False,
) -> Verifier:
    """A function `compute_score(solution, ground_truth, …) -> float` (or a dict with "score") as a verifier.

    span         what the function returns at worst and at best; mapped to 0 and 1 (some return −1 … 1)
    correct_at   correct from this mapped score on
    answer_only  pass the declared answer instead of the whole response; no answer is then 0 without a call

    Arguments are filled by name: the response as solution, solution_str, response, completion or prediction; the gold
    as ground_truth, answer, gold, target or label; data_source as the problem's domain; extra_info as its facts.
    A function without these names gets response and gold as its first two arguments.
    """
    names = list(inspect.signature(function).parameters)
    named = any(n in names for n in _RESPONSE_NAMES) and any(n in names for n in _GOLD_NAMES)

    @functools.wraps(function)
    def check(problem: Problem, response: str) -> Verdict:
        text: str | None = response
        if answer_only:
            extraction = extract(response)
            text = extraction.answer
            if text is None:
                return Verdict.wrong(extraction.note)
        by_name = {
            **dict.fromkeys(_RESPONSE_NAMES, text),
            **dict.fromkeys(_GOLD_NAMES, problem.answer),
            "data_source": problem.domain,
            "extra_info": dict(problem.facts),
        }
        if named:
            value = function(**{name: by_name[name] for name in names if name in by_name})
        else:
            value = function(text, problem.answer)
        if isinstance(value, dict):
            value = value["score"]
        return _verdict(value, span, correct_at, text)

    return check


def from_trl_reward(
    function: Callable[..., Any],
    span: tuple[float, float] = (0.0, 1.0),
    correct_at: float = 1.0,
    conversational: bool = False,
) -> Verifier:
    """A TRL reward function `(prompts, completions, **columns) -> list[float]` as a verifier, called with one row.

    conversational   completions are `[{"role": "assistant", "content": …}]`, as TRL gives them for chat prompts

    The columns are the problem's facts, and its answer as `answer`, `solution` and `ground_truth`. None ("this function
    does not apply") is a fault: nothing is known about the response. Asynchronous functions are not supported.
    """
    accepts = inspect.signature(function).parameters
    takes_all = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in accepts.values())

    @functools.wraps(function)
    def check(problem: Problem, response: str) -> Verdict:
        completion: Any = [{"role": "assistant", "content": response}] if conversational else response
        prompt: Any = [{"role": "user", "content": problem.question}] if conversational else problem.question
        columns = {
            **{name: [value] for name, value in problem.facts.items()},
            **{name: [problem.answer] for name in ("answer", "solution", "ground_truth")},
            "prompts": [prompt],
            "completions": [completion],
        }
        values = function(**{n: v for n, v in columns.items() if takes_all or n in accepts})
        if not isinstance(values, (list, tuple)) or len(values) != 1:
            raise ValueError(f"one completion in, {values!r} out")
        return _verdict(values[0], span, correct_at, response)

    return check


def _verdict(value: Any, span: tuple[float, float], correct_at: float, text: str | None) -> Verdict:
    if value is None:
        raise ValueError("the function returned None: it does not judge this response")
    number = float(value)
    low, high = span
    if not math.isfinite(number) or not min(low, high) <= number <= max(low, high):
        raise ValueError(f"the function returned {value!r}, outside {low:g} … {high:g}")
    score = (number - low) / (high - low)
    return Verdict(score, score >= correct_at, text)

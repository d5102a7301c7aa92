"""Reward functions written for other trainers, as verifiers.

    verifier("mine")(from_reward(compute_score))            # the contract is read from the signature
    verifier("theirs")(from_reward(compute_score, "easyr1"))

verl     compute_score(data_source, solution_str, ground_truth, extra_info) -> float, or a dict with "score"
easyr1   compute_score(reward_inputs: list[dict]) -> list[dict], or of one dict; the dicts have response,
         response_length and ground_truth, the results "overall" and sub-scores
trl      reward(prompts, completions, **columns) -> list[float]
swift    a class or an object of it: __call__(completions, solution, **columns) -> list[float]

Other numbers of a result are the verdict's sub-scores: they are in rollouts.jsonl and, on average, in the metrics. What
such a function raises or returns that is no score in its range is a fault, as for every verifier.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

from vlrl.errors import ConfigError, did_you_mean
from vlrl.types import Problem, Verdict
from vlrl.verify.judge import Verifier
from vlrl.verify.plugins.returned import is_number, parts_of
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
    as ground_truth, answer, gold, target or label; data_source as the problem's domain; extra_info as its metadata.
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
            "extra_info": dict(problem.metadata),
        }
        if named:
            value = function(**{name: by_name[name] for name in names if name in by_name})
        else:
            value = function(text, problem.answer)
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

    The columns are the problem's metadata, and its answer as `answer`, `solution` and `ground_truth`. None ("this
    function does not apply") is a fault: nothing is known about the response. Asynchronous functions are not supported.
    """
    accepts = inspect.signature(function).parameters
    takes_all = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in accepts.values())

    @functools.wraps(function)
    def check(problem: Problem, response: str) -> Verdict:
        completion: Any = [{"role": "assistant", "content": response}] if conversational else response
        prompt: Any = [{"role": "user", "content": problem.question}] if conversational else problem.question
        columns = {
            **{name: [value] for name, value in problem.metadata.items()},
            **{name: [problem.answer] for name in ("answer", "solution", "ground_truth")},
            "prompts": [prompt],
            "completions": [completion],
        }
        values = function(**{n: v for n, v in columns.items() if takes_all or n in accepts})
        return _verdict(_single(values, 1), span, correct_at, response)

    return check


def from_easyr1_reward(
    function: Callable[..., Any], span: tuple[float, float] = (0.0, 1.0), correct_at: float = 1.0
) -> Verifier:
    """An EasyR1 reward function as a verifier, called with one response: a list of dicts in and out, or one dict.

    Correct where the sub-score `accuracy` is 1, or without one where `overall` is at `correct_at`. `response_length` is
    in characters here: a verifier has no tokens.
    """
    batched = next(iter(inspect.signature(function).parameters)) != "reward_input"

    @functools.wraps(function)
    def check(problem: Problem, response: str) -> Verdict:
        one = {"response": response, "response_length": len(response), "ground_truth": problem.answer}
        one = {**problem.metadata, **one}
        return _verdict(_single(function([one]), 1) if batched else function(one), span, correct_at, response)

    return check


def from_swift_orm(reward: Any, span: tuple[float, float] = (0.0, 1.0), correct_at: float = 1.0) -> Verifier:
    """An outcome reward of ms-swift, a class (made without arguments) or an object, as a verifier of one response."""
    called = reward() if isinstance(reward, type) else reward
    judged = from_trl_reward(called.__call__, span, correct_at)

    def check(problem: Problem, response: str) -> Verdict:
        return judged(problem, response)

    check.__module__ = type(called).__module__
    check.__name__ = type(called).__name__
    return check


CONTRACTS: dict[str, Callable[..., Verifier]] = {
    "verl": from_compute_score,
    "easyr1": from_easyr1_reward,
    "trl": from_trl_reward,
    "swift": from_swift_orm,
}


def from_reward(
    function: Any,
    contract: str | None = None,
    span: tuple[float, float] = (0.0, 1.0),
    correct_at: float = 1.0,
) -> Verifier:
    """A reward function of another trainer as a verifier; `contract` is read from its signature where it isn't given.

    Raises ConfigError for an unknown contract, or a signature that none of them has.
    """
    name = contract or _contract_of(function)
    if name not in CONTRACTS:
        raise ConfigError("from_reward", f"unknown contract {name!r}", did_you_mean(name, CONTRACTS))
    return CONTRACTS[name](function, span=span, correct_at=correct_at)


def _contract_of(function: Any) -> str:
    is_object = isinstance(function, type) or not inspect.isroutine(function)
    called = function.__call__ if is_object else function
    names = [name for name in inspect.signature(called).parameters if name != "self"]
    if "completions" in names:
        return "swift" if is_object else "trl"
    if any(n in names for n in _RESPONSE_NAMES) and any(n in names for n in _GOLD_NAMES):
        return "verl"
    if names and names[0] in ("reward_inputs", "reward_input"):
        return "easyr1"
    raise ConfigError(
        "from_reward",
        f"the signature ({', '.join(names)}) is of none of {', '.join(CONTRACTS)}",
        'name the contract: from_reward(function, "verl")',
    )


def _single(values: Any, count: int) -> Any:
    if not isinstance(values, (list, tuple)) or len(values) != count:
        raise ValueError(f"one completion in, {values!r} out")
    return values[0]


def _verdict(value: Any, span: tuple[float, float], correct_at: float, text: str | None) -> Verdict:
    if isinstance(value, Mapping):
        return _with_parts(value, span, correct_at, text)
    if value is None:
        raise ValueError("the function returned None: it does not judge this response")
    number = float(value)
    low, high = span
    if not math.isfinite(number) or not min(low, high) <= number <= max(low, high):
        raise ValueError(f"the function returned {value!r}, outside {low:g} … {high:g}")
    score = (number - low) / (high - low)
    return Verdict(score, score >= correct_at, text)


def _with_parts(value: Mapping[str, Any], span: tuple[float, float], correct_at: float, text: str | None) -> Verdict:
    key = next((name for name in ("score", "overall") if name in value), None)
    if key is None:
        raise ValueError(f"the function returned a dictionary without `score` or `overall`: {dict(value)!r}")
    whole = _verdict(value[key], span, correct_at, text)
    parts = parts_of({str(n): v for n, v in value.items() if n != key and is_number(v)})
    correct = parts["accuracy"] >= 1.0 if "accuracy" in parts else whole.correct
    return Verdict(whole.score, correct, text, parts=parts)

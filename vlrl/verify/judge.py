"""Judging: a verifier by name, a verdict for every response. A broken verifier is a fault, never a zero."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from vlrl import dist
from vlrl.registry import Registry
from vlrl.types import Problem, Verdict

Verifier: TypeAlias = Callable[[Problem, str], Verdict]

verifiers: Registry[Verifier] = Registry("verifier")


_preparations: dict[str, Callable[[], None]] = {}

DeclareGold: TypeAlias = Callable[[Problem], Sequence[str] | None]


def gold_as_written(problem: Problem) -> Sequence[str] | None:
    """The problem's gold as an answer, for verifiers whose golds are answers themselves."""
    return (problem.answer.strip(),)


_golds: dict[str, DeclareGold | None] = {}


def verifier(
    name: str,
    prepare: Callable[[], None] | None = None,
    gold: DeclareGold | None = gold_as_written,
) -> Callable[[Verifier], Verifier]:
    """Decorator: a plain function `(problem, response) -> Verdict` becomes the verifier `name`.

    prepare  begins whatever it needs before its first verdict (worker processes) and returns at once
    gold     answers of which one must score 1 for a problem whose gold is sound; None (or a function that returns
             None): golds of this verifier can't be checked, because a model judges or a program is run
    """
    if prepare is not None:
        _preparations[name] = prepare
    _golds[name] = gold
    return verifiers.register(name)


def declared_gold(problem: Problem) -> Sequence[str] | None:
    """The problem's gold in the forms of an answer; None where it can't be checked. Raises ConfigError for an unknown
    verifier, and whatever the verifier raises for a gold that it can't read."""
    verifiers.get(problem.verifier)
    declare = _golds.get(problem.verifier, gold_as_written)
    return None if declare is None else declare(problem)


def prepare(problems: Iterable[Problem]) -> None:
    """Lets the verifiers of these problems begin what they need, so that no verdict waits for it; returns at once."""
    for name in {problem.verifier for problem in problems} & _preparations.keys():
        _preparations[name]()


def judge(problem: Problem, response: str) -> Verdict:
    """The verdict of the problem's own verifier. Raises ConfigError for an unknown verifier.

    Whatever the verifier raises becomes `Verdict.fault`: the response then leaves the group's baseline.
    """
    check = verifiers.get(problem.verifier)
    try:
        verdict: Verdict = check(problem, response)
    except Exception as error:  # a verifier may be a user's function: whatever it raises is its fault, not a zero
        return Verdict.broken(f"{problem.verifier}: {type(error).__name__}: {error}")
    return verdict


def judge_all(asked: Sequence[tuple[Problem, Sequence[str]]]) -> list[tuple[Verdict, ...]]:
    """Verdicts of every problem's responses, in order. With several ranks each judges some, and all get the same."""
    shares = [range(r, len(asked), dist.world()) for r in range(dist.world())]
    return dist.spread(asked, shares, lambda some: [tuple(judge(p, text) for text in texts) for p, texts in some])

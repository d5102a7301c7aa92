"""Judging: a verifier by name, a verdict for every response. A broken verifier is a fault, never a zero."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from vlrl import dist
from vlrl.errors import VerifierFaultError
from vlrl.registry import Registry
from vlrl.types import Problem, Verdict
from vlrl.verify.plugins import guarded
from vlrl.verify.plugins.returned import as_verdict

Verifier: TypeAlias = Callable[[Problem, str], Verdict]

verifiers: Registry[Verifier] = Registry("verifier")


_preparations: dict[str, Callable[[], None]] = {}

JudgeTogether: TypeAlias = Callable[[Sequence[tuple[Problem, str]]], Sequence[Verdict | None]]

_together: dict[str, tuple[Verifier, JudgeTogether]] = {}

DeclareGold: TypeAlias = Callable[[Problem], Sequence[str] | None]


def gold_as_written(problem: Problem) -> Sequence[str] | None:
    """The problem's gold as an answer, for verifiers whose golds are answers themselves."""
    return (problem.answer.strip(),)


_golds: dict[str, DeclareGold | None] = {}


def verifier(
    name: str,
    prepare: Callable[[], None] | None = None,
    gold: DeclareGold | None = gold_as_written,
    wall_seconds: float | None = None,
    together: JudgeTogether | None = None,
) -> Callable[[Verifier], Verifier]:
    """Decorator: a plain function `(problem, response) -> Verdict` becomes the verifier `name`.

    prepare  begins whatever it needs before its first verdict (worker processes) and returns at once
    gold     answers of which one must score 1 for a problem whose gold is sound; None (or a function that returns
             None): golds of this verifier can't be checked, because a model judges or a program is run
    wall_seconds  what one verdict may take where it waits for something else, such as a server; verdicts of such a
                  verifier are asked for side by side. Default: the run's `judging.wall_seconds`
    together  the same verdicts on many responses in one call, for a verifier that is faster so (a model in batches);
              None for a response that is to be judged by itself; what it raises is a fault of all of them
    """
    if wall_seconds is not None:
        guarded.wall_seconds[name] = wall_seconds
    if prepare is not None:
        _preparations[name] = prepare
    _golds[name] = gold

    def file(check: Verifier) -> Verifier:
        if together is not None:
            _together[name] = (check, together)
        return verifiers.register(name)(check)

    return file


def declared_gold(problem: Problem) -> Sequence[str] | None:
    """The problem's gold in the forms of an answer; None where it can't be checked. Raises ConfigError for an unknown
    verifier, and whatever the verifier raises for a gold that it can't read."""
    verifiers.get(problem.verifier)
    declare = _golds.get(problem.verifier, gold_as_written)
    return None if declare is None else declare(problem)


def warm_up_verifiers(problems: Iterable[Problem]) -> None:
    """Lets the verifiers of these problems begin what they need, so that no verdict waits for it; returns at once."""
    names = {name for problem in problems for name in _names(problem)}
    for name in names & _preparations.keys():
        _preparations[name]()
    if any(name in verifiers and guarded.route(name, verifiers) == "worker" for name in names):
        guarded.pool(verifiers).start()


def _names(problem: Problem) -> Iterator[str]:
    """The problem's verifier, and those that its metadata combines."""
    yield problem.verifier
    parts = problem.metadata.get("parts")
    for part in parts if isinstance(parts, (list, tuple)) else ():
        name = part.get("verifier") if isinstance(part, Mapping) else part
        if isinstance(name, str):
            yield name


def judge(problem: Problem, response: str) -> Verdict:
    """The verdict of the problem's own verifier. Raises ConfigError for an unknown verifier.

    Whatever the verifier raises or returns that is no verdict becomes `Verdict.fault`: the response then leaves the
    group's baseline. One that isn't ours is called where it can be ended: `guarded`.
    """
    name = problem.verifier
    check = verifiers.get(name)
    if guarded.route(name, verifiers) != "here":
        return guarded.verdict(name, verifiers, problem, response)
    try:
        verdict = check(problem, response)
    except (Exception, SystemExit) as error:  # it may call a user's function: whatever it raises is its fault
        return Verdict.broken(f"{name}: {type(error).__name__}: {error}")
    return verdict if type(verdict) is Verdict else as_verdict(verdict, name)


def judge_all(asked: Sequence[tuple[Problem, Sequence[str]]]) -> list[tuple[Verdict, ...]]:
    """Verdicts of every problem's responses, in order. With several ranks each judges some, and all get the same.

    Verifiers that are called in workers or threads work side by side, at most `judging.workers` at a time.
    """
    shares = [range(r, len(asked), dist.world()) for r in range(dist.world())]
    return dist.spread(asked, shares, _judge_here)


def _judge_here(asked: Sequence[tuple[Problem, Sequence[str]]]) -> list[tuple[Verdict, ...]]:
    """Verdicts in order: first those of verifiers that judge many at once, then all others."""
    found: list[list[Verdict | None]] = [[None] * len(texts) for _, texts in asked]
    for name in dict.fromkeys(problem.verifier for problem, _ in asked):
        if name in _together and _together[name][0] is verifiers.get(name):
            _judge_together(name, asked, found)
    left = [[i for i, verdict in enumerate(verdicts) if verdict is None] for verdicts in found]
    remaining = [(problem, [texts[i] for i in places]) for (problem, texts), places in zip(asked, left, strict=True)]
    for verdicts, places, judged in zip(found, left, _judged_singly(remaining), strict=True):
        for i, verdict in zip(places, judged, strict=True):
            verdicts[i] = verdict
    return [tuple(verdict for verdict in verdicts if verdict is not None) for verdicts in found]


def _judge_together(
    name: str, asked: Sequence[tuple[Problem, Sequence[str]]], found: Sequence[list[Verdict | None]]
) -> None:
    """Puts the verdicts of a verifier that judges many at once in their places of `found`."""
    places = [(i, j) for i, (problem, texts) in enumerate(asked) if problem.verifier == name for j in range(len(texts))]
    pairs = [(asked[i][0], asked[i][1][j]) for i, j in places]
    try:
        verdicts = list(_together[name][1](pairs))
        if len(verdicts) != len(pairs):
            raise ValueError(f"{len(verdicts)} verdicts on {len(pairs)} responses")
    except Exception as error:  # as in `judge`: whatever a verifier raises is its own fault
        verdicts = [Verdict.broken(f"{name}: {type(error).__name__}: {error}")] * len(pairs)
    for (i, j), verdict in zip(places, verdicts, strict=True):
        found[i][j] = verdict


def _judged_singly(asked: Sequence[tuple[Problem, Sequence[str]]]) -> list[tuple[Verdict, ...]]:
    beside = [any(guarded.route(name, verifiers) != "here" for name in _names(problem)) for problem, _ in asked]
    count = sum(len(texts) for (_, texts), waits in zip(asked, beside, strict=True) if waits)
    if count < 2:
        return [tuple(judge(problem, text) for text in texts) for problem, texts in asked]
    executor = ThreadPoolExecutor(min(guarded.settings.workers, count), thread_name_prefix="judge")
    try:
        begun = [
            [executor.submit(judge, problem, text) for text in texts] if waits else []
            for (problem, texts), waits in zip(asked, beside, strict=True)
        ]
        at_once = [
            () if waits else tuple(judge(problem, text) for text in texts)
            for (problem, texts), waits in zip(asked, beside, strict=True)
        ]
        return [done or tuple(one.result() for one in some) for done, some in zip(at_once, begun, strict=True)]
    finally:
        executor.shutdown(wait=False, cancel_futures=True)  # after Ctrl-C nobody waits for verdicts


def stop_on_faults(verdicts: Sequence[Verdict], limit: float, place: str, remedy: str) -> None:
    """Raises VerifierFaultError where more than the share `limit` of the verdicts are faults: they say nothing."""
    faults = [verdict.fault for verdict in verdicts if verdict.fault is not None]
    if len(faults) > limit * len(verdicts):
        raise VerifierFaultError(
            place, f"{len(faults)} of {len(verdicts)} verdicts are faults, e.g. {faults[0]}", remedy
        )

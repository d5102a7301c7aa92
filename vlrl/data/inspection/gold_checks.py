"""Golds that their own verifier doesn't accept, found when data is loaded: once for each gold, in parallel, remembered.

What a verifier of the package accepted is remembered in a file by digest, with a digest of the package's verifiers, so
that the next run needn't ask again. Golds of plugins' verifiers are asked in every process.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import vlrl.verify
from vlrl.errors import BadRowError
from vlrl.types import Demonstration, Problem, content_digest
from vlrl.verify.gold_check import gold_problem, response_problem
from vlrl.verify.judge import verifiers, warm_up_verifiers

THREADS = min(8, os.cpu_count() or 1)  # verifiers that compute long have worker processes, each thread asks one
AT_ONCE = 50  # golds that a thread asks in turn
_known: dict[str, str | None] = {}  # by digest of what the verdict depends on: what is wrong, None for nothing
_read: set[Path] = set()


class BadGoldError(BadRowError):
    """A row's gold that its verifier doesn't accept: nobody could earn the reward."""


class CountedGoldError(BadGoldError):
    """One of the bad golds of a table that was read whole, where they were counted against their bound."""


def gold_key(problem: Problem) -> str:
    """A digest of all that a verdict on a problem's gold may depend on."""
    metadata = json.dumps(dict(problem.metadata), sort_keys=True, default=str)
    return content_digest(problem.verifier, problem.answer, metadata, problem.question)


def gold_faults(problems: Sequence[Problem]) -> list[str | None]:
    """What is wrong with each problem's gold, None for nothing. Asked in parallel, one question once.

    Raises ConfigError for an unknown verifier.
    """
    return _faults([(gold_key(problem), problem, None) for problem in problems])


def response_faults(demonstrations: Sequence[Demonstration | None]) -> list[str | None]:
    """What is wrong with each worked response: it declares another answer than the gold. None for nothing, or no
    response. Asked as golds are. Raises ConfigError for an unknown verifier."""
    given = [one for one in demonstrations if one is not None]
    keys = [content_digest("response", gold_key(one.problem), one.response) for one in given]
    found = iter(_faults([(key, one.problem, one.response) for key, one in zip(keys, given, strict=True)]))
    return [None if one is None else next(found) for one in demonstrations]


def _faults(questions: Sequence[tuple[str, Problem, str | None]]) -> list[str | None]:
    """Verdicts by key: on a problem's gold, or on a response to it."""
    _recall()
    asked = {key: (problem, response) for key, problem, response in questions if key not in _known}
    if asked:
        warm_up_verifiers(problem for problem, _ in asked.values())
        waiting = list(asked.items())
        parts = [dict(waiting[start : start + AT_ONCE]) for start in range(0, len(waiting), AT_ONCE)]
        if len(parts) == 1:
            _known.update(_asked(parts[0]))
        else:
            with ThreadPoolExecutor(THREADS) as threads:
                for found in threads.map(_asked, parts):
                    _known.update(found)
        _remember(key for key, (problem, _) in asked.items() if _known[key] is None and _is_own(problem))
    return [_known[key] for key, _, _ in questions]


def _asked(questions: dict[str, tuple[Problem, str | None]]) -> dict[str, str | None]:
    return {
        key: gold_problem(problem) if response is None else response_problem(problem, response)
        for key, (problem, response) in questions.items()
    }


def check_gold(problem: Problem, demonstration: Demonstration | None, place: str) -> None:
    """Raises BadGoldError where the problem's verifier doesn't accept its gold, or its response says otherwise."""
    fault = gold_faults([problem])[0] or response_faults([demonstration])[0]
    if fault is not None:
        raise bad_gold(place, fault)


def bad_gold(place: str, fault: str, counted: bool = False) -> BadGoldError:
    """The error for a row whose gold has this fault."""
    remedy = "mend the row, or choose another verifier; `max_bad_golds_rate` is the bound"
    return (CountedGoldError if counted else BadGoldError)(f"{place}, answer", fault, remedy)


def _is_own(problem: Problem) -> bool:
    """Whether the verdict depends on the package alone."""
    made_in = getattr(verifiers.get(problem.verifier), "__module__", "")
    return made_in.startswith("vlrl.verify") and "parts" not in problem.metadata


@functools.cache
def _memory() -> Path:
    """The file of accepted golds, of these very verifiers."""
    folder = Path(vlrl.verify.__file__).parent
    sources = [file.read_bytes() for file in sorted(folder.rglob("*.py"))]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "vlrl" / f"golds_{content_digest(*sources)}.txt"


def _recall() -> None:
    file = _memory()
    if file not in _read:
        _read.add(file)
        if file.is_file():
            _known.update((key, None) for key in file.read_text("ascii", "replace").split() if len(key) == 32)


def _remember(keys: Iterable[str]) -> None:
    """Append to the file; a host without such a folder, or a full disk, only makes the next run ask again."""
    lines = "".join(f"{key}\n" for key in keys)
    if not lines:
        return
    file = _memory()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "a", encoding="ascii") as held:
            held.write(lines)
    except OSError:
        return

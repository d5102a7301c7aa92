"""The program that most others agree with on generated inputs: how k1.5 answers Codeforces (appendix C).

No expected output is needed: programs that print the same on all inputs form a class, and the largest class wins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from vlrl.code_execution.outcome import Execution, Executor, Program
from vlrl.code_execution.sandbox_settings import Limits

LEFT_OUT = "\0failed"


@dataclass(frozen=True)
class Vote:
    """chosen: index of the program, None where none ran on any input; votes: programs of its class."""

    chosen: int | None
    votes: int
    classes: tuple[tuple[int, ...], ...]


def printed_words(ran: Execution) -> str:
    """What a program prints, white space aside."""
    return " ".join(ran.stdout.decode("utf-8", errors="replace").split())


def majority_program(
    executor: Executor,
    programs: Sequence[Program],
    inputs: Sequence[str],
    limits: Limits | None = None,
    read: Callable[[Execution], str | None] = printed_words,
) -> Vote:
    """Runs all programs on all inputs. Of two classes of one size the one with the earlier program wins.

    limits  of each run; None: the sandbox's own
    read    what programs are compared by, of a run that finished; None where it gave nothing

    Programs that fail on an input differ from those that don't; those that fail on all are in no class. Raises
    RuntimeError where the sandbox fails, for then nothing is known.
    """

    def behaviour(program: Program) -> tuple[str, ...] | None:
        prepared = executor.prepare(program, limits)
        if isinstance(prepared, Execution):
            if prepared.is_fault:
                raise RuntimeError(prepared.note)
            return None
        printed = []
        for stdin in inputs:
            ran = prepared.run(stdin.encode())
            if ran.is_fault:
                raise RuntimeError(ran.note)
            text = read(ran) if ran.ended == "finished" else None
            printed.append(LEFT_OUT if text is None else text)
        return None if all(text == LEFT_OUT for text in printed) else tuple(printed)

    with ThreadPoolExecutor(executor.settings.count, thread_name_prefix="vote") as beside:
        behaviours = list(beside.map(behaviour, programs))
    classes: dict[tuple[str, ...], list[int]] = {}
    for number, found in enumerate(behaviours):
        if found is not None:
            classes.setdefault(found, []).append(number)
    if not classes:
        return Vote(None, 0, ())
    ordered = sorted(classes.values(), key=lambda members: (-len(members), members[0]))
    return Vote(ordered[0][0], len(ordered[0]), tuple(tuple(members) for members in ordered))

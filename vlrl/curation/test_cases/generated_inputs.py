"""Inputs of a programming problem, printed by generator programs in the sandbox: one for each seed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from vlrl.code_execution.outcome import Execution, Executor, Prepared, Program
from vlrl.curation.test_cases.generator_library import library_files

MAX_INPUT_BYTES = 1 << 20  # ours: of one case


class SandboxFaultError(Exception):
    """The sandbox failed, so that nothing is known of the problem."""


def generated_inputs(
    generators: Sequence[str],
    seeds: Sequence[int],
    executor: Executor,
    beside: ThreadPoolExecutor,
    libraries: Sequence[str] = ("cyaron",),
    least: int = 0,
) -> list[str]:
    """Different inputs that Python programs print, in turns; a run that fails gives none.

    seeds      one for each run, on standard input
    beside     threads that wait for runs
    libraries  that generators may import
    least      it ends as soon as too many runs failed to give that many: an endless loop takes its time limit each time

    Raises SandboxFaultError, and ConfigError for a library that isn't installed.
    """
    prepared = [
        unbroken(executor.prepare(Program("python", source, library_files(source, libraries)))) for source in generators
    ]

    def run(number: int) -> str | None:
        chosen = prepared[number % len(prepared)]
        if isinstance(chosen, Execution):
            return None
        ran = run_once(chosen, f"{seeds[number]}\n")
        fits = ran.ended == "finished" and 0 < len(ran.stdout) <= MAX_INPUT_BYTES
        return ran.stdout.decode("utf-8", errors="replace") if fits else None

    printed: dict[str, None] = {}
    at_once = executor.settings.count
    for start in range(0, len(seeds), at_once):
        if len(printed) + len(seeds) - start < least:
            break
        texts = beside.map(run, range(start, min(start + at_once, len(seeds))))
        printed |= dict.fromkeys(text for text in texts if text is not None)
    return list(printed)


def unbroken(prepared: Prepared | Execution) -> Prepared | Execution:
    """What `prepare` returned. Raises SandboxFaultError for a fault."""
    if isinstance(prepared, Execution) and prepared.is_fault:
        raise SandboxFaultError(prepared.note)
    return prepared


def run_once(prepared: Prepared, stdin: str) -> Execution:
    """How a program ends on an input. Raises SandboxFaultError for a fault."""
    ran = prepared.run(stdin.encode())
    if ran.is_fault:
        raise SandboxFaultError(ran.note)
    return ran

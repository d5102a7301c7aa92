"""The verifier `code`: the program of a response is run against the row's tests."""

from __future__ import annotations

import dataclasses

from vlrl.code_execution import executor
from vlrl.types import Problem, Verdict
from vlrl.verify.code.code_tests import judging_of, read_tests
from vlrl.verify.code.program_text import program_text
from vlrl.verify.code.run_tests import ProgramReport, run_tests
from vlrl.verify.judge import verifier

WALL_SECONDS = 3600.0  # of one verdict with all its cases, and with those before it; each case has limits of its own
SHOWN = 120  # characters of a note


def prepare() -> None:
    """Raises ConfigError where programs can't be run on this host as configured, with what to install."""
    executor.check()


@verifier("code", prepare=prepare, gold=None, wall_seconds=WALL_SECONDS)
def code(problem: Problem, response: str) -> Verdict:
    """Right where the program passes all tests. Rejects no program, two programs, and one that isn't closed.

    metadata:
    language        of the program (default python); "any" takes the one that the block names
    grading         all (default), or share: the score is the share of cases that pass
    whitespace      lines (default: ends of lines don't matter), tokens, or exact
    float_tolerance for printed and returned numbers
    time_limit, memory_limit   seconds of processor time, and MiB, of each case
    files           {name: text} beside the program

    The gold is JSON: see `code_tests`. What takes too much is a wrong program; a sandbox that fails is a fault.
    """
    tests = read_tests(problem.answer, f"problem {problem.id}, answer")
    judging = judging_of(problem.metadata, f"problem {problem.id}, metadata")
    found = program_text(response, judging.language)
    if found.source is None:
        return Verdict.wrong(found.note)
    report = run_tests(executor.executor(), found.source, tests, dataclasses.replace(judging, language=found.language))
    return verdict_of(report, judging.grading == "share")


def verdict_of(report: ProgramReport, share: bool) -> Verdict:
    """What a report earns."""
    if report.result == "sandbox_fault":
        return Verdict.broken(f"the sandbox: {report.note}")
    if report.result == "accepted":
        cases = "1 case" if report.count == 1 else f"{report.count} cases"
        return Verdict(1.0, True, "accepted", cases, parts={"cases_passed": 1.0})
    name = report.result.replace("_", " ")
    where = f" in case {report.failed} of {report.count}" if report.count > 1 else ""
    note = " ".join(f"{name}{where}: {report.note}".rstrip(": ").split())[: SHOWN + len(name)]
    passed = report.passed / report.count
    return Verdict(passed if share else 0.0, False, name, note, parts={"cases_passed": passed} if share else {})

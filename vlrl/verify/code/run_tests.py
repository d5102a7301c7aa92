"""Runs a program against its tests. What is expected is compared here, outside of the sandbox."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vlrl.code_execution.outcome import Execution, Executor, Prepared, Program
from vlrl.code_execution.sandbox_settings import Limits
from vlrl.verify.code.code_tests import CodeTests, Judging, UnitTests
from vlrl.verify.code.plain_values import PlainError, decode, encode, same_value
from vlrl.verify.code.stdout_comparison import compare_output
from vlrl.verify.code.unit_assembly import assembled

CaseResult = Literal[
    "accepted",
    "wrong_answer",
    "presentation",
    "time_limit",
    "memory_limit",
    "runtime_error",
    "compile_error",
    "sandbox_fault",
]
WALL_FACTOR = 3.0  # of a case's time limit, which is processor time, to what it may wait
SLACK_SECONDS = 2.0
_INSIDE = Path(__file__).parent / "inside"
_BESIDE = ("from plain_data import", "from peer import")


@dataclass(frozen=True)
class ProgramReport:
    """How a program did. `failed` is the first case that it didn't pass, counted from 1; 0 where it passed all."""

    result: CaseResult
    passed: int
    count: int
    failed: int = 0
    note: str = ""


def run_tests(executor: Executor, source: str, tests: CodeTests, judging: Judging) -> ProgramReport:
    """Judges one program. The first failure ends it, but for `grading: share`, which runs all cases.

    Raises ConfigError for a language whose toolchain is missing.
    """
    limits = limits_of(executor, judging)
    if tests.unit is not None:
        return _unit(executor, source, tests.unit, judging, limits)
    if tests.calls:
        return _calls(executor, source, tests, judging, limits)
    prepared = executor.prepare(Program(judging.language, source, judging.files), limits)

    def check(number: int, ran: Execution) -> tuple[CaseResult, str]:
        return _printed(ran, tests.stdout[number].outputs, judging)

    return _cases(prepared, [case.stdin.encode() for case in tests.stdout], check, judging)


def limits_of(executor: Executor, judging: Judging) -> Limits:
    """Limits of one case: the sandbox's own where the problem names none."""
    own = executor.settings.limits
    changed: dict[str, Any] = {}
    if judging.time_seconds is not None:
        seconds = min(600.0, judging.time_seconds)
        changed["cpu_seconds"] = seconds
        changed["wall_seconds"] = min(3600.0, max(own.wall_seconds, WALL_FACTOR * seconds + SLACK_SECONDS))
    if judging.memory_mib is not None:
        changed["memory_mib"] = judging.memory_mib
    return own.model_copy(update=changed)


def _cases(
    prepared: Prepared | Execution,
    inputs: Sequence[bytes],
    check: Callable[[int, Execution], tuple[CaseResult, str]],
    judging: Judging,
) -> ProgramReport:
    if isinstance(prepared, Execution):
        return ProgramReport(_name(prepared), 0, len(inputs), 1, prepared.note)
    passed, first = 0, ProgramReport("accepted", len(inputs), len(inputs))
    for number, stdin in enumerate(inputs):
        result, note = check(number, prepared.run(stdin))
        if result == "accepted":
            passed += 1
            continue
        if first.failed == 0:
            first = ProgramReport(result, passed, len(inputs), number + 1, note)
        if result in ("sandbox_fault", "compile_error"):
            return ProgramReport(result, passed, len(inputs), number + 1, note)
        if judging.grading == "all":
            return first
    return ProgramReport(first.result, passed, first.count, first.failed, first.note)


def _name(ran: Execution) -> CaseResult:
    if ran.ended == "output_limit":
        return "runtime_error"
    return "accepted" if ran.ended == "finished" else ran.ended


def _printed(ran: Execution, outputs: Sequence[str], judging: Judging) -> tuple[CaseResult, str]:
    if ran.ended != "finished":
        return _name(ran), ran.note
    found = {compare_output(ran.stdout, expected, judging.whitespace, judging.float_tolerance) for expected in outputs}
    if "equal" in found:
        return "accepted", ""
    printed = ran.stdout[:80].decode(errors="replace").strip()
    return "presentation" if "presentation" in found else "wrong_answer", f"printed {printed!r}"


# --- calls of a function ---------------------------------------------------------------------------------------------


def _calls(executor: Executor, source: str, tests: CodeTests, judging: Judging, limits: Limits) -> ProgramReport:
    if judging.language != "python":
        return ProgramReport(
            "sandbox_fault", 0, tests.count, 1, f"calls of functions are for Python, not {judging.language}"
        )
    prepared = executor.prepare(calling_program(source, judging), limits)
    marks = [secrets.token_hex(16) for _ in tests.calls]
    inputs = [
        call_text(tests.function, case.arguments, mark, tests.in_place).encode()
        for case, mark in zip(tests.calls, marks, strict=True)
    ]

    def check(number: int, ran: Execution) -> tuple[CaseResult, str]:
        if ran.ended != "finished":
            return _name(ran), ran.note
        said = marked_value(ran.stdout, marks[number])
        if said is None:
            return "runtime_error", "it ended before it returned"
        try:
            got = decode(said)
        except (PlainError, RecursionError) as error:
            return "runtime_error", f"no value: {error}"
        tolerance = 1e-9 if judging.float_tolerance is None else judging.float_tolerance
        if same_value(got, tests.calls[number].result, tolerance):
            return "accepted", ""
        return "wrong_answer", f"returned {repr(got)[:80]}"

    report = _cases(prepared, inputs, check, judging)
    if report.result == "runtime_error" and report.note.startswith(("SyntaxError", "IndentationError", "TabError")):
        return ProgramReport("compile_error", report.passed, report.count, report.failed, report.note)
    return report


def calling_program(source: str, judging: Judging) -> Program:
    """A Python program that calls a function of `source` as standard input says (`call_text`)."""
    files = {
        **judging.files,
        "solution.py": source.encode("utf-8", "surrogatepass"),
        "plain_data.py": _text("plain_data.py").encode(),
    }
    return Program("python", _text("call_harness.py"), files)


def call_text(function: str, arguments: Sequence[Any], mark: str, in_place: bool = False) -> str:
    """One call; what it returns is printed on a line that begins with `mark` (`marked_value`)."""
    encoded = [encode(argument) for argument in arguments]
    return json.dumps({"function": function, "arguments": encoded, "mark": mark, "in_place": in_place})


def marked_value(stdout: bytes, mark: str) -> Any:
    """What stands on the one line with the mark; None where there is none or more than one."""
    lines = [line for line in stdout.split(b"\n") if line.startswith(mark.encode())]
    if len(lines) != 1:
        return None
    try:
        return json.loads(lines[0][len(mark) :])
    except (ValueError, RecursionError):
        return None


# --- unit tests ------------------------------------------------------------------------------------------------------


def _unit(executor: Executor, source: str, unit: UnitTests, judging: Judging, limits: Limits) -> ProgramReport:
    mark = secrets.token_hex(16)
    if judging.language == "python" and executor.separate_testers:
        return _separate(executor, source, unit, mark, judging, limits)
    program = assembled(judging.language, source, unit, mark)
    prepared = executor.prepare(Program(judging.language, program, judging.files), limits)

    def check(_: int, ran: Execution) -> tuple[CaseResult, str]:
        if ran.ended == "finished":
            reached = ran.stdout.rstrip().endswith(mark.encode())
            return ("accepted", "") if reached else ("runtime_error", "it ended before the end of the tests")
        wrong = ran.ended == "runtime_error" and b"ssert" in ran.stderr
        return ("wrong_answer" if wrong else _name(ran)), ran.note

    return _cases(prepared, [b""], check, judging)


def _separate(
    executor: Executor, source: str, unit: UnitTests, mark: str, judging: Judging, limits: Limits
) -> ProgramReport:
    spec = {
        "mark": mark,
        "tests": unit.tests,
        "prelude": unit.prelude,
        "entry": unit.entry,
        "call_check": unit.check,
        "unittest": "unittest" in unit.tests and "TestCase" in unit.tests,
    }
    tester = Program("python", _with_peer("tester.py"), {"spec.json": json.dumps(spec).encode()})
    whole = f"{unit.prelude}\n{source}" if unit.prelude else source
    tested = Program("python", _with_peer("tested.py"), {"solution.py": whole.encode("utf-8", "surrogatepass")})
    ran = executor.run_tested(tester, tested, limits)
    if ran.ended != "finished":
        return ProgramReport(_name(ran), 0, 1, 1, ran.note)
    said = marked_value(ran.stdout, mark)
    if not isinstance(said, dict):
        return ProgramReport("runtime_error", 0, 1, 1, "the tests did not end")
    ended, text = str(said.get("ended")), str(said.get("text", ""))
    if ended == "passed":
        return ProgramReport("accepted", 1, 1)
    if ended == "no_tests":
        return ProgramReport("sandbox_fault", 0, 1, 1, text)
    names: dict[str, CaseResult] = {"compile_error": "compile_error", "runtime_error": "runtime_error"}
    return ProgramReport(names.get(ended, "wrong_answer"), 0, 1, 1, text)


def _text(name: str) -> str:
    return (_INSIDE / name).read_text(encoding="utf-8")


def _with_peer(name: str) -> str:
    """A side of the socket as one file: its own text behind that of what it imports, which it can't from memory."""
    texts = [_text(one).splitlines() for one in ("plain_data.py", "peer.py", name)]
    return "\n".join(line for lines in texts for line in lines if not line.startswith(_BESIDE)) + "\n"

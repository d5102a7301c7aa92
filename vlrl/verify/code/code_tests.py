"""What a row's tests are: the gold of the verifier `code`, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from vlrl.errors import DataError
from vlrl.verify.code.stdout_comparison import Whitespace

Grading = Literal["all", "share"]
WRITE = (
    'write {"cases": [{"input": …, "output": …}]}, {"function": …, "cases": [{"arguments": […], "result": …}]} '
    'or {"tests": "assert f(1) == 2", "entry": "f"}'
)


@dataclass(frozen=True)
class StdoutCase:
    """Standard input, and outputs of which one must be printed."""

    stdin: str
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class CallCase:
    """Arguments of a function, and what it must return."""

    arguments: tuple[Any, ...]
    result: Any


@dataclass(frozen=True)
class UnitTests:
    """Tests as a program. In Python they run in a process of their own, in other languages behind the program.

    entry     the function that must exist; Python's tests know it as `candidate`, too
    prelude   what the question gave (imports, helpers): it stands before the program, and before the tests
    check     whether `check(candidate)` is called at the end (HumanEval)
    """

    tests: str
    entry: str = ""
    prelude: str = ""
    check: bool = False


@dataclass(frozen=True)
class CodeTests:
    """Tests of one problem; exactly one of the three kinds is filled. `function` names what cases call."""

    stdout: tuple[StdoutCase, ...] = ()
    calls: tuple[CallCase, ...] = ()
    function: str = ""
    in_place: bool = False
    unit: UnitTests | None = None

    @property
    def count(self) -> int:
        """Cases; unit tests are one."""
        return len(self.stdout) or len(self.calls) or 1


@dataclass(frozen=True)
class Judging:
    """How a problem's tests are counted.

    grading       all: a program is right or wrong; share: its score is the share of cases that it passes
    time_seconds, memory_mib  of each case; None: the sandbox's own limits
    """

    language: str = "python"
    grading: Grading = "all"
    whitespace: Whitespace = "lines"
    float_tolerance: float | None = None
    time_seconds: float | None = None
    memory_mib: int | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)


def read_tests(answer: str, place: str = "answer") -> CodeTests:
    """The tests that a gold holds. Raises DataError for what is none."""
    try:
        said = json.loads(answer)
    except ValueError as error:
        raise DataError(place, f"is no JSON: {error}", WRITE) from error
    if not isinstance(said, dict):
        raise DataError(place, f"is {type(said).__name__}, not tests", WRITE)
    if "tests" in said:
        return _unit(said, place)
    cases = said.get("cases")
    if not isinstance(cases, list) or not cases or not all(isinstance(case, dict) for case in cases):
        raise DataError(place, "has no cases", WRITE)
    if "function" in said:
        if not isinstance(said["function"], str) or not said["function"].isidentifier():
            raise DataError(f"{place}, function", f"got {said['function']!r}", WRITE)
        calls = tuple(_call(case, f"{place}, case {number}") for number, case in enumerate(cases, 1))
        return CodeTests(calls=calls, function=said["function"], in_place=said.get("in_place") is True)
    return CodeTests(stdout=tuple(_stdout(case, f"{place}, case {number}") for number, case in enumerate(cases, 1)))


def _stdout(case: Mapping[str, Any], place: str) -> StdoutCase:
    given, wanted = case.get("input", ""), case.get("output")
    outputs = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(given, str) or not isinstance(outputs, list) or not outputs:
        raise DataError(place, f"got {str(case)[:100]}", WRITE)
    if not all(isinstance(output, str) for output in outputs):
        raise DataError(place, f"got {str(case)[:100]}", WRITE)
    return StdoutCase(given, tuple(outputs))


def _call(case: Mapping[str, Any], place: str) -> CallCase:
    if not isinstance(case.get("arguments"), list) or "result" not in case:
        raise DataError(place, f"got {str(case)[:100]}", WRITE)
    return CallCase(tuple(case["arguments"]), case["result"])


def _unit(said: Mapping[str, Any], place: str) -> CodeTests:
    tests = said["tests"]
    if isinstance(tests, list) and all(isinstance(line, str) for line in tests):
        tests = "\n".join(tests)
    entry, prelude = said.get("entry", ""), said.get("prelude", "")
    if not isinstance(tests, str) or not tests.strip() or not isinstance(entry, str) or not isinstance(prelude, str):
        raise DataError(place, f"got {str(said)[:100]}", WRITE)
    return CodeTests(unit=UnitTests(tests, entry, prelude, said.get("check") is True))


def gold_of(tests: CodeTests) -> str:
    """The gold as JSON; `read_tests` reads it back."""
    said: dict[str, Any]
    if tests.unit is not None:
        unit = tests.unit
        said = {"tests": unit.tests, "entry": unit.entry, "prelude": unit.prelude, "check": unit.check}
        said = {name: value for name, value in said.items() if value}
    elif tests.calls:
        cases = [{"arguments": list(case.arguments), "result": case.result} for case in tests.calls]
        said = {"function": tests.function, "cases": cases}
        if tests.in_place:
            said["in_place"] = True
    else:
        said = {"cases": [{"input": c.stdin, "output": _outputs(c.outputs)} for c in tests.stdout]}
    return json.dumps(said, ensure_ascii=False)


def _outputs(outputs: Sequence[str]) -> Any:
    return outputs[0] if len(outputs) == 1 else list(outputs)


def judging_of(metadata: Mapping[str, Any], place: str = "metadata") -> Judging:
    """How tests are counted, from a problem's metadata: language, grading, whitespace, float_tolerance, time_limit
    (seconds), memory_limit (MiB), files. Raises DataError for a value that none of them has."""
    grading, whitespace = metadata.get("grading", "all"), metadata.get("whitespace", "lines")
    if grading not in ("all", "share"):
        raise DataError(f"{place}, grading", f"got {grading!r}", "write all or share")
    if whitespace not in ("lines", "tokens", "exact"):
        raise DataError(f"{place}, whitespace", f"got {whitespace!r}", "write lines, tokens or exact")
    numbers = {name: metadata.get(name) for name in ("float_tolerance", "time_limit", "memory_limit")}
    for name, value in numbers.items():
        positive = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
        if value is not None and not positive:
            raise DataError(f"{place}, {name}", f"got {value!r}", "give a number above 0, or leave it out")
    files = metadata.get("files", {})
    if not isinstance(files, Mapping) or not all(isinstance(v, str) for v in files.values()):
        raise DataError(f"{place}, files", f"got {str(files)[:60]}", "write {name: text}")
    memory = numbers["memory_limit"]
    return Judging(
        language=str(metadata.get("language", "python")),
        grading=grading,
        whitespace=whitespace,
        float_tolerance=numbers["float_tolerance"],
        time_seconds=numbers["time_limit"],
        memory_mib=None if memory is None else max(16, int(memory)),
        files={str(name): str(text).encode() for name, text in files.items()},
    )

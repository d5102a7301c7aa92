"""Rows of programming problems in the layouts of their data sets: APPS, TACO, CodeContests, LiveCodeBench, HumanEval,
MBPP and MultiPL-E. Each becomes a problem of the verifier `code`, with its tests as gold.

What a source's `metadata` says (language, grading, max_cases …) holds for all rows; a row's own limits are its own.
"""

from __future__ import annotations

import base64
import builtins
import io
import json
import pickle
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vlrl.data.tables.cell_text import shortened
from vlrl.errors import BadRowError, ConfigError, DataError
from vlrl.verify.code.code_tests import CallCase, CodeTests, StdoutCase, UnitTests, gold_of, judging_of, read_tests

Row = Mapping[str, Any]
MAX_CASES_BYTES = 64 << 20  # of unpacked tests of a row
_FIRST_NUMBER = re.compile(r"\d+(?:\.\d+)?")
LANGUAGE_NAMES = {"cpp": "C++", "javascript": "JavaScript", "typescript": "TypeScript", "csharp": "C#", "php": "PHP"}


@dataclass(frozen=True)
class CodeRow:
    """What a row asks, its tests, and what it declares of them."""

    question: str
    tests: CodeTests
    metadata: Mapping[str, Any] = field(default_factory=dict)


def read_code_row(layout: str, row: Row, place: str, metadata: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """(question with what to write, gold, metadata) of a row. Raises BadRowError for what it lacks.

    metadata  the source's own; `max_cases` leaves out the last cases of longer lists
    """
    read = CODE_READERS[layout](row, place)
    tests = read.tests
    given = {**read.metadata, **{name: value for name, value in metadata.items() if name != "max_cases"}}
    most = metadata.get("max_cases")
    if most is not None:
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            raise ConfigError("metadata, max_cases", f"got {most!r}", "give a whole number from 1 on")
        tests = CodeTests(tests.stdout[:most], tests.calls[:most], tests.function, tests.in_place, tests.unit)
    try:
        gold = gold_of(tests)
        read_tests(gold, place)
        language = judging_of(given, place).language
    except DataError as error:
        raise BadRowError(error.place, error.problem, error.remedy) from error
    return f"{read.question.strip()}\n\n{_what_to_write(tests, language)}", gold, given


def refuse_no_tests(gold: str, metadata: Row, place: str) -> None:
    """Raises BadRowError for a gold of the verifier `code` that holds no tests."""
    try:
        read_tests(gold, f"{place}, answer")
        judging_of(metadata, place)
    except DataError as error:
        raise BadRowError(error.place, error.problem, error.remedy) from error


def _what_to_write(tests: CodeTests, language: str) -> str:
    name = LANGUAGE_NAMES.get(language, language.capitalize())
    if tests.stdout:
        what = f"Write a {name} program that reads from standard input and writes to standard output."
    else:
        entry = tests.function or (tests.unit.entry if tests.unit is not None else "")
        what = f"Write the function `{entry}` in {name}." if entry else f"Write it in {name}."
    return f"{what} Give the whole program in one code block that begins with ```{language}."


# --- one reader a layout ---------------------------------------------------------------------------------------------


def _apps(row: Row, place: str) -> CodeRow:
    said = _json(_cell(row, "input_output", place), f"{place}, input_output")
    if not isinstance(said, Mapping):
        raise BadRowError(f"{place}, input_output", f"got {shortened(said)}", "is the layout the right one?")
    inputs: Any = said.get("inputs")
    outputs: Any = said.get("outputs")
    question = _with_starter(str(_cell(row, "question", place)), row.get("starter_code"))
    limits = {
        "time_limit": _number(row.get("time_limit")),
        "memory_limit": _number(row.get("memory_limit")),
    }
    metadata = {name: value for name, value in limits.items() if value}
    if name := said.get("fn_name"):
        _same_length(inputs, outputs, place)
        wrapped = all(isinstance(output, list) and len(output) == 1 for output in outputs)
        calls = tuple(
            CallCase(tuple(given) if isinstance(given, list) else (given,), wanted[0] if wrapped else wanted)
            for given, wanted in zip(inputs, outputs, strict=True)
        )
        return CodeRow(question, CodeTests(calls=calls, function=str(name)), metadata)
    return CodeRow(question, CodeTests(stdout=_stdout(inputs, outputs, place)), {"whitespace": "tokens", **metadata})


def _code_contests(row: Row, place: str) -> CodeRow:
    if row.get("input_file") or row.get("output_file"):
        raise BadRowError(place, "reads or writes a file instead of standard input and output", "leave the row out")
    cases: list[StdoutCase] = []
    for column in ("public_tests", "private_tests", "generated_tests"):
        held = _json(row.get(column) or {}, f"{place}, {column}")
        if isinstance(held, list):  # a list of cases, as some exports write it
            held = {"input": [c["input"] for c in held], "output": [c["output"] for c in held]}
        if held.get("input"):
            cases += _stdout(held["input"], held.get("output"), f"{place}, {column}")
    if not cases:
        raise BadRowError(place, "has no tests", "leave the row out")
    limit = row.get("time_limit")
    seconds = limit.get("seconds", 0) + limit.get("nanos", 0) / 1e9 if isinstance(limit, Mapping) else _number(limit)
    memory = row.get("memory_limit_bytes")
    metadata: dict[str, Any] = {"whitespace": "tokens"}
    if seconds:
        metadata["time_limit"] = seconds
    if memory:
        metadata["memory_limit"] = memory / (1 << 20)
    return CodeRow(str(_cell(row, "description", place)), CodeTests(stdout=tuple(cases)), metadata)


def _live_code_bench(row: Row, place: str) -> CodeRow:
    cases: list[Mapping[str, Any]] = []
    for column in ("public_test_cases", "private_test_cases"):
        if row.get(column):
            held = _live_cases(row[column], f"{place}, {column}")
            if not isinstance(held, list) or not all(isinstance(case, Mapping) for case in held):
                raise BadRowError(f"{place}, {column}", f"got {shortened(held)}", "is the layout the right one?")
            cases += held
    if not cases:
        raise BadRowError(place, "has no tests", "leave the row out")
    about = _json(row.get("metadata") or {}, f"{place}, metadata")
    question = _with_starter(str(_cell(row, "question_content", place)), row.get("starter_code"))
    if any(case.get("testtype") == "functional" for case in cases):
        name = about.get("func_name") if isinstance(about, Mapping) else None
        if not name:
            raise BadRowError(f"{place}, metadata", "names no func_name", "leave the row out")
        calls = tuple(
            CallCase(
                tuple(_json(line, place) for line in str(case["input"]).split("\n") if line.strip()),
                _json(case["output"], place),
            )
            for case in cases
        )
        return CodeRow(question, CodeTests(calls=calls, function=str(name)))
    stdout = tuple(StdoutCase(str(case["input"]), (str(case["output"]),)) for case in cases)
    return CodeRow(question, CodeTests(stdout=stdout))


def _human_eval(row: Row, place: str) -> CodeRow:
    prompt, entry = str(_cell(row, "prompt", place)), str(_cell(row, "entry_point", place))
    unit = UnitTests(str(_cell(row, "test", place)), entry, _before(prompt, entry), check=True)
    question = f"Complete this function. Repeat it whole, with its imports.\n\n```python\n{prompt.rstrip()}\n```"
    return CodeRow(question, CodeTests(unit=unit))


def _mbpp(row: Row, place: str) -> CodeRow:
    tests = [str(line) for line in _cell(row, "test_list", place)]
    setup = row.get("test_setup_code") or "\n".join(row.get("test_imports") or ())
    text = str(row.get("text") or row.get("prompt") or row.get("question") or "")
    if not text:
        raise BadRowError(place, "has no 'text' or 'prompt'", "is the layout the right one?")
    hidden = [str(line) for line in row.get("challenge_test_list") or ()]
    question = f"{text}\n\nYour code should pass these tests:\n\n" + "\n".join(tests)
    unit = UnitTests("\n".join([*tests, *hidden]), _called(tests), str(setup))
    return CodeRow(question, CodeTests(unit=unit))


_MULTIPL = {"js": "javascript", "ts": "typescript", "cs": "csharp", "sh": "bash", "py": "python"}


def _multipl_e(row: Row, place: str) -> CodeRow:
    short = str(_cell(row, "language", place))
    language = _MULTIPL.get(short, short)
    prompt = str(_cell(row, "prompt", place)).rstrip()
    fence = f"```{language}\n{prompt}\n```"
    question = f"Complete this. Repeat it whole, and give nothing that calls it.\n\n{fence}"
    unit = UnitTests(str(_cell(row, "tests", place)), "", _imports(prompt))
    return CodeRow(question, CodeTests(unit=unit), {"language": language})


CODE_READERS: Mapping[str, Callable[[Row, str], CodeRow]] = {
    "apps": _apps,
    "taco": _apps,
    "code_contests": _code_contests,
    "livecodebench": _live_code_bench,
    "humaneval": _human_eval,
    "mbpp": _mbpp,
    "multipl-e": _multipl_e,
}
CODE_LAYOUTS = tuple(CODE_READERS)
_QUESTIONS = ("question", "description", "question_content", "prompt", "text")


def question_of(row: Row) -> str:
    """What tells a row from others in its layout."""
    return next((str(row[name]) for name in _QUESTIONS if row.get(name)), "")


# --- parts -----------------------------------------------------------------------------------------------------------


def _cell(row: Row, column: str, place: str) -> Any:
    if row.get(column) in (None, "", []):
        raise BadRowError(f"{place}, {column}", "is missing or empty", f"its columns: {', '.join(row)}")
    return row[column]


def _json(given: Any, place: str) -> Any:
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except (ValueError, RecursionError) as error:
        raise BadRowError(place, f"is no JSON: {shortened(given)}", "is the layout the right one?") from error


def _same_length(inputs: Any, outputs: Any, place: str) -> None:
    if not isinstance(inputs, Sequence) or not isinstance(outputs, Sequence) or isinstance(inputs, str):
        raise BadRowError(place, "has no lists of inputs and outputs", "is the layout the right one?")
    if len(inputs) != len(outputs) or not inputs:
        raise BadRowError(place, f"has {len(inputs)} inputs and {len(outputs)} outputs", "leave the row out")


def _stdout(inputs: Any, outputs: Any, place: str) -> tuple[StdoutCase, ...]:
    _same_length(inputs, outputs, place)
    return tuple(StdoutCase(_lines(given), (_lines(wanted),)) for given, wanted in zip(inputs, outputs, strict=True))


def _lines(given: Any) -> str:
    """A text, or the lines of one."""
    return "\n".join(map(str, given)) if isinstance(given, list | tuple) else str(given)


def _with_starter(question: str, starter: Any) -> str:
    if not isinstance(starter, str) or not starter.strip():
        return question
    return f"{question.rstrip()}\n\nBegin with this:\n\n```python\n{starter.rstrip()}\n```"


def _number(given: Any) -> float | None:
    """The first number of "2.0 seconds" or 2."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        return float(given)
    found = _FIRST_NUMBER.search(given) if isinstance(given, str) else None
    return float(found[0]) if found else None


def _before(prompt: str, entry: str) -> str:
    """What stands before the function in a prompt: imports and helpers."""
    found = list(re.finditer(rf"^(?:async\s+)?def\s+{re.escape(entry)}\b", prompt, re.MULTILINE))
    return prompt[: found[-1].start()].strip() if found else ""


def _called(tests: Sequence[str]) -> str:
    """The one function that all tests name first after `assert`; "" where they differ."""
    found = {match[1] for test in tests if (match := re.match(r"\s*assert\s*\(?\s*(?:not\s+)?(\w+)\s*\(", test))}
    return found.pop() if len(found) == 1 and not hasattr(builtins, next(iter(found))) else ""


def _imports(prompt: str) -> str:
    lines = ("#include", "import ", "using ", "from ", "<?php", "const ")
    return "".join(f"{line}\n" for line in prompt.splitlines() if line.startswith(lines))


class _TextAlone(pickle.Unpickler):
    """Reads a pickle of plain data and refuses every other one: nothing in it is ever called."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name} is no plain data")


def _live_cases(given: Any, place: str) -> Any:
    """JSON, or base64 of zlib of a pickled JSON text, as LiveCodeBench writes its private tests."""
    if not isinstance(given, str) or given.lstrip()[:1] in ("[", "{"):
        return _json(given, place)
    try:
        unpacked = zlib.decompressobj().decompress(base64.b64decode(given), MAX_CASES_BYTES)
        said = _TextAlone(io.BytesIO(unpacked)).load()
    except (ValueError, zlib.error, pickle.UnpicklingError, EOFError, IndexError) as error:
        raise BadRowError(place, f"can't be unpacked: {error}", "is the layout the right one?") from error
    return _json(said, place)

"""Of several responses to a programming problem the one to score: the program that most others agree with.

Kimi k1.5 votes so on Codeforces (appendix C). Inputs are given or generated; expected outputs are never read.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from vlrl.code_execution import executor as programs
from vlrl.code_execution.outcome import Execution, Executor, Program
from vlrl.curation.test_cases.generated_inputs import SandboxFaultError, generated_inputs
from vlrl.data.benchmarks.benchmark_rows import BenchmarkRow
from vlrl.data.tables.records import Record
from vlrl.errors import ConfigError, DataError, RunError, some_of
from vlrl.evaluation.join import Key, row_key, shared_key
from vlrl.seeding import stream
from vlrl.verify.code.code_tests import CodeTests, Judging, judging_of, read_tests
from vlrl.verify.code.majority_vote import Vote, majority_program, printed_words
from vlrl.verify.code.program_text import program_text
from vlrl.verify.code.run_tests import call_text, calling_program, limits_of, marked_value
from vlrl.verify.code.shown_calls import PRINTERS, printing_program, shown_value

GENERATED = 10  # ours: runs of generators a problem
OPTION = "--majority"
WRITE = "give it `inputs` (texts, or lists of arguments) or `generators` (Python programs that read a seed)"
# what an input is, by how a problem's programs are run
TEXTS, ARGUMENTS, CALLS = "texts for standard input", "lists of arguments: its tests call a function", "calls, as texts"


@dataclass(frozen=True)
class Elected:
    """The responses to score, one a problem, and what the votes were.

    responses, programs  of all problems: responses, and those of them with one program
    agreeing             mean share of a problem's responses that agree with the one chosen
    undecided            problems without a program that ran on any input: their first response is scored
    """

    records: tuple[Record, ...]
    problems: int
    responses: int
    programs: int
    agreeing: float
    undecided: int

    def record(self) -> dict[str, Any]:
        """As --json prints it."""
        names = ("problems", "responses", "programs", "agreeing", "undecided")
        return {name: getattr(self, name) for name in names}

    def said(self) -> str:
        """One line of the table."""
        return (
            f"majority of {self.responses} responses to {self.problems} problems, {self.programs} with a program: "
            f"{100 * self.agreeing:.1f}% agree with the one that is scored, {self.undecided} problems undecided"
        )


def elect(benchmark: str, rows: Sequence[BenchmarkRow], given: Sequence[Record], inputs: Sequence[Record]) -> Elected:
    """One response for each problem that has any, with which most of its others agree on that problem's inputs.

    inputs  rows with the problems' id and `inputs` or `generators`

    Raises ConfigError for a benchmark that isn't judged by programs, DataError for a problem that can't be voted on,
    RunError where the sandbox fails.
    """
    if any(row.problem.verifier != "code" for row in rows):
        raise ConfigError(OPTION, f"{benchmark} isn't judged by running programs", "leave it out")
    programs.check()
    held = _by_key(rows, given)
    asked = _inputs_of(rows, inputs, held)
    chosen, counts, shares, undecided = [], 0, [], 0
    executor = programs.executor()
    for row, records in held:
        texts = [str(record.get("response") or "") for _, record in records]
        try:
            vote, readable = _vote(row, texts, asked[id(row)], executor)
        except (SandboxFaultError, RuntimeError) as error:
            raise RunError(
                f"{OPTION}, {row.place}", f"the sandbox failed: {error}", "run `vlrl sandbox check`"
            ) from error
        counts += readable
        undecided += vote.chosen is None
        shares.append(vote.votes / len(texts))
        chosen.append(records[vote.chosen or 0])
    mean = sum(shares) / len(shares) if shares else 0.0
    return Elected(tuple(chosen), len(held), sum(len(r) for _, r in held), counts, mean, undecided)


def _by_key(rows: Sequence[BenchmarkRow], given: Sequence[Record]) -> list[tuple[BenchmarkRow, list[Record]]]:
    """Each row that has responses, with them in their order. Raises DataError for a response to no row."""
    names = shared_key([row.keys for row in rows], [record for _, record in given])
    found: dict[Key, tuple[BenchmarkRow, list[Record]]] = {
        row_key(row.keys, names, row.place): (row, []) for row in rows
    }
    for place, record in given:
        key = row_key(record, names, place)
        if key not in found:
            raise DataError(place, f"{'+'.join(names)} {' '.join(key)!r} is of no problem", "score it with its problem")
        found[key][1].append((place, record))
    return [(row, records) for row, records in found.values() if records]


def _inputs_of(
    rows: Sequence[BenchmarkRow], inputs: Sequence[Record], held: Sequence[tuple[BenchmarkRow, list[Record]]]
) -> dict[int, Record]:
    names = tuple(name for name in shared_key([row.keys for row in rows], [r for _, r in inputs]) if name != "model")
    by_key = {row_key(record, names, place): (place, record) for place, record in inputs}
    found = {id(row): by_key.get(row_key(row.keys, names, row.place)) for row, _ in held}
    lacking = [" ".join(row_key(row.keys, names, row.place)) for row, _ in held if found[id(row)] is None]
    if lacking:
        raise DataError(OPTION, f"{len(lacking)} problems have no inputs: {some_of(lacking)}", WRITE)
    return {place: record for place, record in found.items() if record is not None}


def _vote(row: BenchmarkRow, responses: Sequence[str], asked: Record, executor: Executor) -> tuple[Vote, int]:
    """The vote over a problem's responses, and how many hold a program. `chosen` is a response's index."""
    judging = judging_of(row.problem.metadata, row.place)
    tests = read_tests(row.problem.answer, row.place)
    found = [program_text(text, judging.language) for text in responses]
    places = [number for number, one in enumerate(found) if one.source is not None]
    sources = [(found[n].language, found[n].source or "") for n in places]
    foreign = tests.unit is not None and judging.language != "python"
    given = _given(asked, executor, TEXTS if tests.stdout else CALLS if foreign else ARGUMENTS)
    read: Callable[[Execution], str | None] = printed_words
    mark = secrets.token_hex(16)
    if tests.stdout:
        written = [Program(language, source, judging.files) for language, source in sources]
    elif tests.unit is not None and judging.language in PRINTERS:
        written = [printing_program(source, tests.unit, given, mark, judging) for _, source in sources]
        given = [f"{number}\n" for number in range(len(given))]

        def read(ran: Execution) -> str | None:
            return shown_value(ran.stdout, mark)
    else:
        function = _called(tests, judging, row.place)
        prelude = f"{tests.unit.prelude}\n" if tests.unit is not None and tests.unit.prelude else ""
        written = [calling_program(prelude + source, judging) for _, source in sources]
        given = [call_text(function, arguments, mark, tests.in_place) for arguments in given]

        def read(ran: Execution) -> str | None:
            value = marked_value(ran.stdout, mark)
            return None if value is None else json.dumps(value, sort_keys=True)

    vote = majority_program(executor, written, given, limits_of(executor, judging), read)
    return replace(vote, chosen=None if vote.chosen is None else places[vote.chosen]), len(places)


def _called(tests: CodeTests, judging: Judging, place: str) -> str:
    function = tests.function or (tests.unit.entry if tests.unit is not None else "")
    if not function or judging.language != "python":
        raise DataError(
            place, f"has tests in {judging.language} that name no function", "leave it out of a majority vote"
        )
    return function


def _given(asked: Record, executor: Executor, wanted: str) -> list[Any]:
    """The inputs of a row: texts, or lists of arguments where those are `wanted`. Raises DataError for neither."""
    place, row = asked
    inputs, generators = row.get("inputs"), row.get("generators")
    if isinstance(inputs, Sequence) and not isinstance(inputs, str) and inputs:
        if all(isinstance(one, list if wanted == ARGUMENTS else str) for one in inputs):
            return list(inputs)
        raise DataError(f"{place}, inputs", f"got {str(inputs)[:80]}", f"write a list of {wanted}")
    sources = [generators] if isinstance(generators, str) else generators
    if not isinstance(sources, Sequence) or not sources or not all(isinstance(one, str) for one in sources):
        raise DataError(place, "has no inputs", WRITE)
    readable = [program_text(one, "python").source or one for one in sources]
    draws = [int(stream(0, "majority", *readable, k).integers(1 << 31)) for k in range(GENERATED)]
    with ThreadPoolExecutor(executor.settings.count, thread_name_prefix="inputs") as beside:
        texts = generated_inputs(readable, draws, executor, beside)
    found: list[Any] = list(texts)
    if wanted == ARGUMENTS:
        found = [said for text in texts if isinstance(said := _arguments(text), list)]
    if not found:
        lacks = "prints no list of arguments in JSON" if wanted == ARGUMENTS else "prints nothing"
        raise DataError(f"{place}, generators", f"none of them runs, or it {lacks}", "mend it, or give `inputs`")
    return found


def _arguments(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None

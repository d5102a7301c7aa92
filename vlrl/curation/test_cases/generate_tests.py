"""The stage `generate_tests`: cases from generator programs, outputs from known solutions, both run in the sandbox.

Generators are given, or written by a model (`written_generators`).

Kimi k1.5, §2.3.4: 50 cases a problem by generators that were written with CYaRon, ten ground-truth submissions; a case
holds where at least seven of them agree, a problem is kept where at least nine pass all cases that hold. Of 1,000
problems about 614 needed no special judge, 463 got 40 valid cases or more, 323 were kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from pydantic import Field, model_validator

from vlrl.code_execution import executor as programs
from vlrl.code_execution.outcome import Execution, Executor, Program
from vlrl.curation.stage import Context, Decision, Stage, stage_name, stages
from vlrl.curation.test_cases.agreement import Output, Selected, normalized, select
from vlrl.curation.test_cases.generated_inputs import SandboxFaultError, generated_inputs, run_once, unbroken
from vlrl.curation.test_cases.generator_library import library_files
from vlrl.curation.test_cases.written_generators import COUNTS, Written, WrittenGenerators
from vlrl.errors import ConfigError
from vlrl.seeding import stream
from vlrl.types import Problem
from vlrl.verify.code.code_tests import CodeTests, StdoutCase, gold_of

NO_GENERATOR = "no generator"


@dataclass(frozen=True)
class _Given:
    """What a problem brings: generators, submissions as (language, source)."""

    generators: tuple[str, ...]
    submissions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Cases:
    """Inputs of one generator, or of several in turns, and what submissions make of them."""

    inputs: Sequence[str]
    selected: Selected


NOTHING = _Cases((), Selected({}, ()))


@stages.register("generate_tests")
class GenerateTests(Stage):
    """Replaces a problem's gold by generated cases; drops problems whose known solutions don't agree.

    A problem's metadata holds `generators` (Python programs that read a seed from standard input and print one case),
    `submissions` (texts, or {language, source}) and, where more than one output is right, `special_judge: true`.
    With `write_generators` a model is asked for a generator where a problem has none.
    """

    cases: int = Field(default=50, ge=1, le=1000, description="generated for each problem")
    submissions: int = Field(default=10, ge=2, description="known solutions that run on each case; more are not read")
    agree: int = Field(default=7, ge=2, description="submissions that must print the same in a case")
    pass_all: int = Field(default=9, ge=1, description="submissions that must pass all valid cases")
    min_valid_cases: int = Field(default=40, ge=1, description="valid cases that a problem needs")
    libraries: tuple[str, ...] = Field(
        default=("cyaron",), description="that generators may import, without compiled parts"
    )

    write_generators: WrittenGenerators | None = Field(
        default=None, description="the curation's model writes a generator for a problem without one: {samples: 4}"
    )

    def asks(self) -> tuple[str, int] | None:
        """The template of `write_generators` and the most tokens of a response."""
        asked = self.write_generators
        return None if asked is None else (asked.prompt, asked.sampling.max_tokens)

    @model_validator(mode="after")
    def _possible(self) -> GenerateTests:
        for name, value, most in (
            ("agree", self.agree, self.submissions),
            ("pass_all", self.pass_all, self.submissions),
            ("min_valid_cases", self.min_valid_cases, self.cases),
        ):
            if value > most:
                raise ConfigError(f"generate_tests, {name}", f"is {value}, of {most}", "lower it")
        return self

    def check(self) -> None:
        """Raises ConfigError where the sandbox, or a library that written generators may import, is missing."""
        programs.check()
        if self.write_generators is not None:
            for name in self.libraries:
                library_files(f"import {name}", self.libraries)

    def decide(self, problems: Sequence[Problem], context: Context) -> list[Decision]:
        """Kept with generated cases, or dropped with the first threshold that it misses. Raises ConfigError."""
        executor = programs.executor()
        written = self._written(problems, context)
        decisions = []
        with ThreadPoolExecutor(executor.settings.count, thread_name_prefix="submissions") as beside:
            for number, problem in enumerate(problems):
                decisions.append(self._decide(problem, written.get(number), executor, beside, context.seed))
                context.told(number + 1)
        return decisions

    def _written(self, problems: Sequence[Problem], context: Context) -> dict[int, Written]:
        """What a model writes, by a problem's place: for those that lack nothing but a generator."""
        if self.write_generators is None:
            return {}
        places = [number for number, problem in enumerate(problems) if self._lacking(problem) == NO_GENERATOR]
        asked = [problems[number] for number in places]
        found = self.write_generators.ask(asked, context.model, stage_name(self)) if asked else []
        return dict(zip(places, found, strict=True))

    def _lacking(self, problem: Problem) -> str:
        """Why nothing can be generated for a problem as it is; "" where it can."""
        if problem.metadata.get("special_judge"):
            return "special judge"
        given = _given(problem.metadata)
        if len(given.submissions) < self.submissions:
            return f"fewer than {self.submissions} submissions"
        return "" if given.generators else NO_GENERATOR

    def _decide(
        self, problem: Problem, written: Written | None, executor: Executor, beside: ThreadPoolExecutor, seed: int
    ) -> Decision:
        given = _given(problem.metadata)
        lacking = self._lacking(problem)
        if lacking and written is None:
            detail = str(len(given.submissions)) if lacking.endswith("submissions") else ""
            return Decision(problem, "dropped", lacking, detail)
        measured: dict[str, Any] = {}
        try:
            if written is None:
                cases = self._cases(problem, given.generators, given, executor, beside, seed)
            else:
                cases, measured = self._first_that_serves(problem, written, given, executor, beside, seed)
        except SandboxFaultError as error:
            return Decision(problem, "fault", "the sandbox failed", str(error))
        if written is not None and not cases.inputs:
            reason = "no generator was written that runs" if written.sources else "no generator was written"
            return Decision(problem, "dropped", reason, measured=measured)
        selected = cases.selected
        measured |= {
            "cases": len(cases.inputs),
            "valid_cases": len(selected.cases),
            "passing_submissions": len(selected.passing),
        }
        if len(selected.cases) < self.min_valid_cases:
            reason = f"fewer than {self.min_valid_cases} valid cases"
            return Decision(problem, "dropped", reason, str(len(selected.cases)), measured)
        if len(selected.passing) < self.pass_all:
            reason = f"fewer than {self.pass_all} submissions pass"
            return Decision(problem, "dropped", reason, str(len(selected.passing)), measured)
        tests = CodeTests(stdout=tuple(StdoutCase(cases.inputs[n], (output,)) for n, output in selected.cases.items()))
        left = {name: value for name, value in problem.metadata.items() if name not in ("generators", "submissions")}
        return Decision(replace(problem, answer=gold_of(tests), metadata=left), measured=measured)

    def _first_that_serves(
        self,
        problem: Problem,
        written: Written,
        given: _Given,
        executor: Executor,
        beside: ThreadPoolExecutor,
        seed: int,
    ) -> tuple[_Cases, dict[str, Any]]:
        """Cases of the first written generator with enough valid ones, else of the one with most; and what was counted.

        Whether submissions pass doesn't choose between generators: the easiest tests would win.
        """
        best = NOTHING
        failing = disagreed = used = 0
        for source in written.sources:
            cases = self._cases(problem, (source,), given, executor, beside, seed, least=self.min_valid_cases)
            failing += not cases.inputs
            if len(cases.selected.cases) > len(best.selected.cases) or not best.inputs:
                best = cases
            if len(cases.selected.cases) >= self.min_valid_cases:
                used = 1
                break
            disagreed += bool(cases.inputs)
        counted = (written.asked, written.unreadable, failing, disagreed, used)
        return best, {f"generators_{name}": count for name, count in zip(COUNTS, counted, strict=True)}

    def _cases(
        self,
        problem: Problem,
        generators: Sequence[str],
        given: _Given,
        executor: Executor,
        beside: ThreadPoolExecutor,
        seed: int,
        least: int = 0,
    ) -> _Cases:
        """Empty where there are fewer than `least` different inputs; submissions then aren't run."""
        inputs = self._inputs(problem, generators, executor, beside, seed, least)
        if len(inputs) < least:
            return NOTHING
        return _Cases(
            inputs, select(self._outputs(given.submissions[: self.submissions], inputs, executor, beside), self.agree)
        )

    def _inputs(
        self,
        problem: Problem,
        generators: Sequence[str],
        executor: Executor,
        beside: ThreadPoolExecutor,
        seed: int,
        least: int = 0,
    ) -> list[str]:
        """Different inputs that the generators print, in turns, by seeds of the problem's own."""
        draws = [int(stream(seed, "test cases", problem.id, k).integers(1 << 31)) for k in range(self.cases)]
        return generated_inputs(generators, draws, executor, beside, self.libraries, least)

    def _outputs(
        self,
        submissions: Sequence[tuple[str, str]],
        inputs: Sequence[str],
        executor: Executor,
        beside: ThreadPoolExecutor,
    ) -> list[list[Output]]:
        """What each submission prints for each input; None where it doesn't compile, fails, or takes too long."""
        prepared = list(beside.map(lambda one: unbroken(executor.prepare(Program(*one))), submissions))

        def run(asked: tuple[int, int]) -> Output:
            chosen = prepared[asked[1]]
            if isinstance(chosen, Execution):
                return None
            ran = run_once(chosen, inputs[asked[0]])
            return normalized(ran.stdout) if ran.ended == "finished" else None

        pairs = [(c, s) for c in range(len(inputs)) for s in range(len(prepared))]
        flat = list(beside.map(run, pairs))
        return [flat[c * len(prepared) : (c + 1) * len(prepared)] for c in range(len(inputs))]


def _given(metadata: Mapping[str, Any]) -> _Given:
    generators = metadata.get("generators") or ()
    generators = (generators,) if isinstance(generators, str) else tuple(map(str, generators))
    submissions = []
    for one in metadata.get("submissions") or ():
        if isinstance(one, Mapping):
            submissions.append((str(one.get("language", "python")), str(one.get("source", ""))))
        else:
            submissions.append(("python", str(one)))
    return _Given(generators, tuple(submissions))

"""The stage `generate_tests`: cases from generator programs, outputs from known solutions, both run in the sandbox.

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
from vlrl.code_execution.outcome import Execution, Executor, Prepared, Program
from vlrl.curation.stage import Context, Decision, Stage, stages
from vlrl.curation.test_cases.agreement import Output, normalized, select
from vlrl.curation.test_cases.generator_library import library_files
from vlrl.errors import ConfigError
from vlrl.seeding import stream
from vlrl.types import Problem
from vlrl.verify.code.code_tests import CodeTests, StdoutCase, gold_of

MAX_INPUT_BYTES = 1 << 20  # ours: of one case


class SandboxFaultError(Exception):
    """The sandbox failed, so that nothing is known of the problem."""


@dataclass(frozen=True)
class _Given:
    """What a problem brings: generators, submissions as (language, source)."""

    generators: tuple[str, ...]
    submissions: tuple[tuple[str, str], ...]


@stages.register("generate_tests")
class GenerateTests(Stage):
    """Replaces a problem's gold by generated cases; drops problems whose known solutions don't agree.

    A problem's metadata holds `generators` (Python programs that read a seed from standard input and print one case),
    `submissions` (texts, or {language, source}) and, where more than one output is right, `special_judge: true`.
    """

    cases: int = Field(default=50, ge=1, le=1000, description="generated for each problem")
    submissions: int = Field(default=10, ge=2, description="known solutions that run on each case; more are not read")
    agree: int = Field(default=7, ge=2, description="submissions that must print the same in a case")
    pass_all: int = Field(default=9, ge=1, description="submissions that must pass all valid cases")
    min_valid_cases: int = Field(default=40, ge=1, description="valid cases that a problem needs")
    libraries: tuple[str, ...] = Field(
        default=("cyaron",), description="that generators may import, without compiled parts"
    )

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

    def decide(self, problems: Sequence[Problem], context: Context) -> list[Decision]:
        """Kept with generated cases, or dropped with the first threshold that it misses. Raises ConfigError."""
        executor = programs.executor()
        decisions = []
        with ThreadPoolExecutor(executor.settings.count, thread_name_prefix="submissions") as beside:
            for number, problem in enumerate(problems, 1):
                decisions.append(self._decide(problem, executor, beside, context.seed))
                context.told(number)
        return decisions

    def _decide(self, problem: Problem, executor: Executor, beside: ThreadPoolExecutor, seed: int) -> Decision:
        if problem.metadata.get("special_judge"):
            return Decision(problem, "dropped", "special judge")
        given = _given(problem.metadata)
        if not given.generators:
            return Decision(problem, "dropped", "no generator")
        if len(given.submissions) < self.submissions:
            reason = f"fewer than {self.submissions} submissions"
            return Decision(problem, "dropped", reason, str(len(given.submissions)))
        try:
            inputs = self._inputs(problem, given.generators, executor, beside, seed)
            outputs = self._outputs(given.submissions[: self.submissions], inputs, executor, beside)
        except SandboxFaultError as error:
            return Decision(problem, "fault", "the sandbox failed", str(error))
        selected = select(outputs, self.agree)
        measured = {
            "cases": len(inputs),
            "valid_cases": len(selected.cases),
            "passing_submissions": len(selected.passing),
        }
        if len(selected.cases) < self.min_valid_cases:
            reason = f"fewer than {self.min_valid_cases} valid cases"
            return Decision(problem, "dropped", reason, str(len(selected.cases)), measured)
        if len(selected.passing) < self.pass_all:
            reason = f"fewer than {self.pass_all} submissions pass"
            return Decision(problem, "dropped", reason, str(len(selected.passing)), measured)
        tests = CodeTests(stdout=tuple(StdoutCase(inputs[n], (output,)) for n, output in selected.cases.items()))
        left = {name: value for name, value in problem.metadata.items() if name not in ("generators", "submissions")}
        return Decision(replace(problem, answer=gold_of(tests), metadata=left), measured=measured)

    def _inputs(
        self, problem: Problem, generators: Sequence[str], executor: Executor, beside: ThreadPoolExecutor, seed: int
    ) -> list[str]:
        """Different inputs that the generators print, in turns; one that fails gives none."""
        prepared = [
            executor.prepare(Program("python", source, library_files(source, self.libraries))) for source in generators
        ]

        def run(number: int) -> str | None:
            chosen = prepared[number % len(prepared)]
            if isinstance(chosen, Execution):
                return None
            draw = int(stream(seed, "test cases", problem.id, number).integers(1 << 31))
            ran = _run(chosen, f"{draw}\n")
            fits = ran.ended == "finished" and 0 < len(ran.stdout) <= MAX_INPUT_BYTES
            return ran.stdout.decode("utf-8", errors="replace") if fits else None

        return list(dict.fromkeys(text for text in beside.map(run, range(self.cases)) if text is not None))

    def _outputs(
        self,
        submissions: Sequence[tuple[str, str]],
        inputs: Sequence[str],
        executor: Executor,
        beside: ThreadPoolExecutor,
    ) -> list[list[Output]]:
        """What each submission prints for each input; None where it doesn't compile, fails, or takes too long."""
        prepared = list(beside.map(lambda one: executor.prepare(Program(*one)), submissions))
        for one in prepared:
            if isinstance(one, Execution) and one.is_fault:
                raise SandboxFaultError(one.note)

        def run(asked: tuple[int, int]) -> Output:
            chosen = prepared[asked[1]]
            if isinstance(chosen, Execution):
                return None
            ran = _run(chosen, inputs[asked[0]])
            return normalized(ran.stdout) if ran.ended == "finished" else None

        pairs = [(c, s) for c in range(len(inputs)) for s in range(len(prepared))]
        flat = list(beside.map(run, pairs))
        return [flat[c * len(prepared) : (c + 1) * len(prepared)] for c in range(len(inputs))]


def _run(prepared: Prepared, stdin: str) -> Execution:
    ran = prepared.run(stdin.encode())
    if ran.is_fault:
        raise SandboxFaultError(ran.note)
    return ran


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

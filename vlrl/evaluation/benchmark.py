"""A benchmark as an object: problems, protocol and scorer; it runs on any rollout engine and gives figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from vlrl.config import Settings
from vlrl.data.benchmarks.benchmark_definition import Answer, benchmark_named, benchmarks
from vlrl.data.benchmarks.benchmark_rows import read_benchmark
from vlrl.data.images.open_images import check_header
from vlrl.data.problem_files import read_problems
from vlrl.data.rows.bad_rows import Check
from vlrl.data.rows.prompt_template import wrapped
from vlrl.data.source_settings import check_verifier
from vlrl.data.tables.records import read_records
from vlrl.errors import ConfigError, DataError, did_you_mean
from vlrl.evaluation.episode_metrics import episode_metrics
from vlrl.evaluation.left_out import LeftOut, OnBad
from vlrl.evaluation.official import score_answers
from vlrl.evaluation.protocol import EvaluationProtocol, footnote
from vlrl.evaluation.scores import (
    Interval,
    accuracy_interval,
    cut_off_rate,
    majority,
    pass_at_k,
    standard_error,
    t_interval,
    token_percentile,
)
from vlrl.evaluation.tally import Groups, tally_groups, tally_sets
from vlrl.model.prompts.encode import EncodesTurns
from vlrl.registry import component_field
from vlrl.rollout.engine import Generates, Sampling
from vlrl.rollout.environments.environment import Environment, described, environments
from vlrl.rollout.environments.single_turn import SingleTurn
from vlrl.seeding import derive_seed
from vlrl.types import Problem, Rollout, Verdict
from vlrl.verify.values.normaliser import normalise
from vlrl.verify.values.quantity import read_quantity

OWN = "problems"  # problem files of this project, as `vlrl prepare` writes them


class BenchmarkSettings(Settings):
    """Which benchmark, where its rows are, and how it is asked."""

    benchmark: str = Field(description=f"one of {', '.join([*benchmarks, OWN])}")
    path: str = Field(description="a JSONL, JSON or parquet file, a folder, or a hub id, in the benchmark's own schema")
    name: str = Field(default="", description="the name in tables; default: the benchmark's")
    split: str = Field("test", description="the split where the path has several")
    subset: str = Field(default="", description="the configuration of a hub data set, e.g. main")
    image_folder: str | None = Field(
        default=None, description="folder where image paths start; default: the file's folder"
    )
    limit: int | None = Field(default=None, ge=1, description="the first this many rows; a figure over them says so")
    on_bad_row: OnBad = Field(
        default="error",
        description="what a row does that can't be read or asked: end the evaluation, or be left out and counted",
    )
    on_bad_image: OnBad | None = Field(
        default=None, description="the same for images that can't be read; default: as on_bad_row"
    )
    environment: component_field(environments, default="single_turn") = Field(  # type: ignore[valid-type]
        default_factory=SingleTurn, description="what plays it, with its `evaluation_turns`; default: single turns"
    )
    protocol: EvaluationProtocol = EvaluationProtocol()

    @field_validator("benchmark")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in (*benchmarks, OWN):
            raise ConfigError("benchmark", f"unknown benchmark {name!r}", did_you_mean(name, [*benchmarks, OWN]))
        return name


@dataclass(frozen=True)
class Benchmark:
    """Problems with their groupings, asked under one protocol.

    problems  as they are asked: the protocol's prompt is around them
    groups    one mapping a problem: grouping → values
    places    file and line of each
    left_out  rows that aren't among them, and why
    environment  what plays them; the protocol says which
    """

    name: str
    kind: str
    problems: tuple[Problem, ...]
    groups: tuple[Mapping[str, tuple[str, ...]], ...]
    protocol: EvaluationProtocol
    places: tuple[str, ...] = ()
    left_out: LeftOut | None = None
    environment: Environment = field(default_factory=SingleTurn)

    def usable(self, check: Check) -> Benchmark:
        """Without the problems that `check` raises for. Raises the error of the first one where it stops for it."""
        left_out = self.left_out or LeftOut(self.name)
        kept = []
        for i, problem in enumerate(self.problems):
            try:
                check(problem)
                kept.append(i)
            except DataError as error:
                left_out.add(self.places[i] if self.places else f"benchmark {self.name!r}", error)
        if len(kept) == len(self.problems):
            return self
        if not kept:
            raise DataError(f"benchmark {self.name!r}", "has no row that can be asked", "see the lines above")
        problems = tuple(self.problems[i] for i in kept)
        return replace(
            self,
            problems=problems,
            groups=tuple(self.groups[i] for i in kept),
            places=tuple(self.places[i] for i in kept) if self.places else (),
            protocol=self.protocol.for_problems(problems),
            left_out=left_out,
        )

    def run(self, encode: EncodesTurns, engine: Generates, batch: int = 64) -> BenchmarkResult:
        """Ask every problem, once for every seed of the protocol, `batch` problems at a time, and judge."""
        protocol = self.protocol
        if protocol.mode == "reward" or self.environment.several_turns:
            self.environment.warm_up(self.problems)
        sampling = Sampling(
            temperature=protocol.temperature,
            top_p=protocol.top_p,
            max_tokens=protocol.max_tokens,
            stop=protocol.stop,
        )
        runs = []
        for seed in protocol.seeds:
            branch = derive_seed(seed, "benchmark", self.name)
            rollouts: list[tuple[Rollout, ...]] = []
            for start in range(0, len(self.problems), batch):
                asked = self.problems[start : start + batch]
                root = derive_seed(branch, start)
                played = self.environment.roll_out(encode, engine, asked, sampling, protocol.samples, root)
                rollouts += [one.rollouts for one in played]
            runs.append((tuple(rollouts), self._judge(rollouts)))
        return BenchmarkResult(self, tuple(r for r, _ in runs), tuple(v for _, v in runs))

    def _judge(self, rollouts: Sequence[tuple[Rollout, ...]]) -> tuple[tuple[Verdict, ...], ...]:
        """(P, S) verdicts. Sample by sample in row order, as a published script would read S separate files; an
        environment's own verdict stands.
        """
        columns = []
        for sample in range(self.protocol.samples):
            texts = [row[sample].text for row in rollouts]
            answers = [Answer(text) for text in texts]
            mode, rule = self.protocol.mode, self.protocol.integer_rule
            verdicts = score_answers(self.kind, self.problems, answers, mode, rule)
            if self.protocol.cut_offs == "wrong":
                finish_reasons = [row[sample].finish_reason for row in rollouts]
                verdicts = [
                    Verdict.wrong("cut off", verdict.answer) if finish_reason in ("length", "unfinished") else verdict
                    for verdict, finish_reason in zip(verdicts, finish_reasons, strict=True)
                ]
            episodes = [row[sample].episode for row in rollouts]
            own = [None if episode is None else episode.verdict for episode in episodes]
            columns.append([said or verdict for said, verdict in zip(own, verdicts, strict=True)])
        return tuple(zip(*columns, strict=True))


@dataclass(frozen=True)
class BenchmarkResult:
    """The responses and verdicts of all runs (seeds), and the figures over them.

    rollouts, verdicts   R runs × P problems × S samples
    """

    benchmark: Benchmark
    rollouts: tuple[tuple[tuple[Rollout, ...], ...], ...]
    verdicts: tuple[tuple[tuple[Verdict, ...], ...], ...]

    def values(self) -> list[list[float]]:
        """(R, P): the value of each problem in each run, by the protocol's aggregation, in [0, 1]."""
        return [[self._value(samples) for samples in run] for run in self.verdicts]

    def _value(self, samples: Sequence[Verdict]) -> float:
        protocol = self.benchmark.protocol
        rights = [verdict.correct for verdict in samples]
        if protocol.aggregation == "pass@k":
            return pass_at_k(len(rights), sum(rights), protocol.k)
        if protocol.aggregation == "maj@n":
            return majority([_vote(verdict.answer) for verdict in samples], rights)
        return sum(rights) / len(rights)

    def record(self) -> dict[str, Any]:
        """As results.json holds it; every figure comes with n, standard error, interval and the protocol's hash."""
        values = self.values()
        runs = [sum(run) / len(run) for run in values]
        mean = sum(runs) / len(runs)
        per_problem = [sum(column) / len(column) for column in zip(*values, strict=True)]
        flat = [rollout for run in self.rollouts for row in run for rollout in row]
        tokens = [rollout.num_policy_tokens for rollout in flat]
        judged = [verdict for run in self.verdicts for row in run for verdict in row]
        episodes = episode_metrics(zip(flat, judged, strict=True))
        error = standard_error(per_problem)
        return {
            "benchmark": self.benchmark.name,
            "figure": self.benchmark.protocol.label,
            "value": mean,
            "n": len(per_problem),
            **(
                {"left_out": dict(left_out.reasons)}
                if (left_out := self.benchmark.left_out) and left_out.reasons
                else {}
            ),
            "runs": len(runs),
            "standard_error": None if math.isnan(error) else error,
            "run_standard_error": standard_error(runs) if len(runs) > 1 else None,
            "interval": list(self.interval(values)),
            "tokens": {"mean": sum(tokens) / len(tokens), "p95": token_percentile(tokens)},
            "cut_off_rate": cut_off_rate([rollout.finish_reason for rollout in flat]),
            **({"episodes": episodes} if episodes else {}),
            "faults": sum(verdict.fault is not None for verdict in judged),
            "groups": {g: {v: t.record() for v, t in values.items()} for g, values in self.groups().items()},
            "protocol": self.benchmark.protocol.model_dump(mode="json"),
            "protocol_hash": self.benchmark.protocol.hash,
        }

    def interval(self, values: Sequence[Sequence[float]]) -> Interval:
        """95%: over seeds (t) where there are several runs, else over problems (Wilson, samples of one count once)."""
        if len(values) > 1:
            return t_interval([sum(run) / len(run) for run in values])
        if self.benchmark.protocol.aggregation == "mean":
            return accuracy_interval([[float(v.correct) for v in samples] for samples in self.verdicts[0]])
        return accuracy_interval(values[0])

    def groups(self) -> Groups:
        """Every official grouping over all runs and samples."""
        rights = [v.correct for run in self.verdicts for row in run for v in row]
        rows = [g for run in self.verdicts for g, row in zip(self.benchmark.groups, run, strict=True) for _ in row]
        groups = tally_groups(rights, rows)
        if self.benchmark.kind not in benchmarks:
            return groups
        asked = [p for run in self.verdicts for p, row in zip(self.benchmark.problems, run, strict=True) for _ in row]
        return {**tally_sets(benchmark_named(self.benchmark.kind).sets(asked, rights)), **groups}


def _vote(answer: str | None) -> str | None:
    """What an answer counts as in a majority: its value where it is a number, else its text, case and markup aside."""
    if answer is None:
        return None
    number = read_quantity(answer)
    return normalise(answer) if number is None else str(number.value)


def load_benchmark(settings: BenchmarkSettings) -> Benchmark:
    """Rows read, images found, the protocol bound to the problems. Raises ConfigError or DataError."""
    name = settings.name or settings.benchmark
    groups: list[Mapping[str, tuple[str, ...]]]
    left_out = LeftOut(name, settings.on_bad_row, settings.on_bad_image)
    if settings.benchmark == OWN:
        problems = read_problems(settings.path)[: settings.limit]
        if not problems:
            raise DataError(settings.path, "holds no problems", "check that the file was written whole")
        groups = [{"modality": (p.modality,), "domain": (p.domain,)} for p in problems]
        places = [f"{settings.path}, problem {number}" for number in range(1, len(problems) + 1)]
    else:
        records = read_records(settings.path, f"benchmark {name!r}, path", settings.split, True, settings.subset)
        file = Path(settings.path).expanduser()
        folder = Path(settings.image_folder or (file if file.is_dir() else file.parent)).expanduser()
        rows = read_benchmark(settings.benchmark, records[: settings.limit], folder, left_out.add)
        problems, groups = [row.problem for row in rows], [row.groups for row in rows]
        places = [row.place for row in rows]
    if settings.protocol.grader:
        check_verifier(settings.protocol.grader, f"benchmark {name!r}, protocol.grader")
        problems = [replace(problem, verifier=settings.protocol.grader) for problem in problems]
    asked = tuple(wrapped(problem, settings.protocol.prompt) for problem in problems)
    environment = settings.environment.for_evaluation()
    bound = {"benchmark": name, "split": settings.split, "environment": described(environment)}
    protocol = settings.protocol.model_copy(update=bound).for_problems(asked)
    found = Benchmark(name, settings.benchmark, asked, tuple(groups), protocol, tuple(places), left_out, environment)
    return found.usable(_check_images)


def _check_images(problem: Problem) -> None:
    for image in problem.images:
        check_header(image)


def _without(result: Mapping[str, Any]) -> str:
    count = sum(result.get("left_out", {}).values())
    return f" ({count} left out)" if count else ""


def results_table(results: Sequence[Mapping[str, Any]]) -> str:
    """One line a benchmark, its protocol's hash beside the figure; a mix of protocols for one benchmark says so."""
    lines = []
    for result in results:
        low, high = result["interval"]
        error = "" if result["standard_error"] is None else f" ± {100 * result['standard_error']:.2f}"
        lines.append(
            f"{result['benchmark']:<14} {result['figure']:<10} {100 * result['value']:6.2f}{error} "
            f"[{100 * low:.2f}, {100 * high:.2f}] n={result['n']}{_without(result)} runs={result['runs']} "
            f"tokens {result['tokens']['mean']:.0f}/{result['tokens']['p95']:.0f} "
            f"cut {100 * result['cut_off_rate']:.1f}% faults {result['faults']} protocol {result['protocol_hash']}"
        )
    for name in dict.fromkeys(result["benchmark"] for result in results):
        note = footnote(result["protocol_hash"] for result in results if result["benchmark"] == name)
        if note:
            lines.append(f"{name}: {note}")
    return "\n".join(lines)

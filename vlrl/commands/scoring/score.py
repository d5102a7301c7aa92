"""`vlrl score`: recorded responses against a benchmark; `vlrl verify`: pairs of answers against one verifier."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import vlrl.verify  # noqa: F401  (files the verifiers under their names)
from vlrl.commands.scoring.majority import Elected, elect
from vlrl.data.benchmarks.benchmark_definition import Answer, RecordedVerdicts, benchmark_named, benchmarks
from vlrl.data.benchmarks.benchmark_rows import read_benchmark
from vlrl.data.tables.records import Record, read_records
from vlrl.errors import ConfigError, DataError, did_you_mean, some_of
from vlrl.evaluation.join import Joined, join_responses
from vlrl.evaluation.official import Mode, has_published_rule, score_answers
from vlrl.evaluation.scores import wilson_interval
from vlrl.evaluation.tally import Groups, Tally, tally, tally_groups, tally_sets
from vlrl.registry import load_plugin
from vlrl.runlog.run_folder import write_atomically
from vlrl.types import Problem, Text, Verdict
from vlrl.verify.judge import judge_all, verifiers, warm_up_verifiers
from vlrl.verify.official.mathvista import INTEGER_RULES, IntegerRule


@dataclass(frozen=True)
class Scored:
    """A scored benchmark: figures, and one line a row for --out."""

    overall: Tally
    groups: Groups
    faults: int
    missing: int
    lines: tuple[dict[str, Any], ...]
    majority: Elected | None = None

    def record(self) -> dict[str, Any]:
        """The object that --json prints."""
        groups = {
            grouping: {value: figure.record() for value, figure in values.items()}
            for grouping, values in self.groups.items()
        }
        voted = {} if self.majority is None else {"majority": self.majority.record()}
        return {**self.overall.record(), "groups": groups, "faults": self.faults, **voted}


def score_command(
    benchmark: str,
    problems: str,
    responses: str,
    mode: Mode = "reward",
    integer_rule: IntegerRule = "int",
    use_extraction: bool = False,
    allow_missing: bool = False,
    as_json: bool = False,
    out: Path | None = None,
    plugins: Sequence[Path] = (),
    majority: str | None = None,
) -> Scored:
    """Score a responses file and print the table, or one JSON object; `plugins` are Python files that register
    benchmarks or verifiers. `majority` is a file of inputs (`elect`).

    Raises ConfigError or DataError with file, line or ids for whatever doesn't fit together.
    """
    for plugin in plugins:
        load_plugin(plugin)
    _check_names(benchmark, mode, integer_rule)
    given = read_records(responses, "--responses")
    asked = given if _same_file(problems, responses) else read_records(problems, "--problems")
    elected = None
    if majority is not None:
        elected = elect(benchmark, read_benchmark(benchmark, asked), given, read_records(majority, "--majority"))
        given = list(elected.records)
    recorded = benchmark_named(benchmark).recorded(asked, given, allow_missing)
    if recorded is not None:
        scored = _recorded(recorded)
    else:
        scored = _score(benchmark, asked, given, mode, integer_rule, use_extraction, allow_missing)
    scored = replace(scored, majority=elected)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in scored.lines))
    if scored.missing:
        print(f"{scored.missing} rows have no response and count as wrong", file=sys.stderr)
    print(json.dumps(scored.record()) if as_json else table(benchmark, mode, scored))
    return scored


def _check_names(benchmark: str, mode: str, integer_rule: str) -> None:
    for option, value, known in (
        ("benchmark", benchmark, [name for name in benchmarks if benchmark_named(name).scored]),
        ("--mode", mode, ("official", "reward")),
        ("--integer-rule", integer_rule, INTEGER_RULES),
    ):
        if value not in known:
            raise ConfigError(option, f"got {value!r}", did_you_mean(value, known))


def _same_file(first: str, second: str) -> bool:
    return Path(first).expanduser().resolve() == Path(second).expanduser().resolve()


def _score(
    benchmark: str,
    asked: Sequence[Record],
    given: Sequence[Record],
    mode: Mode,
    integer_rule: IntegerRule,
    use_extraction: bool,
    allow_missing: bool,
) -> Scored:
    joined = join_responses(read_benchmark(benchmark, asked), given, allow_missing)
    answers = [_answer(one, use_extraction) for one in joined]
    verdicts = score_answers(benchmark, [one.row.problem for one in joined], answers, mode, integer_rule)
    correct = [verdict.correct for verdict in verdicts]
    sets = benchmark_named(benchmark).sets([one.row.problem for one in joined], correct)
    groups = {**tally_sets(sets), **tally_groups(correct, [one.row.groups for one in joined])}
    lines = tuple(_line(one, verdict) for one, verdict in zip(joined, verdicts, strict=True))
    faults = sum(verdict.fault is not None for verdict in verdicts)
    return Scored(tally(correct), groups, faults, answers.count(None), lines)


def _answer(one: Joined, use_extraction: bool) -> Answer | None:
    response = one.response
    if response is None:
        return None
    if not use_extraction and response.text is None and response.has_extraction:
        raise DataError(response.place, "has no response, only an extraction", "score it with --use-extraction")
    return Answer(response.text or "", response.extraction, use_extraction, response.has_extraction)


def _line(one: Joined, verdict: Verdict) -> dict[str, Any]:
    """A row of --out, under the response's own id."""
    row_id = next(iter(one.row.keys.values())) if one.response is None else one.response.id
    line = {"id": row_id, "correct": verdict.correct, "answer": verdict.answer, "note": verdict.fault or verdict.note}
    if one.response is not None and one.response.model is not None:
        line["model"] = one.response.model
    return line


def _recorded(found: RecordedVerdicts) -> Scored:
    """Verdicts that the responses file holds."""
    groups = {**tally_sets(found.sets), **tally_groups(found.rights, found.groups)}
    return Scored(tally(found.rights), groups, 0, found.missing, found.lines)


def table(benchmark: str, mode: Mode, scored: Scored) -> str:
    """Overall figure with its interval, then every grouping, as plain text."""
    low, high = wilson_interval(scored.overall.accuracy, scored.overall.total)
    rule = mode if has_published_rule(benchmark) else f"{mode} (no other rule is published)"
    lines = [
        f"{benchmark}, {rule}: {scored.overall.correct}/{scored.overall.total} = {100 * scored.overall.accuracy:.2f}% "
        f"[95% {100 * low:.2f}–{100 * high:.2f}], faults {scored.faults}, missing {scored.missing}"
    ]
    lines += [] if scored.majority is None else [scored.majority.said()]
    for grouping, values in scored.groups.items():
        lines.append(f"\n{grouping}")
        width = max(map(len, values), default=0)
        lines += [f"  {v:<{width}}  {t.correct:>5}/{t.total:<5} {100 * t.accuracy:6.2f}%" for v, t in values.items()]
    return "\n".join(lines)


def verify_command(pairs: str, verifier: str, as_json: bool = False, plugins: Sequence[Path] = ()) -> list[Verdict]:
    """Judge pairs `{id, gold, prediction, options?}` and print the share of correct ones, or one JSON line a pair.

    `options` become the problem's metadata (precision, tolerance, unit, choices, strict …); `plugins` are Python files
    that register verifiers. Raises ConfigError for an unknown verifier, DataError with file and line for a pair that
    lacks a column or repeats an id.
    """
    for plugin in plugins:
        load_plugin(plugin)
    if verifier not in verifiers:
        raise ConfigError("--verifier", f"unknown verifier {verifier!r}", did_you_mean(verifier, verifiers))
    records = read_records(pairs, "--pairs")
    places: dict[str, str] = {}
    problems = []
    for place, row in records:
        for column in ("id", "gold", "prediction"):
            if row.get(column) is None:
                raise DataError(place, f"has no {column!r}", "a pair is {id, gold, prediction, options?}")
        if str(row["id"]) in places:
            raise DataError(place, f"id {row['id']!r} stands already in {places[str(row['id'])]}", "keep one of them")
        places[str(row["id"])] = place
        options = row.get("options") or {}
        if not isinstance(options, dict):
            raise DataError(f"{place}, options", f"got {options!r}", "write {name: value}")
        gold = (Text(str(row.get("question") or "")),), str(row["gold"])
        problems.append(Problem(*gold, verifier, "text", "pairs", metadata=options))
    warm_up_verifiers(problems)
    asked = [(problem, [str(row["prediction"])]) for problem, (_, row) in zip(problems, records, strict=True)]
    verdicts = [held[0] for held in judge_all(asked)]
    for verdict, (_, row) in zip(verdicts, records, strict=True):
        if as_json:
            shown = {"id": row["id"], "correct": verdict.correct, "note": verdict.note, "fault": verdict.fault}
            print(json.dumps(shown, ensure_ascii=False))
    if not as_json:
        faults = [str(row["id"]) for v, (_, row) in zip(verdicts, records, strict=True) if v.fault is not None]
        print(f"{verifier}: {sum(v.correct for v in verdicts)}/{len(verdicts)} correct, {len(faults)} faults")
        if faults:
            print(f"faults: {some_of(faults)}")
    return verdicts

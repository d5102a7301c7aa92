"""`vlrl score` and `vlrl verify`: recorded responses judged offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def score(
    benchmark: Annotated[
        str,
        typer.Argument(
            metavar="BENCH",
            help="mathvista, mmmu, mmmu-pro, mathvision, math, gsm8k, tabmwp, dynamath, hr-bench, vstar, apps, "
            "code_contests, humaneval, livecodebench, mbpp, multipl-e, taco, or a plugin's.",
        ),
    ],
    problems: Annotated[str, typer.Option(help="The benchmark in its own schema: JSON, JSONL or parquet.")],
    responses: Annotated[str, typer.Option(help="Rows with the benchmark's id, `response`, optionally `extraction`.")],
    mode: Annotated[
        str, typer.Option(help="reward (no answer, no credit) or official (published rules, luck too).")
    ] = "reward",
    integer_rule: Annotated[
        str,
        typer.Option(help="MathVista's integers: int (made the published outputs) or int-float (in the script today)."),
    ] = "int",
    use_extraction: Annotated[
        bool, typer.Option("--use-extraction", help="Score `extraction`, not `response`.")
    ] = False,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Rows without a response count as wrong.")
    ] = False,
    majority: Annotated[
        str | None,
        typer.Option(
            metavar="INPUTS",
            help="Of several responses to a programming problem score the program that agrees with most on inputs of "
            "this file: rows of id and `inputs`, or `generators`.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write one JSON line a row: id, correct, answer, note.")] = None,
    plugin: Annotated[
        list[Path] | None, typer.Option(help="A Python file that registers a benchmark or a verifier; repeatable.")
    ] = None,
) -> None:
    """Score recorded responses to a benchmark, offline, overall and in every official grouping.

    Rows are joined on pid, id or raw_id (and model where both files have it). Both options may name the same file.
    """
    from vlrl.commands.scoring.score import score_command

    modes = (mode, integer_rule, use_extraction, allow_missing)
    score_command(benchmark, problems, responses, *modes, as_json, out, plugin or (), majority)  # type: ignore[arg-type]


def verify(
    pairs: Annotated[str, typer.Option(help="Lines {id, gold, prediction, options?}; options: problem metadata.")],
    verifier: Annotated[str, typer.Option(help="Name of a verifier: number, choice, math, text, box …")],
    plugin: Annotated[list[Path] | None, typer.Option(help="A Python file that registers verifiers of yours.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line a pair: id, correct, note, fault.")] = False,
) -> None:
    """Judge pairs of gold and prediction with one verifier."""
    from vlrl.commands.scoring.score import verify_command

    verify_command(pairs, verifier, as_json, plugin or [])

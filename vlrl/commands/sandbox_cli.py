"""`vlrl sandbox …`: whether this host keeps programs of models in, and how fast it runs them."""

from __future__ import annotations

from typing import Annotated

import typer

sandbox = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown", help="Check and measure where programs of models run."
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@sandbox.command()
def check(
    only: Annotated[str | None, typer.Option(help="Attacks whose name or kind holds this text.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run every known attack on this host and print which were contained. Exit code 0 only where all were.

    Attacks in a language without a toolchain here are named and count neither way.
    """
    from vlrl.commands.sandbox_commands import check_sandbox

    raise SystemExit(check_sandbox(only, as_json))


@sandbox.command()
def bench(
    runs: Annotated[int, typer.Option(min=10, max=100_000, help="Runs of each kind.")] = 200,
    boxes: Annotated[int | None, typer.Option(min=1, help="Programs at a time; default: one a core.")] = None,
    as_json: AsJson = False,
) -> None:
    """Time a small Python program in the sandbox and as a plain subprocess, in turns: start-up and runs a second."""
    from vlrl.commands.sandbox_commands import bench_sandbox

    bench_sandbox(runs, boxes, as_json)

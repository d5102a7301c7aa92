"""`vlrl compare RUN RUN ...` and `vlrl watch RUN`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN ...", help="Run folders, or configs of runs.")],
    out: Annotated[Path, typer.Option(help="Where the page goes.")] = Path("compare.html"),
) -> None:
    """Put runs beside each other: curves with intervals, settings that differ, the same problems side by side.

    Writes one HTML file that needs no server, and prints accuracies, paired differences and settings.
    """
    from vlrl.report.compare.compare_page import write_comparison
    from vlrl.terminal import console
    from vlrl.training.lifecycle.config_kinds import run_folder_of

    page, tables = write_comparison([run_folder_of(run) for run in runs], out)
    for table in tables:
        console().print(table)
    print(f"page: {page}")


def watch(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, or its config.")],
    terminal: Annotated[bool, typer.Option("--terminal", help="In this terminal, e.g. over ssh.")] = False,
    host: Annotated[str, typer.Option(help="The address to listen on; others than this host reach no loopback.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8425,
) -> None:
    """Show a run while it goes on: curves as they grow, the newest rollouts with images, its steps.

    Serves a page to browsers on this host until Ctrl-C. It reads the run's files and writes nothing.
    """
    from vlrl.report.watching.watch import watch_run
    from vlrl.training.lifecycle.config_kinds import run_folder_of

    watch_run(run_folder_of(run_folder), terminal, host, port)

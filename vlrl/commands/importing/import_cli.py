"""`vlrl import CONFIG`: settings of EasyR1, verl, TRL or ms-swift as a config and a recipe of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FROM = "easyr1|verl|trl|ms-swift"


def import_config(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Another trainer's YAML, shell script or Python file.", show_default=False),
    ],
    trainer: Annotated[
        str | None, typer.Option("--from", metavar=FROM, help="Whose settings they are; default: by their keys.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The config to write, its recipe beside it; default: NAME.yaml here.")
    ] = None,
    ranks: Annotated[
        int | None, typer.Option(min=1, help="Processes that trained, where the file doesn't say.")
    ] = None,
    rows: Annotated[int | None, typer.Option(min=1, help="Rows of the training data: epochs become steps.")] = None,
    keys: Annotated[bool, typer.Option("--keys", help="Print every key and what became of it.")] = False,
) -> None:
    """Translate the settings of EasyR1, verl, TRL or ms-swift, and say what has no counterpart and why.

    Data and columns, batch sizes, lengths, sampling, loss, KL, learning rate, what is frozen, adapters, engine, ranks.
    Every key is translated, makes no difference, or is listed on top of the config that is written.
    """
    from vlrl.commands.importing.import_command import run_import

    run_import(file, trainer, out, ranks, rows, keys)

"""`vlrl export …`: a model's folder for the tools of others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

export = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="Describe a model to the tools of others.")


@export.callback()
def _several() -> None:
    """Keeps the name of the tool a word of the command, also while there is one."""


@export.command()
def vlmevalkit(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="RUN_OR_FOLDER", help="A run's folder or config, or a model's folder.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="FILE.json", help="Where the config goes.", show_default=False)],
    data: Annotated[
        str, typer.Option(metavar="A,B,…", help="Benchmarks by VLMEvalKit's names; NAME=CLASS for one unknown here.")
    ] = "MMMU_DEV_VAL,MathVista_MINI",
    model: Annotated[
        str | None, typer.Option(help="Of a run: which of its models, e.g. model_sft; default: model.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the model in VLMEvalKit's files; default: its folder's.")] = None,
    min_pixels: Annotated[int | None, typer.Option(min=1, help="Of an image; default: as its run had it.")] = None,
    max_pixels: Annotated[int | None, typer.Option(min=1, help="Of an image; default: as its run had it.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Of a response; default: the run's evaluation.")] = None,
) -> None:
    """Write the config that VLMEvalKit's `run.py --config` reads: the class of the model's family, and benchmarks.

    Image budget, system prompt and longest response are those of the run that wrote the model.
    """
    from vlrl.commands.sharing.vlmevalkit_export import export_vlmevalkit

    given = {"min_pixels": min_pixels, "max_pixels": max_pixels, "max_new_tokens": max_tokens}
    names = [one.strip() for one in data.split(",") if one.strip()]
    print("\n".join(export_vlmevalkit(source, out, names, model, name, given)))

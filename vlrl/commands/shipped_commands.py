"""`vlrl configs`, `vlrl recipes` and `vlrl copy`: what comes with vlrl, and a copy of it to edit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from vlrl.installation.shipped import Kind, about, copy, names
from vlrl.terminal import console

COMMAND_OF = {
    "eval": "eval",
    "ablations": "ablate",
    "curate": "curate",
    "long2short": "long2short",
    "reward_models": "reward-model train",
}


def configs() -> None:
    """List the configs that come with vlrl: the name by which any command takes one, its command, what it is."""
    print_shipped("config")


def recipes() -> None:
    """List the recipes that come with vlrl, by the name that `data:` and `vlrl data …` take."""
    print_shipped("recipe")


def copy_to_edit(
    name: Annotated[
        str,
        typer.Argument(
            help="A shipped config, recipe or notebook, e.g. quickstart, rl/k1_5, first_run.", show_default=False
        ),
    ],
    folder: Annotated[Path, typer.Argument(help="Where its folders configs/ and data_recipes/ go.")] = Path(),
) -> None:
    """Write a shipped config with its recipe, and whatever else it names, to files of yours to edit.

    They keep their paths, so that `vlrl run configs/quickstart.yaml`, given in that folder, takes the copy. A file that
    is there already is never overwritten.
    """
    for place in copy(name, folder):
        print(place)


def print_shipped(kind: Kind) -> None:
    """One row a file: its name, the command that takes it, and what it says of itself."""
    title = f"shipped {kind}s; `vlrl copy NAME` writes one here to edit"
    table = Table(title=title, title_justify="left")
    columns = ("name", "command", "what it is") if kind == "config" else ("name", "what it is")
    for column in columns:
        table.add_column(column, overflow="fold")
    for name, file in names(kind).items():
        command = [f"vlrl {command_of(name)}"] if kind == "config" else []
        table.add_row(*(Text(cell) for cell in (name, *command, about(file))))
    console().print(table)


def command_of(name: str) -> str:
    """The command that a shipped config is made for."""
    return COMMAND_OF.get(name.partition("/")[0], "run") if "/" in name else "run"

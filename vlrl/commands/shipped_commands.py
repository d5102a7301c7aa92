"""`vlrl configs`, `vlrl recipes` and `vlrl copy`: what comes with vlrl, and a copy of it to edit."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table
from rich.text import Text

from vlrl.installation.shipped import Kind, about, copy, names
from vlrl.terminal import console

COMMAND_OF = {"eval": "eval", "ablations": "ablate", "curate": "curate", "long2short": "long2short"}


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


def copy_shipped(name: str, folder: Path) -> None:
    """Write copies and say what may be done with them. Raises ConfigError as `vlrl.installation.shipped.copy` does."""
    for place in copy(name, folder):
        print(place)

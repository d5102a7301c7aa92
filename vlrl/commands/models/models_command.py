"""What `vlrl models` does."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from vlrl.terminal import console

TITLES = {
    "own": "tested, with a file of their own",
    "tested": "tested, read in the generic way",
    "unproven": "generic and unproven: compared with the plain forward pass when they are loaded",
    "refused": "refused",
}


def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
    plugins: Annotated[
        list[Path] | None, typer.Option("--plugin", help="A Python file that registers families of its own.")
    ] = None,
) -> None:
    """List the families of models: what was tested, what is generic and unproven, what is refused and why.

    By `model_type` in a model's config.json; those that the installed transformers has.
    """
    from vlrl.model.families.tested import list_models  # which takes seconds to load
    from vlrl.registry import load_plugin

    for plugin in plugins or ():
        load_plugin(plugin)
    found = list(list_models())
    if as_json:
        print(json.dumps([dataclasses.asdict(one) for one in found], indent=1, ensure_ascii=False))
        return
    for status, title in TITLES.items():
        some = [one for one in found if one.status == status]
        table = Table(title=f"{title} ({len(some)})", title_justify="left")
        table.add_column("model_type")
        table.add_column("", overflow="fold")
        for one in some:
            table.add_row(one.model_type, one.why)
        console().print(table)

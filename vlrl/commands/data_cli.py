"""`vlrl data …`: what may be drawn, what a recipe consists of, and how its problems look."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

data = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="Look at data before training on it.")

Recipe = Annotated[
    Path,
    typer.Argument(
        metavar="RECIPE", help="A YAML file, or the name of a shipped recipe (`vlrl recipes`).", show_default=False
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Dotted overrides by source name, e.g. sources.sums.weight=0.5."),
]
Seed = Annotated[int, typer.Option(help="Which problems of endless sources, and which rows of files.")]
TokenSide = Annotated[
    int, typer.Option(min=1, help="Pixels of a visual token's side: 28 Qwen2.5-VL, 32 Qwen3-VL, 16 quickstart.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@data.command()
def domains(
    as_json: AsJson = False,
    plugin: Annotated[list[Path] | None, typer.Option(help="A Python file whose domains are listed, too.")] = None,
) -> None:
    """List the domains that problems can be generated from: name, family, verifier and file."""
    from vlrl.commands.data_commands import print_domains

    print_domains(as_json, plugin or [])


@data.command()
def stats(
    recipe: Recipe,
    overrides: Overrides = None,
    count: Annotated[int, typer.Option(min=1, help="Problems that are drawn and counted.")] = 1000,
    seed: Seed = 0,
    token_side: TokenSide = 28,
    tokenizer: Annotated[
        str | None,
        typer.Option(help="A model folder or cached hub id whose tokenizer counts; default: 3.5 characters."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Count what a recipe gives: shares by source and modality, tokens, answers, difficulty, repeats, image sizes."""
    from vlrl.commands.data_commands import print_stats

    print_stats(recipe, overrides or [], count, seed, token_side, tokenizer, as_json)


@data.command()
def preview(
    recipe: Recipe,
    overrides: Overrides = None,
    page: Annotated[
        Path | None,
        typer.Option("--open", metavar="FILE.html", help="Where the page goes; default: preview_RECIPE.html here."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=2000, help="Problems on the page.")] = 120,
    seed: Seed = 0,
    token_side: TokenSide = 28,
) -> None:
    """Write one HTML page of a recipe's problems: images, questions, answers, tags, difficulty, tokens, twins.

    The page needs no server and no network. With --open it is also shown where there is a desktop to show it on.
    """
    from vlrl.commands.data_commands import write_page

    write_page(recipe, overrides or [], page, count, seed, token_side)


@data.command()
def export(
    problems: Annotated[
        Path,
        typer.Argument(
            metavar="RECIPE",
            help="A recipe's YAML file or shipped name, or a problem file such as curated.jsonl.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A folder that isn't there yet.", show_default=False)],
    count: Annotated[
        int | None,
        typer.Option(min=1, help="Training problems, in the recipe's mixture; default: all, of finite sources."),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Write a recipe's problems, or a problem file, as parquet with images, a dataset card and a recipe that reads it.

    `datasets.load_dataset(OUT)` gives them with decoded images; `vlrl push OUT OWNER/NAME` uploads them.
    """
    from vlrl.commands.sharing.export_data import export_data

    export_data(problems, out, count, seed)

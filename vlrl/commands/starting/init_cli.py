"""`vlrl init PROJECT --data FILE`: a recipe and a config of a user's own rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Column = Annotated[str | None, typer.Option(metavar="COLUMN", show_default=False)]


def init(
    project: Annotated[Path, typer.Argument(help="The folder to write to; its name is the run's.", show_default=False)],
    data: Annotated[
        Path,
        typer.Option(
            help="Your rows: .jsonl, .json, .csv, .tsv, .parquet, a folder of images with a metadata file, or one that "
            "`datasets` saved.",
            show_default=False,
        ),
    ],
    question: Column = None,
    answer: Column = None,
    images: Annotated[
        str | None, typer.Option(metavar="COLUMN[,COLUMN…]", help="In the order in which they are shown.")
    ] = None,
    choices: Column = None,
    ignore: Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="Of no use; may be given often.")] = None,
    verifier: Annotated[str | None, typer.Option(help="What judges answers: number, choice, math, text …")] = None,
    choice_answers: Annotated[
        str | None, typer.Option(metavar="letter|text|index|number", help="How golds of choices are written.")
    ] = None,
    image_folder: Annotated[Path | None, typer.Option(help="Where image paths start.")] = None,
    split: Annotated[str | None, typer.Option(help="The split to train on, where the data has several.")] = None,
    model: Annotated[str, typer.Option(help="A model folder or hub id.")] = "Qwen/Qwen2.5-VL-3B-Instruct",
    small: Annotated[
        bool, typer.Option("--small", help="A few steps of a small model built on the spot, on two CPU cores.")
    ] = False,
) -> None:
    """Look at your rows and write PROJECT/recipe.yaml and PROJECT/config.yaml, with the next three commands.

    Columns, images, options, answers and their verifier are told from all rows. What they leave open is asked, and the
    option that answers it is named. Rows that can't be used are counted by reason. Nothing is overwritten.
    """
    from vlrl.commands.starting.columns import Said
    from vlrl.commands.starting.init_files import start_project

    said = Said(
        question=question,
        answer=answer,
        images=tuple(filter(None, (images or "").split(","))),
        choices=choices,
        ignored=tuple(ignore or ()),
        verifier=verifier,
        choice_answers=choice_answers,
        image_folder=None if image_folder is None else str(image_folder.expanduser()),
    )
    print("\n".join(start_project(project, data, said, model, small, split)))

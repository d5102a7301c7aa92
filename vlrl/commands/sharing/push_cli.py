"""`vlrl push RUN_OR_FOLDER REPO_ID`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def push(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="RUN_OR_FOLDER",
            help="A run's folder or config, a model's folder, or a folder that `vlrl data export` wrote.",
            show_default=False,
        ),
    ],
    repo_id: Annotated[str, typer.Argument(metavar="REPO_ID", help="OWNER/NAME on the hub.", show_default=False)],
    model: Annotated[
        str | None, typer.Option(help="Of a run: which of its models, e.g. model_sft; default: model.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="A repository that is made for it is private.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show files, sizes and the card; ask no server.")] = False,
) -> None:
    """Upload a model or a data set with its card to the Hugging Face hub, as one commit.

    The repository is made if it isn't there. Log in with `hf auth login`; HF_ENDPOINT names another hub.
    """
    from vlrl.commands.sharing.parcel import parcel_of
    from vlrl.commands.sharing.push import print_parcel, upload

    parcel = parcel_of(source, model)
    print_parcel(parcel, repo_id)
    if not dry_run:
        print(f"pushed: {upload(parcel, repo_id, private)}")

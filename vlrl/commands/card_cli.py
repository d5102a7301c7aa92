"""`vlrl card …`: whether a run card still says what lies in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

card = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="Hold a run card against its run folder.")


@card.command()
def check(
    run_folder: Annotated[Path, typer.Argument(help="The folder of a run, or its config.", show_default=False)],
) -> None:
    """Compare what the card states (weights, tokens, settings, integrity, overlap) with the files; exit code 1 where
    something differs.
    """
    from vlrl.commands.card_check import check_card
    from vlrl.training.lifecycle.config_kinds import run_folder_of

    raise SystemExit(check_card(run_folder_of(run_folder)))

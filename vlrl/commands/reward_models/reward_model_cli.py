"""`vlrl reward-model make|train|eval CONFIG`: rows of judgements, models trained on them, and how good they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

reward_model = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Make judgements on answers, train reward models on them, and compare these with rules.",
)

Config = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG",
        help="A YAML file, or the name of a shipped config of configs/reward_models/.",
        show_default=False,
    ),
]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Dotted overrides, e.g. seed=3 classic.steps=50.")
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Start again; what the folder holds is set aside until then.")]


@reward_model.command()
def make(config: Config, overrides: Overrides = None, fresh: Fresh = False) -> None:
    """Write rows of judgements: by rewriting answers, and from the verified rollouts of earlier runs.

    Balanced by label, no two alike, held out by problem. They lie in RUN_FOLDER/rows; rows of the same settings
    are left as they are.
    """
    config = _found(config, "make")
    from vlrl.commands.reward_models.reward_model_commands import make_command

    make_command(config, overrides or [], fresh)


@reward_model.command()
def train(config: Config, overrides: Overrides = None, fresh: Fresh = False) -> None:
    """Train the config's kinds on its rows: classic (a value head), chain_of_thought (reasons, ends in JSON).

    Makes the rows first where there are none. Interrupted, the same command continues from the last checkpoint.
    """
    config = _found(config, "train")
    from vlrl.commands.reward_models.reward_model_commands import train_command

    train_command(config, overrides or [], fresh)


@reward_model.command("eval")
def evaluate(config: Config, overrides: Overrides = None) -> None:
    """Judge the held-out rows by every trained kind and by the rule verifiers, and print accuracy with its interval.

    By origin and overall; replies without a verdict are counted, never zeros. The figures go to evaluation.json.
    """
    config = _found(config, "eval")
    from vlrl.commands.reward_models.reward_model_commands import eval_command

    eval_command(config, overrides or [])


def _found(config: Path, command: str) -> Path:
    """The config's file, before what the command computes with is imported: a wrong name costs no seconds."""
    from vlrl.training.lifecycle.config_kinds import find_config

    return find_config(config, f"reward-model {command}")

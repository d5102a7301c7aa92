"""What `vlrl reward-model …` does: find the config, make rows, train, compare, print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from vlrl.config import load_settings
from vlrl.errors import RunError
from vlrl.model.folders.model_folder import check_folder
from vlrl.reward_models.make_rows import make_rows
from vlrl.reward_models.row_files import RowFolder, made_by_of, read_row_folder, write_rows
from vlrl.terminal import console
from vlrl.training.lifecycle.run_claim import claimed
from vlrl.training.reward_models.evaluate_reward_models import RESULTS, evaluate_reward_models
from vlrl.training.reward_models.reward_model_config import RewardModelConfig
from vlrl.training.reward_models.train_chain_of_thought import train_chain_of_thought
from vlrl.training.reward_models.train_classic import train_classic

TRAIN = {"classic": train_classic, "chain_of_thought": train_chain_of_thought}


def make_command(config: Path, overrides: Sequence[str], fresh: bool) -> RowFolder:
    """Write the rows and print how many there are of each kind."""
    settings = load_settings(RewardModelConfig, config, overrides)
    rows = rows_of(settings, fresh)
    print_rows(rows)
    return rows


def train_command(config: Path, overrides: Sequence[str], fresh: bool) -> None:
    """Train the kinds one after another. Raises ConfigError for a model that can't be used, before rows are made."""
    settings = load_settings(RewardModelConfig, config, overrides)
    if settings.model.path is not None:
        check_folder(settings.model.path, "model.path")
    rows_of(settings, False)
    for kind in settings.kinds:
        print(f"{kind}: {TRAIN[kind](settings, fresh)}")


def eval_command(config: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """Compare the kinds and the rules on the held-out rows, and print the table."""
    settings = load_settings(RewardModelConfig, config, overrides)
    results = evaluate_reward_models(settings)
    print_results(results)
    print(settings.folder / RESULTS)
    return results


def rows_of(settings: RewardModelConfig, fresh: bool) -> RowFolder:
    """The rows that the settings ask for: those in the folder where they are of the same settings, else new ones.

    Raises RunError where the folder holds rows of other settings, unless `fresh`.
    """
    folder = settings.rows_folder
    held = made_by_of(folder)
    if held is not None and not fresh:
        if held == settings.made_by:
            return read_row_folder(folder)
        other = [key for key in settings.made_by if held.get(key) != settings.made_by[key]]
        raise RunError(
            str(folder),
            f"holds rows of other settings: {', '.join(other)}",
            "take these back, give another run_folder=…, or make the rows again with `vlrl reward-model make --fresh`",
        )
    with claimed(folder, "judgements", fresh) as claim:
        made = make_rows(settings.make, settings.seed)
        rows = write_rows(folder, made, settings.instruction, settings.salt, settings.image, settings.made_by)
        claim.finish()
    return rows


def print_rows(rows: RowFolder) -> None:
    """One line an origin: rows by split."""
    table = Table(title=f"{rows.path}: rows by origin", title_justify="left")
    splits = list(rows.counts)
    table.add_column("origin")
    for split in splits:
        table.add_column(split, justify="right")
    origins = sorted({origin for of_split in rows.counts.values() for origin in of_split})
    for origin in origins:
        table.add_row(origin, *(str(rows.counts[split].get(origin, 0)) for split in splits))
    table.add_row("all", *(str(sum(rows.counts[split].values())) for split in splits))
    console().print(table)


def print_results(results: Mapping[str, Any]) -> None:
    """Accuracy by origin and judge, with its rewritings below it, then what is measured of the models alone."""
    judges = results["judges"]
    table = Table(title=f"{results['rows']['test']} held-out rows: accuracy (95 % Wilson)", title_justify="left")
    table.add_column("origin")
    for name in judges:
        table.add_column(name)
    kinds = sorted({origin for one in judges.values() for origin in one["by_origin"]} - {"all"})
    rewritings = sorted({origin for one in judges.values() for origin in one["by_rewriting"]} - set(kinds))
    for origin in (*sorted([*kinds, *rewritings]), "all"):
        rows = "by_rewriting" if origin in rewritings else "by_origin"
        table.add_row(origin, *(_cell(one[rows].get(origin)) for one in judges.values()))
    console().print(table)
    for name, one in judges.items():
        if line := _further(one):
            print(f"{name}: {line}")


def _cell(figures: Mapping[str, Any] | None) -> str:
    if figures is None:
        return "–"
    unparsed = f", {figures['unparsed']} unparsed" if figures["unparsed"] else ""
    if not figures["n"]:
        return f"no verdict{unparsed}"
    low, high = figures["interval"]
    return f"{100 * figures['accuracy']:.1f} ({100 * low:.1f}–{100 * high:.1f}, n {figures['n']}{unparsed})"


def _further(one: Mapping[str, Any]) -> str:
    said = []
    if "swapped" in one:
        said.append(f"the same when swapped {100 * one['swapped']['same']:.1f} %")
    if "injections" in one:
        found = one["injections"]
        said.append(f"accepts {100 * found['accepted']:.1f} % of {found['n']} injections")
    if "calibration" in one:
        found = one["calibration"]
        said.append(f"calibration error {found['expected_error']:.3f}, Brier {found['brier']:.3f}")
    if "seconds_of_processor" in one:
        said.append(f"{one['seconds_of_processor']} s of processor")
    return ", ".join(said)

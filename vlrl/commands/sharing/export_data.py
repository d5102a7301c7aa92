"""`vlrl data export RECIPE OUT`: which problems go, and the line that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from vlrl.data.exported.dataset_folder import write_dataset
from vlrl.data.exported.table_rows import Item
from vlrl.data.fixed_sets import usable_items
from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.mixture import Mixture
from vlrl.data.problem_files import read_demonstrations, read_problems
from vlrl.data.recipe import Recipe, load_recipe
from vlrl.data.rows.bad_rows import SkippedRows
from vlrl.data.sources import build_sources
from vlrl.errors import ConfigError, DataError
from vlrl.training.lifecycle.config_kinds import find_recipe
from vlrl.types import Problem


def export_data(recipe: Path, out: Path, count: int | None, seed: int) -> None:
    """Write the data set and print what is in it. Raises ConfigError or DataError before anything is written."""
    if out.exists():
        raise ConfigError(f"OUT, {out}", "is there already", "choose another folder")
    if recipe.suffix == ".jsonl":
        if count is not None:
            raise ConfigError("--count", f"{recipe} is a problem file, which goes whole", "leave it out")
        splits: Mapping[str, Sequence[Item]] = {"train": _of_file(recipe)}
        image = ImageBudget()
    else:
        read = load_recipe(find_recipe(recipe, "data export"))
        splits, image = _of_recipe(read, count, seed), read.image
    write_dataset(out, splits, recipe.name, image.model_dump())
    told = ", ".join(f"{len(items):,} {split}" for split, items in splits.items() if items)
    print(f"exported: {out} ({told})")


def _of_file(file: Path) -> Sequence[Item]:
    """Demonstrations where every line has a response, problems otherwise."""
    try:
        return read_demonstrations(file)
    except DataError:
        return read_problems(file)


def _of_recipe(recipe: Recipe, count: int | None, seed: int) -> Mapping[str, Sequence[Item]]:
    """Held-out problems of finite sources, and training problems: all of finite sources, or `count` of the mixture."""
    sources = build_sources(recipe, seed)
    endless = [source.name for source in sources if source.size_of("train") is None]
    if endless and count is None:
        raise ConfigError("--count", f"{', '.join(endless)} never ends", "say how many problems: --count 1000")
    splits: tuple[Literal["validation", "test"], ...] = ("validation", "test")
    held_out: dict[str, list[Problem]] = {
        split: [
            problem
            for source in sources
            if source.size_of(split) is not None
            for problem, _ in usable_items(source, split, SkippedRows(recipe))
        ]
        for split in splits
    }
    if count is not None:
        train: list[Item] = [*Mixture(recipe, seed, [*held_out["validation"], *held_out["test"]]).draw(count)]
    else:
        items = (item for source in sources for item in usable_items(source, "train", SkippedRows(recipe)))
        train = [demonstration or problem for problem, demonstration in items]
    return {"train": train, **held_out}

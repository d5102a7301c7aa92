"""A run remembers what it read: the resolved recipe (recipe.yaml) and digests of all its files (inputs.json).

An edit between two stretches of a run would make its second half another run's; it is refused by the name of what
changed. What a table, an image or a plugin is called and where it lies doesn't count, only what is in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from vlrl.data.fingerprint import FileState, files_in, files_of, fingerprint, portable
from vlrl.data.recipe import Recipe
from vlrl.data.stored_rollouts import FILE
from vlrl.errors import RunError
from vlrl.runlog.run_folder import write_atomically
from vlrl.training.lifecycle.run_changes import flatten
from vlrl.training.run_settings import RunSettings

SCHEMA = 1
NAMED = 8  # changes that a message lists of each kind


class RunInputs:
    """The inputs of a run as they are now, compared with what the run folder remembers.

    Raises RunError that names each key of the recipe and each file that another stretch of the run read otherwise.
    """

    def __init__(self, folder: Path, settings: RunSettings, recipe: Recipe) -> None:
        self._folder, self._recipe = folder, recipe
        held = _remembered(folder / "inputs.json")
        self.remembered = held is not None
        before = {name: FileState(**state) for name, state in held["files"].items()} if held else {}
        self.portable = portable(recipe)
        try:
            self.files = fingerprint(_files(settings, recipe, folder), before)
        except OSError as error:
            raise RunError(str(error.filename), f"can't be read: {error.strerror or error}", "mend the file") from error
        if held is not None:
            _compare(folder, held["recipe"], self.portable, before, self.files)

    def write(self) -> None:
        """Remember them, and the resolved recipe, in the run folder."""
        held = {
            "schema": SCHEMA,
            "recipe": self.portable,
            "files": {name: asdict(state) for name, state in self.files.items()},
        }
        recipe = yaml.safe_dump(self._recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
        write_atomically(self._folder / "recipe.yaml", recipe)
        write_atomically(self._folder / "inputs.json", json.dumps(held, ensure_ascii=False) + "\n")


def _files(settings: RunSettings, recipe: Recipe, folder: Path) -> dict[str, Path]:
    """Files of the recipe and of the stages; what the run itself wrote is not among them."""
    found = files_of(recipe)
    named = {f"plugin: {Path(one).name}": one for one in settings.plugins}
    named |= {f"environment: {Path(one).name}": one for one in settings.environment.files()}
    if "dpo" in settings.stages and settings.dpo.pairs is not None:
        named["dpo.pairs"] = settings.dpo.pairs
    if "sft" in settings.stages and settings.sft.rollouts is not None:
        for run in settings.sft.rollouts.runs:
            named |= {f"sft.rollouts: {run}/{part}": f"{run}/{part}" for part in (FILE, "images")}
    if "distil" in settings.stages and settings.distil.records is not None:
        named["distil.records"] = settings.distil.records
    if settings.reward_model is not None and settings.reward_model.read is not None:
        named["reward_model"] = str(settings.reward_model.read)
    for key, path in named.items():
        place = Path(path).expanduser()
        if place.resolve().is_relative_to(folder.resolve()) or not place.exists():
            continue  # made by an earlier stage; a missing input has been named by now
        found |= {key if place.is_file() else f"{key}: {name}": file for name, file in files_in(place)}
    return found


def _remembered(file: Path) -> dict[str, Any] | None:
    if not file.is_file():
        return None
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        known = held["schema"] == SCHEMA and isinstance(held["files"], dict) and isinstance(held["recipe"], dict)
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise RunError(str(file), "is damaged, or of another version", "remove it: the run then goes on unchecked")
    return dict(held)


def _compare(
    folder: Path,
    recipe_before: Mapping[str, Any],
    recipe_now: Mapping[str, Any],
    before: Mapping[str, FileState],
    now: Mapping[str, FileState],
) -> None:
    old, new = flatten(recipe_before), flatten(recipe_now)
    keys = [key for key in new | old if new.get(key) != old.get(key)]
    lines = [f"recipe, {key}: {old.get(key)!r} → {new.get(key)!r}" for key in keys[:NAMED]]
    lines += [f"recipe, {len(keys) - NAMED} keys more"] if len(keys) > NAMED else []
    for what, names in (
        ("has another content", [n for n in now if n in before and now[n].digest != before[n].digest]),
        ("is gone", [n for n in before if n not in now]),
        ("is new", [n for n in now if n not in before]),
    ):
        lines += [f"{name} {what}" for name in names[:NAMED]]
        lines += [f"{len(names) - NAMED} files more: {what}"] if len(names) > NAMED else []
    if lines:
        raise RunError(
            str(folder),
            "the run has read other data before than it would from here on:" + "".join(f"\n    {one}" for one in lines),
            "put it back (recipe.yaml in the run folder is the recipe as it was), or start a run of its own with "
            "another run_folder=…, from this one's model with model.path=…",
        )

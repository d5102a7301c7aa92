"""The plan of an ablation as its folder keeps it: what is asked, and a digest of everything that its runs read.

Seeds, rates and arms are fixed before the first run. Finished runs are kept from call to call, so a config or a recipe
that was edited in between would put runs of two plans on one page.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vlrl.config import as_arguments, load_settings
from vlrl.errors import RunError
from vlrl.experiments.ablation.ablation_settings import AblationSettings
from vlrl.experiments.pipeline.link_commands import load_link
from vlrl.experiments.pipeline.link_inputs import state_of_files
from vlrl.installation.shipped import locate
from vlrl.runlog.run_folder import write_atomically
from vlrl.training.run_settings import RunSettings
from vlrl.types import content_digest

OF_A_RUN = {"name", "run_folder", "seed", "threads"}  # what every run is given for itself


def keep_plan(settings: AblationSettings) -> None:
    """Write the plan into the folder of an ablation, or check the one that lies there; more seeds may be added.

    Raises RunError, before anything is run, where the folder holds another plan or runs of other settings or recipes.
    """
    file = settings.place / "ablation.json"
    now, inputs = _plan(settings), inputs_of(settings)
    if file.is_file():
        held = json.loads(file.read_text(encoding="utf-8"))
        read = held.pop("inputs", None)
        if read is None:
            raise RunError(
                f"{file}",
                "keeps no digests of what its runs read, so whether they fit the present configs can't be told",
                "give another folder=…; or, where arms, base config and recipes are as they were, delete this file: "
                "finished runs are kept",
            )
        before = _plan(AblationSettings.model_validate(held))  # with the defaults of what it does not name
        changed = [key for key in now if before[key] != now[key] and key != "seeds"]
        if changed:
            raise RunError(
                f"{settings.place}, {changed[0]}",
                f"holds an ablation with {before[changed[0]]!r}, now {now[changed[0]]!r}",
                "give another folder=…, or delete this one",
            )
        other = sorted(what for what in inputs.keys() | read.keys() if inputs.get(what) != read.get(what))
        if other:
            raise RunError(
                f"{settings.place}, {other[0]}",
                "isn't what it was when the runs in this folder were begun",
                f"undo the change in {settings.base} or what it names (run.yaml of a run holds its settings), give "
                "another folder=…, or delete this one",
            )
    settings.place.mkdir(parents=True, exist_ok=True)
    write_atomically(file, json.dumps({**now, "inputs": inputs}, indent=1) + "\n")


def inputs_of(settings: AblationSettings) -> dict[str, str]:
    """By name, a digest of the resolved settings of arms, warm-up and links, and of the recipes that they read.

    A file that a recipe names counts by size and time of change; what a link makes counts as that link.
    """
    found = {}
    recipes = [] if settings.test is None else [settings.test]
    runs = {f"arm {arm}": settings.run_of(arm) for arm in settings.arms}
    if settings.share == "sft":
        runs["warm-up"] = load_settings(RunSettings, settings.base, as_arguments(settings.overrides))
    for name, run in runs.items():
        found[name] = _digest(run.model_dump(mode="json", exclude=OF_A_RUN))
        recipes.append(run.data)
    for link in settings.before:
        held = dict(link.set)
        if link.does != "merge":
            read = load_link(link.does, Path(link.config), as_arguments(link.set))
            held = read.model_dump(mode="json", exclude=OF_A_RUN)
            if "data" in held:
                recipes.append(str(held["data"]))
        found[f"link {link.name}"] = _digest(held)
    for recipe in sorted({one for one in recipes if locate(one, "recipe").is_file()}):
        found[f"recipe {recipe}"] = content_digest(
            *state_of_files({"data": str(locate(recipe, "recipe"))}, settings.place)
        )
    return found


def _digest(held: dict[str, Any]) -> str:
    return content_digest(json.dumps(held, sort_keys=True))


def _plan(settings: AblationSettings) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude={"processes", "folder"})

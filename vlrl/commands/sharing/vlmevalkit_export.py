"""What `vlrl export vlmevalkit` does: the settings of a run and the family of its model as VLMEvalKit's config."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vlrl.commands.sharing.parcel import folder_of
from vlrl.config import read_yaml
from vlrl.data.recipe import load_recipe
from vlrl.errors import ConfigError, VlrlError
from vlrl.evaluation.harness.vlmevalkit import PIXELS, PROMPT, TOKENS, not_taken, vlmevalkit_config
from vlrl.model.folders.weight_files import missing_files, read_json
from vlrl.runlog.run_folder import write_atomically

PLACE = "export vlmevalkit"


def export_vlmevalkit(
    source: Path, out: Path, data: Sequence[str], model: str | None, name: str | None, given: dict[str, int | None]
) -> list[str]:
    """Write the config to `out`; returns what is said about it.

    given  min_pixels, max_pixels and max_new_tokens that the command line names; None: as the run has them
    Raises ConfigError for a folder without a whole model, a family that VLMEvalKit can't read, a file that is there.
    """
    folder = folder_of(source, model, PLACE)
    if not (folder / "config.json").is_file():
        raise ConfigError(f"{PLACE}, {folder}", "holds no model (config.json)", "name a run or a model's folder")
    if missing := missing_files(folder):
        raise ConfigError(f"{PLACE}, {folder}", f"lacks {', '.join(missing)}", "let its run write it again")
    model_type = str(read_json(folder / "config.json", PLACE).get("model_type"))
    run = folder.parent if (folder.parent / "run.yaml").is_file() else None
    settings = {} if run is None else _of_run(run, given)
    settings |= {key: value for key, value in given.items() if value is not None}
    called = name or (folder if run is None else run).absolute().name
    config = vlmevalkit_config(folder, model_type, called, data, settings)
    if out.exists():
        raise ConfigError(str(out), "is there already", "name another file")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, json.dumps(config, indent=4, ensure_ascii=False) + "\n")
    kit = config["model"][called]["class"]
    lines = [f"config: {out}", f"class: {kit}, for {model_type}"]
    if left := not_taken(model_type, settings):
        lines.append(f"not read by {kit}, so not in it: {', '.join(f'{key} {settings[key]!r}' for key in left)}")
    if run is None:
        lines.append("no run lies around the model: what isn't given here is as VLMEvalKit has it")
    return [*lines, f"next, in VLMEvalKit's checkout: python run.py --config {out.absolute()}"]


def _of_run(run: Path, given: dict[str, int | None]) -> dict[str, Any]:
    """How the run that wrote a model asked it: image budget of the recipe, system prompt, longest response."""
    held = read_yaml(run / "run.yaml")
    settings: dict[str, Any] = {
        PROMPT: held.get("system_prompt"),
        TOKENS: held["eval"]["sampling"]["max_tokens"],
    }
    if any(given[key] is None for key in PIXELS):
        try:
            image = load_recipe(held["data"]).image
        except VlrlError as error:
            remedy = "start in the folder of the run, or give --min-pixels and --max-pixels"
            raise ConfigError(f"{PLACE}, {held['data']}", f"can't tell its image budget: {error}", remedy) from error
        settings |= {"min_pixels": image.min_pixels, "max_pixels": image.max_pixels}
    return settings

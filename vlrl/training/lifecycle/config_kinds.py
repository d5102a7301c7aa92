"""Which kind of config a file is, and which commands take it: a wrong one is refused by naming the right command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from vlrl.config import load_settings, read_yaml
from vlrl.errors import ConfigError
from vlrl.installation.shipped import locate, not_there

ConfigKind = Literal["run", "chain", "benchmarks", "curation", "ablation", "long2short", "reward_model", "recipe"]

OF_CURATION = frozenset({"problems", "held_out", "image", "warmup", "examples", "recipe_held_out", "max_fault_rate"})
OF_REWARD_MODEL = frozenset({"make", "kinds", "classic", "chain_of_thought"})
OF_RUN = frozenset({"sft", "record", "distil", "dpo", "rl", "eval", "backend", "tracker", "patience_minutes"})
IS_A: dict[ConfigKind, str] = {
    "run": "the config of a run",
    "chain": "a chain of runs (`pipeline:`)",
    "benchmarks": "an evaluation of benchmarks (`benchmarks:`)",
    "curation": "a curation",
    "ablation": "an ablation (`arms:`)",
    "long2short": "a config of long2short (`base:`, `curate:`, `long:`)",
    "reward_model": "a config of reward models (`make:`, `classic:`, `chain_of_thought:`)",
    "recipe": "a recipe (`sources:`)",
}
TAKEN_BY: dict[ConfigKind, tuple[str, ...]] = {
    "run": ("run", "prepare", "sft", "rl", "eval", "plan", "ablate", "doctor", "report"),
    "chain": ("run",),
    "benchmarks": ("eval", "report"),
    "curation": ("curate",),
    "ablation": ("ablate",),
    "long2short": ("long2short",),
    "reward_model": ("reward-model train", "reward-model make", "reward-model eval"),
    "recipe": ("data stats", "data preview", "data export"),
}
LOOKED_UP_IN: dict[str, tuple[str, ...]] = {  # folders of shipped configs, for a bare name
    "run": ("", "rl", "sft", "pipelines"),
    "eval": ("", "eval", "rl", "sft"),
    "report": ("", "rl", "sft", "eval"),
    "ablate": ("ablations", "", "rl", "sft"),
    "curate": ("curate",),
    "long2short": ("long2short",),
    **{f"reward-model {name}": ("reward_models",) for name in ("make", "train", "eval")},
}


def kind_of(values: Mapping[str, Any]) -> ConfigKind:
    """The kind of a file of settings, by its keys; what has no other kind's keys is taken for a run."""
    if "sources" in values:
        return "recipe"
    if "pipeline" in values:
        return "chain"
    if "arms" in values:
        return "ablation"
    if {"curate", "long"} & values.keys():
        return "long2short"
    if OF_REWARD_MODEL & values.keys():
        return "reward_model"
    if "benchmarks" in values:
        return "benchmarks"
    stages = values.get("stages")
    of_problems = isinstance(stages, list) and any(isinstance(stage, Mapping) for stage in stages)
    if not OF_RUN & values.keys() and (of_problems or OF_CURATION & values.keys()):
        return "curation"
    return "run"


def find_config(given: str | Path, command: str) -> Path:
    """The file of a config that is given by path or name, of a kind that the command takes.

    Raises ConfigError for one that isn't there, or that belongs to another command.
    """
    if not str(given).strip():
        raise ConfigError(
            f"vlrl {command}", "an empty name was given for the config", "name a file or a shipped config"
        )
    if Path(given).is_dir():
        raise ConfigError(str(given), "is a folder, not a config", "name a YAML file")
    file = locate(given, "config", LOOKED_UP_IN.get(command, ("", "rl", "sft")))
    if not file.is_file():
        raise not_there(given, "config")
    refuse_other_kinds(given, read_yaml(file), command)
    return file


def find_recipe(given: str | Path, command: str) -> Path:
    """The file of a recipe that is given by path or name. Raises ConfigError as `find_config` does."""
    if Path(given).is_dir():
        raise ConfigError(str(given), "is a folder, not a recipe", "name a YAML file")
    file = locate(given, "recipe")
    from vlrl.data.recipe import refuse_rows  # imports all that a recipe can name

    refuse_rows(file)
    if not file.is_file():
        raise not_there(given, "recipe")
    refuse_other_kinds(given, read_yaml(file, "recipe"), command)
    return file


def run_folder_of(given: Path) -> Path:
    """A run folder as it was given, or that of a config. Raises ConfigError for a config that leaves no run."""
    if given.is_dir():
        return given
    if not given.suffix and locate(given, "config", LOOKED_UP_IN["report"]) == given:
        return given  # neither a folder nor a config: the reader of the folder says so
    file = find_config(given, "report")
    if kind_of(read_yaml(file)) == "benchmarks":
        from vlrl.training.monitoring.evaluation_settings import EvaluationSettings

        return Path(load_settings(EvaluationSettings, file).folder)
    from vlrl.training.run_settings import RunSettings

    return Path(load_settings(RunSettings, file).folder)


def refuse_other_kinds(file: str | Path, values: Mapping[str, Any], command: str) -> None:
    """Raises ConfigError for settings of a kind that the command doesn't take."""
    kind = kind_of(values)
    if command in TAKEN_BY[kind]:
        return
    others = " or ".join(f"`vlrl {name} {file}`" for name in TAKEN_BY[kind][:2] if name != "report")
    remedy = f"give it to {others}"
    if kind == "recipe":
        remedy += ", or name it as `data:` in the config of a run"
    elif command.startswith("data ") and isinstance(values.get("data"), str):
        remedy = f"its recipe is `vlrl {command} {values['data']}`"
    raise ConfigError(str(file), f"is {IS_A[kind]}, which `vlrl {command}` doesn't take", remedy)

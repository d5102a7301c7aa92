"""Arms as the runs that they become: every one valid, and no two the same."""

from __future__ import annotations

import json
from typing import Any

from vlrl.config import as_arguments, load_settings
from vlrl.errors import ConfigError
from vlrl.experiments.ablation.ablation_settings import AblationSettings
from vlrl.training.run_settings import RunSettings

WARM_UP = ("model", "sft")  # blocks of settings that a warm-up decides
OF_ONE_STAGE = ("sft", "record", "distil", "dpo", "rl")  # blocks that nothing reads but the stage of that name
BESIDE = ("name", "run_folder", "tracker", "threads")  # what changes no figure


def check_arms(settings: AblationSettings) -> None:
    """Every arm is a valid run and differs from the others. Raises ConfigError that names the arms, before any run."""
    rate = settings.sweep.values[0] if settings.sweep else None
    known: dict[str, str] = {}
    for arm, held in settings.arms.items():
        _keeps_what_is_shared(settings, arm)
        try:
            run = load_settings(RunSettings, settings.base, as_arguments(settings.of_run(arm, rate, settings.seeds[0])))
        except ConfigError as error:
            raise ConfigError(f"arm {arm!r}: {error.place}", error.problem, error.remedy) from error
        if lacks := [stage for stage in ("rl", "eval") if stage not in run.stages]:
            raise ConfigError(
                f"arm {arm!r}: stages",
                f"are [{', '.join(run.stages)}], without {' and '.join(lacks)}; arms are compared by what their models "
                "answer after RL",
                "give a config whose stages hold rl and eval",
            )
        other = known.setdefault(json.dumps(_decisive(run), sort_keys=True), arm)
        if other != arm:
            differing = {*as_arguments(held)} ^ {*as_arguments(settings.arms[other])}
            keys = ", ".join(sorted({one.partition("=")[0] for one in differing}))
            raise ConfigError(
                f"arms {other!r} and {arm!r}",
                f"are the same run: {keys} has no effect here" if keys else "are the same run",
                f"what {settings.base} and `overrides` say comes to the same; change it, or leave an arm out",
            )


def _keeps_what_is_shared(settings: AblationSettings, arm: str) -> None:
    for key in settings.arms[arm]:
        if settings.sweep and key == settings.sweep.keys[0]:
            raise ConfigError(
                f"arm {arm!r}: {key}",
                "has no effect: `sweep` chooses it for every arm",
                "leave one of them out, or sweep other `keys`",
            )
        if settings.share == "sft" and key.split(".")[0] in WARM_UP:
            raise ConfigError(
                f"arm {arm!r}: {key}",
                "has no effect: arms go on from one warm-up of the base config (share: sft)",
                "say `share: nothing`, so that every arm is a whole run; or put it into `overrides`, for all arms",
            )


def _decisive(run: RunSettings) -> dict[str, Any]:
    """What decides the figures of a run: without names, and without stages that it doesn't go through."""
    held = run.model_dump(mode="json", exclude={*BESIDE, *(set(OF_ONE_STAGE) - set(run.stages))})
    held.get("rl", {}).pop("preset", None)  # a name; what it stands for is written out beside it
    return held

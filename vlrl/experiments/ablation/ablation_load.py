"""An ablation from its own file, or from a run's config and what `vlrl ablate` is told to vary in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vlrl.config import apply_overrides, build_settings, load_settings, read_yaml
from vlrl.errors import ConfigError
from vlrl.experiments.ablation.ablation_arms import WARM_UP, check_arms
from vlrl.experiments.ablation.ablation_settings import AblationSettings
from vlrl.provenance import needs_of
from vlrl.training.rl.rl_settings import MET_BY, RlSettings
from vlrl.training.run_settings import RunSettings

PARTS = {  # lists of named parts in the settings of RL
    "credit": ("shape", "adjust", "token_credit", "weigh"),
    "problem_sampler": ("weights",),
    "rl": ("auxiliary",),
}
OPTIONS = ("over_sampling", "partial")  # settings of RL that null turns off


def load_ablation(
    config: Path,
    overrides: Sequence[str],
    vary: str | None = None,
    seeds: int | None = None,
    leave_one_out: bool = False,
) -> AblationSettings:
    """An ablation from its YAML, or from a run's config: three rates, n seeds, and one arm for each of

    vary           KEY=A,B,…: the values
    leave_one_out  the whole recipe, and the recipe without each of its parts

    Where the run has a warm-up that the arms don't vary, they share it; else every arm is a whole run, evaluated.

    Raises ConfigError.
    """
    held = read_yaml(config)
    if "arms" in held:
        for option in [*(["--vary"] if vary is not None else []), *(["--leave-one-out"] if leave_one_out else [])]:
            raise ConfigError(option, f"{config} names its arms itself", "leave it out, or give a run's config")
        more = [] if seeds is None else [f"seeds={list(range(1, seeds + 1))}"]
        settings = build_settings(AblationSettings, apply_overrides(held, [*overrides, *more]), str(config))
    else:
        run = load_settings(RunSettings, config, overrides)
        named, said = _without_each(run) if leave_one_out and vary is None else _varied(vary, leave_one_out)
        rate = run.rl.policy.optimizer.lr
        shares = "sft" in run.stages and named.get("share", "sft") == "sft"
        whole = {} if shares or "eval" in run.stages else {"stages": [*run.stages, "eval"]}
        settings = build_settings(
            AblationSettings,
            {
                **named,
                "name": f"{run.name}_{named['name']}",
                "base": str(config),
                "share": "sft" if shares else "nothing",
                "overrides": {**dict(_split(one) for one in overrides), **whole},
                "sweep": {"values": [rate / 3, rate, rate * 3]},
                "seeds": list(range(1, (seeds or 5) + 1)),
            },
            f"{config} {said}",
        )
    check_arms(settings)
    return settings


def _varied(vary: str | None, leave_one_out: bool) -> tuple[dict[str, Any], str]:
    if vary is None or "=" not in vary or leave_one_out:
        raise ConfigError(
            "--vary",
            f"got {vary!r}{' and --leave-one-out' if leave_one_out else ''}",
            "for a run's config say what varies, e.g. --vary loss=kimi,grpo; or say --leave-one-out alone",
        )
    key, _, values = vary.partition("=")
    key = key if key.split(".")[0] in RunSettings.model_fields else f"rl.{key}"
    named = {
        "name": key.rsplit(".", 1)[-1],
        "share": "nothing" if key.split(".")[0] in WARM_UP else "sft",
        "arms": {value: {key: _value(value)} for value in values.split(",")},
    }
    return named, f"--vary {vary}"


def _without_each(run: RunSettings) -> tuple[dict[str, Any], str]:
    """The recipe, and the recipe without each named part of its RL. What then nobody reads goes with the part."""
    arms: dict[str, dict[str, Any]] = {"whole": {}}
    held = run.rl.model_dump(mode="json")
    for block, lists in PARTS.items():
        settings, written = (run.rl, held) if block == "rl" else (getattr(run.rl, block), held[block])
        for name in lists:
            parts, rows = getattr(settings, name), written[name]
            key = f"rl.{name}" if block == "rl" else f"rl.{block}.{name}"
            for i, part in enumerate(parts):
                arm = f"without_{rows[i]['name']}"
                arm = f"{arm}_of_{name}" if arm in arms else arm
                arms[arm] = {key: [*rows[:i], *rows[i + 1 :]], **_unread(run.rl, part)}
    for name in OPTIONS:
        if held[name] is not None:
            arms[f"without_{name}"] = {f"rl.{name}": None}
    if len(arms) == 1:
        raise ConfigError(
            "--leave-one-out",
            f"the RL of {run.name} names no part that could be left out",
            "name parts in rl.credit, rl.problem_sampler.weights or rl.auxiliary, or say --vary",
        )
    return {"name": "leave_one_out", "arms": arms, "reference": "whole"}, "--leave-one-out"


def _unread(rl: RlSettings, part: Any) -> dict[str, None]:
    """Settings of RL that only this part reads."""
    parts = (*rl.credit.parts, *rl.auxiliary, *rl.problem_sampler.parts)
    others = needs_of([rl.loss, *(one for one in parts if one is not part)])
    return {f"rl.{name}": None for name, met in MET_BY.items() if getattr(rl, name) is not None and not met & others}


def _split(override: str) -> tuple[str, Any]:
    key, _, text = override.partition("=")
    return key, _value(text)


def _value(text: str) -> Any:
    return apply_overrides({}, [f"value={text}"])["value"]

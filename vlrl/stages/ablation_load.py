"""An ablation from its own file, or from a run's config and what `vlrl ablate` is told to vary in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vlrl.config import apply_overrides, build_settings, load_settings, read_yaml
from vlrl.errors import ConfigError
from vlrl.stages.ablation_arms import WARM_UP, check_arms
from vlrl.stages.ablation_settings import AblationSettings
from vlrl.stages.settings import RunSettings


def load_ablation(
    config: Path, overrides: Sequence[str], vary: str | None = None, seeds: int | None = None
) -> AblationSettings:
    """An ablation from its YAML, or from a run's config with `vary` KEY=A,B,…: one arm a value, three rates, n seeds.

    Raises ConfigError.
    """
    held = read_yaml(config)
    if "arms" in held:
        if vary is not None:
            raise ConfigError("--vary", f"{config} names its arms itself", "leave --vary out, or give a run's config")
        more = [] if seeds is None else [f"seeds={list(range(1, seeds + 1))}"]
        settings = build_settings(AblationSettings, apply_overrides(held, [*overrides, *more]), str(config))
    else:
        if vary is None or "=" not in vary:
            raise ConfigError(
                "--vary", f"got {vary!r}", "for a run's config say what varies, e.g. --vary loss=kimi,grpo"
            )
        key, _, values = vary.partition("=")
        key = key if key.split(".")[0] in RunSettings.model_fields else f"rl.{key}"
        run = load_settings(RunSettings, config, overrides)
        rate = run.rl.policy.optimizer.lr
        settings = build_settings(
            AblationSettings,
            {
                "name": f"{run.name}_{key.rsplit('.', 1)[-1]}",
                "base": str(config),
                "overrides": dict(_split(one) for one in overrides),
                "share": "nothing" if key.split(".")[0] in WARM_UP else "sft",
                "arms": {value: {key: _value(value)} for value in values.split(",")},
                "sweep": {"values": [rate / 3, rate, rate * 3]},
                "seeds": list(range(1, (seeds or 5) + 1)),
            },
            f"{config} --vary {vary}",
        )
    check_arms(settings)
    return settings


def _split(override: str) -> tuple[str, Any]:
    key, _, text = override.partition("=")
    return key, _value(text)


def _value(text: str) -> Any:
    return apply_overrides({}, [f"value={text}"])["value"]

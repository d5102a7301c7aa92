"""Algorithms by name: `rl: {preset: dapo}` stands for the settings below; what a config says besides goes over them.

Rates, sizes and sampling are the config's own, and so are the numbers of `over_sampling` (DAPO's dynamic sampling). A
component that a config gives under another name replaces the preset's; settings without a name, or under the same one,
are laid over it. The resolved settings of a run hold the name and everything that it stood for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vlrl.errors import ConfigError, did_you_mean

PRESETS: dict[str, dict[str, Any]] = {
    "kimi": {
        "credit": {"advantage": "mean"},
        "loss": {"name": "kimi"},
        "policy": {"reset_optimizer": "each_iteration"},
    },
    "kimi_log_partition": {
        "credit": {"advantage": {"name": "log_partition", "tau": 0.1}},
        "loss": {"name": "kimi", "tau": 0.1},
        "policy": {"reset_optimizer": "each_iteration"},
    },
    "positive_only": {  # k1.5's loss without its negative gradients
        "credit": {"advantage": "mean", "adjust": ["positive_only"]},
        "loss": {"name": "kimi"},
        "policy": {"reset_optimizer": "each_iteration"},
    },
    "rest": {
        "credit": {"advantage": "rest"},
        "loss": {"name": "likelihood"},
        "policy": {"reset_optimizer": "never"},
    },
    "bolt": {
        "credit": {"advantage": {"name": "bolt", "beta": 0.1}},
        "loss": {"name": "likelihood"},
        "policy": {"reset_optimizer": "never"},
    },
    "grpo": {
        "credit": {"advantage": "grpo"},
        "loss": {"name": "grpo", "clip_low": 0.2, "clip_high": 0.2, "aggregate": "sequence"},
        "policy": {"reset_optimizer": "never"},
    },
    "dapo": {
        "credit": {"advantage": "grpo", "shape": [{"name": "overlong", "weight": 1.0}]},
        "loss": {"name": "grpo", "clip_low": 0.2, "clip_high": 0.28, "aggregate": "token"},
        "policy": {"reset_optimizer": "never"},
    },
    "dr_grpo": {
        "credit": {"advantage": "mean"},
        "loss": {"name": "grpo", "clip_low": 0.2, "clip_high": 0.2, "aggregate": "sum"},
        "policy": {"reset_optimizer": "never"},
    },
    "rloo": {
        "credit": {"advantage": "rloo"},
        "loss": {"name": "likelihood"},
        "policy": {"reset_optimizer": "never"},
    },
    "reinforce_plus_plus": {
        "credit": {"advantage": {"name": "reinforce_plus_plus", "baseline": "batch"}},
        "loss": {"name": "grpo", "aggregate": "token"},
        "policy": {"reset_optimizer": "never"},
    },
    "gspo": {
        "credit": {"advantage": "grpo"},
        "loss": {"name": "gspo"},
        "policy": {"reset_optimizer": "never"},
    },
    "cispo": {
        "credit": {"advantage": "grpo"},
        "loss": {"name": "cispo"},
        "policy": {"reset_optimizer": "never"},
    },
    "ctpo": {
        "credit": {"advantage": "grpo"},
        "loss": {"name": "ctpo"},
        "policy": {"reset_optimizer": "never"},
    },
    "lead": {
        "credit": {"advantage": "lead", "shape": [{"name": "lead_length", "weight": 1.0}]},
        "loss": {"name": "grpo", "aggregate": "token"},
        "policy": {"reset_optimizer": "never"},
    },
}
COMPONENTS = (("loss",), ("credit", "advantage"))  # where a name decides what the settings beside it mean


def expand(given: Mapping[str, Any]) -> dict[str, Any]:
    """RL settings with the preset that they name written out under them. Raises ConfigError for an unknown name."""
    name = given.get("preset")
    if name is None:
        return dict(given)
    if name not in PRESETS:
        raise ConfigError("rl.preset", f"unknown preset {name!r}", did_you_mean(str(name), list(PRESETS)))
    return _over(PRESETS[name], given, ())


def _over(below: Mapping[str, Any], above: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        place = (*path, key)
        if place in COMPONENTS:
            merged[key] = _component(merged.get(key), value)
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = _over(merged[key], value, place)
        else:
            merged[key] = value
    return merged


def _component(below: Any, above: Any) -> Any:
    below = {"name": below} if isinstance(below, str) else below
    above = {"name": above} if isinstance(above, str) else above
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return above
    return {**below, **above} if above.get("name", below["name"]) == below["name"] else above

"""Algorithms by name: `rl: {preset: dapo}` stands for the settings below; what a config says besides goes over them.

Rates, sizes and sampling are the config's own, and so are the numbers of `over_sampling` (DAPO's dynamic sampling). A
loss or an advantage that a config gives without a name, or under the same one, is laid over the preset's; under another
name it is refused, since nobody could tell which of the two is meant. The resolved settings of a run hold the name and
everything that it stood for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vlrl.errors import ConfigError, did_you_mean
from vlrl.losses.loss_registry import Loss, losses
from vlrl.rollout.engine import Sampling

BUDGET = "sampling.max_tokens"  # in a preset's loss: the response budget that the config gives
PRESETS: dict[str, dict[str, Any]] = {
    "kimi": {
        "credit": {"advantage": "mean"},
        "loss": {"name": "kimi"},
    },
    "kimi_log_partition": {
        "credit": {"advantage": {"name": "log_partition", "tau": 0.1}},
        "loss": {"name": "kimi", "tau": 0.1},
    },
    "positive_only": {  # k1.5's loss without its negative gradients
        "credit": {"advantage": "mean", "adjust": ["positive_only"]},
        "loss": {"name": "kimi"},
    },
    "rest": {
        "credit": {"advantage": "rest"},
        "loss": {"name": "likelihood"},
    },
    "bolt": {
        "credit": {"advantage": {"name": "bolt", "beta": 0.1}},
        "loss": {"name": "likelihood"},
    },
    "grpo": {
        "credit": {"advantage": "grpo"},
        "loss": {"name": "grpo", "clip_low": 0.2, "clip_high": 0.2, "aggregate": "sequence"},
    },
    "dapo": {
        "credit": {"advantage": "grpo", "shape": [{"name": "overlong", "weight": 1.0}]},
        "over_sampling": {"by": "accuracy"},  # dynamic sampling
        "loss": {"name": "grpo", "clip_low": 0.2, "clip_high": 0.28, "aggregate": "token"},
    },
    "dr_grpo": {
        "credit": {"advantage": "mean"},
        "loss": {"name": "grpo", "clip_low": 0.2, "clip_high": 0.2, "aggregate": "sum", "length": BUDGET},
    },
    "rloo": {
        "credit": {"advantage": "rloo"},
        "loss": {"name": "likelihood"},
    },
    "reinforce_plus_plus": {
        "credit": {"advantage": {"name": "reinforce_plus_plus", "baseline": "batch"}},
        "loss": {"name": "grpo", "aggregate": "token"},
    },
    "gspo": {
        "credit": {"advantage": "grpo"},
        "loss": {"name": "gspo"},
    },
    "cispo": {
        "credit": {"advantage": "grpo"},
        "loss": {"name": "cispo"},
    },
    "ctpo": {
        "credit": {"advantage": "grpo"},
        "loss": {"name": "ctpo"},
    },
    "lead": {
        "credit": {"advantage": "lead", "shape": [{"name": "lead_length", "weight": 1.0}]},
        "loss": {"name": "grpo", "aggregate": "token"},
    },
}
COMPONENTS = (("loss",), ("credit", "advantage"))  # where a name decides what the settings beside it mean


def expand(given: Mapping[str, Any]) -> dict[str, Any]:
    """RL settings with the preset that they name written out under them, and what follows from the loss.

    Raises ConfigError for an unknown name.
    """
    name = given.get("preset")
    if name is None:
        return _with_reset(given)
    given = {key: value for key, value in given.items() if key not in ("loss", "credit") or value is not None}
    if not isinstance(name, str) or name not in PRESETS:
        raise ConfigError("rl.preset", f"unknown preset {name!r}", did_you_mean(str(name), list(PRESETS)))
    return _with_reset(_with_budget(_over(PRESETS[name], given, (), name)))


def _over(below: Mapping[str, Any], above: Mapping[str, Any], path: tuple[str, ...], preset: str) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        place = (*path, key)
        if place in COMPONENTS and key in merged:
            merged[key] = _component(merged[key], value, ".".join(place), preset)
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = _over(merged[key], value, place, preset)
        else:
            merged[key] = value
    return merged


def _with_budget(given: dict[str, Any]) -> dict[str, Any]:
    """The loss with the budget in place of its name; without `length` where the config aggregates otherwise."""
    loss = given["loss"]
    if not isinstance(loss, Mapping) or loss.get("length") != BUDGET:
        return given
    sampling = given.get("sampling", {})
    held = sampling.get("max_tokens") if isinstance(sampling, Mapping) else sampling.max_tokens
    length = {"length": Sampling().max_tokens if held is None else held} if loss["aggregate"] == "sum" else {}
    return {**given, "loss": {**{k: v for k, v in loss.items() if k != "length"}, **length}}


def _with_reset(given: Mapping[str, Any]) -> dict[str, Any]:
    """Where the policy doesn't say it: the optimiser is reset at each iteration where the loss's paper does so."""
    policy, loss = given.get("policy", {}), given.get("loss", "kimi")
    if not isinstance(policy, Mapping) or "reset_optimizer" in policy:
        return dict(given)
    if isinstance(loss, Mapping):
        loss = loss.get("name", "kimi")
    known = losses.get(loss) if loss in losses else type(loss)
    rule = "each_iteration" if issubclass(known, Loss) and known.resets_optimizer else "never"
    return {**given, "policy": {**policy, "reset_optimizer": rule}}


def _component(below: Any, above: Any, place: str, preset: str) -> Any:
    below = {"name": below} if isinstance(below, str) else below
    above = {"name": above} if isinstance(above, str) else above
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return below if above is None else above
    if (named := above.get("name", below["name"])) != below["name"]:
        raise ConfigError(
            f"rl.{place}",
            f"is {named!r}, and rl.preset {preset!r} means {below['name']!r}",
            f"leave one of them out; rl.{place}=null takes the preset's",
        )
    return {**below, **above}

"""What may change between two stretches of one run, as the settings declare it, and what has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from vlrl.config import Effect
from vlrl.errors import RunError

_ABSENT = "(not given)"


@dataclass(frozen=True)
class Change:
    """One setting that has another value than before. `old` or `new` is "(not given)" where one side lacks the key."""

    key: str
    old: Any
    new: Any
    effect: Effect

    def __str__(self) -> str:
        return f"{self.key}: {self.old!r} → {self.new!r}"

    @property
    def stage(self) -> str:
        """The stage whose settings it belongs to, or another block's name."""
        return self.key.partition(".")[0]


def effects(settings: BaseModel, above: Effect | None = None, place: str = "") -> dict[str, Effect]:
    """What every field changes, by dotted key; what is declared of a block holds for all in it."""
    found: dict[str, Effect] = {}
    for name in type(settings).model_fields:
        declared = getattr(settings, "effect_of", lambda _: None)(name)
        found |= _effects_of(getattr(settings, name), above or declared, f"{place}{name}")
    return found


def _effects_of(value: Any, effect: Effect | None, key: str) -> dict[str, Effect]:
    found: dict[str, Effect] = {key: effect or "result"}
    if isinstance(value, BaseModel):
        found |= effects(value, effect, f"{key}.")
    elif isinstance(value, (list, tuple)):
        for index, one in enumerate(value):
            found |= _effects_of(one, effect, f"{key}.{index}")
    return found


def changes(before: Mapping[str, Any], settings: BaseModel) -> list[Change]:
    """Every setting that differs from those of `before` (as run.yaml holds them), in the order of the settings."""
    old, new, by_key = flatten(before), flatten(settings.model_dump(mode="json")), effects(settings)
    keys = [key for key in new | old if new.get(key, _ABSENT) != old.get(key, _ABSENT)]
    return [Change(key, old.get(key, _ABSENT), new.get(key, _ABSENT), _nearest(key, by_key)) for key in keys]


def _nearest(key: str, by_key: Mapping[str, Effect]) -> Effect:
    """The effect of the field that the key lies in; a key that no field has changes the result."""
    while key not in by_key and "." in key:
        key = key.rpartition(".")[0]
    return by_key.get(key, "result")


def flatten(settings: Any, key: str = "") -> dict[str, Any]:
    """Values by dotted key, list items by their number; an empty block is a value."""
    if isinstance(settings, Mapping) and (settings or not key):
        items = {str(name): value for name, value in settings.items()}
    elif isinstance(settings, (list, tuple)) and settings:
        items = {str(index): value for index, value in enumerate(settings)}
    else:
        return {key: settings}
    return {k: v for name, value in items.items() for k, v in flatten(value, f"{key}.{name}" if key else name).items()}


def refuse_other_results(folder: str, found: Sequence[Change]) -> None:
    """Raises RunError that names every change of a setting that the result depends on."""
    if matters := [one for one in found if one.effect == "result"]:
        listed = "".join(f"\n    {one}" for one in matters)
        raise RunError(
            folder,
            f"the folder holds a run with other settings that its result depends on:{listed}",
            "take these back, give another run_folder=…, or --fresh for a new run in this folder",
        )


def described(found: Sequence[Change]) -> list[dict[str, Any]]:
    """Changes as the run card holds them."""
    return [{"setting": one.key, "from": one.old, "to": one.new, "changes": one.effect} for one in found]

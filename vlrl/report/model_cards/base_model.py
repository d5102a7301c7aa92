"""What is known of the model that a run began with: its name on the hub and its licence, from the model's own card.

Nothing is guessed: a name or a licence that no file states is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

README = "README.md"
LICENCE = ("license", "license_name", "license_link")
TAG = "vlrl"  # of a card that this package has written
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_SNAPSHOT = re.compile(r"/models--(?P<owner>[^/]+?)--(?P<name>[^/]+)/snapshots/")
_FRONT = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", flags=re.DOTALL)


@dataclass(frozen=True)
class BaseModel:
    """`name` on the hub, None where it isn't known; `licence` has the keys of LICENCE that its card states."""

    name: str | None = None
    licence: Mapping[str, str] = field(default_factory=dict)


def base_model(card: Mapping[str, Any]) -> BaseModel:
    """The model that a run began with, by its run card.

    A name stands in the settings, in the path of a cached snapshot, or in the card of a model that vlrl has saved.
    """
    path = ((card.get("settings") or {}).get("model") or {}).get("path")
    if not path:
        return BaseModel()
    read = (((card.get("weights") or {}).get("read") or {}).get("model") or {}).get("folder")
    return model_at(str(read or path))


def model_at(path: str) -> BaseModel:
    """The same for a model folder or a hub id."""
    folder = Path(path).expanduser()
    if not folder.is_dir() and is_hub_id(path):
        return BaseModel(path, _licence_of(_cached_card(path)))
    front = front_matter(folder / README)
    if found := _SNAPSHOT.search(f"{folder.absolute().as_posix()}/"):
        return BaseModel(f"{found['owner']}/{found['name']}", _licence_of(front))
    named = front.get("base_model") if TAG in (front.get("tags") or ()) else None
    return BaseModel(named if isinstance(named, str) else None, _licence_of(front))


def is_hub_id(path: str) -> bool:
    """Whether a path reads as `owner/name` and is nothing on this machine."""
    return _HUB_ID.fullmatch(path) is not None and not Path(path).exists() and not Path(path).parent.is_dir()


def front_matter(file: Path) -> dict[str, Any]:
    """The YAML at the head of a card; empty where there is none that can be read."""
    try:
        found = _FRONT.match(file.read_text(encoding="utf-8"))
        held = yaml.safe_load(found[1]) if found else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return held if isinstance(held, dict) else {}


def _cached_card(hub_id: str) -> dict[str, Any]:
    from huggingface_hub import try_to_load_from_cache

    held = try_to_load_from_cache(hub_id, README)
    return front_matter(Path(held)) if isinstance(held, str) else {}


def _licence_of(front: Mapping[str, Any]) -> dict[str, str]:
    return {key: front[key] for key in LICENCE if isinstance(front.get(key), str)}

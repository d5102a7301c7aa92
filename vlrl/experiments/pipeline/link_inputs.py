"""What a link of a chain reads: is it there before the chain starts, and has it changed since the link was finished."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vlrl.config import read_yaml
from vlrl.data.source_settings import is_local
from vlrl.errors import ConfigError
from vlrl.installation.shipped import Kind, locate, not_there
from vlrl.report.model_cards.base_model import README
from vlrl.report.model_cards.card_files import is_ours

SUFFIXES = (".yaml", ".yml", ".json", ".jsonl", ".parquet", ".py")
PATHS = (  # ends of keys of paths
    *("path", "folder", "data", "pairs", "records", "runs", "traces", "first", "second", "long", "short"),
)
ELSEWHERE = ("run_folder", "name")  # keys of what a link leaves


def state_of_files(held: Mapping[str, Any], chain: Path) -> list[str]:
    """One entry for each file that the settings name, in a folder too, and that the files of settings among them name.

    YAML files (recipes, configs) count by their content, others by size and time of change; a model's card that vlrl
    wrote doesn't. What lies in the chain's own folder is left out: the digest of the link that made it speaks for it.
    """
    found: list[str] = []
    seen: set[Path] = set()

    def look(values: Any, folder: Path) -> None:
        for file in sorted({_located(folder / path) for path in _paths(values)}):
            if os.path.exists(file) and file.resolve() not in seen and not _is_of(chain, file):
                seen.add(file.resolve())
                take(file)

    def take(file: Path) -> None:
        if file.is_dir():
            within = (one for one in sorted(file.rglob("*")) if not _hidden(one.relative_to(file)))
            found.extend(_stamp(one) for one in within if one.is_file() and not _is_card(one))
        elif file.suffix in (".yaml", ".yml"):
            found.append(file.read_text(encoding="utf-8"))
            values = read_yaml(file)
            look(values, file.parent if "sources" in values else Path())  # a recipe's paths start at its folder
        else:
            found.append(_stamp(file))

    look(held, Path())
    return found


def _located(path: Path) -> Path:
    """A path among the settings, or the shipped config or recipe of that path."""
    kinds: tuple[Kind, ...] = ("config", "recipe") if path.suffix and not path.exists() else ()
    found = [locate(path, kind) for kind in kinds]
    return next((one for one in found if one != path), path)


def _is_of(chain: Path, file: Path) -> bool:
    """In the chain's folder, or around it: what changes because the chain runs."""
    inner, outer = file.resolve(), chain.resolve()
    return inner.is_relative_to(outer) or outer.is_relative_to(inner)


def _hidden(file: Path) -> bool:
    return any(part.startswith(".") for part in file.parts)


def _is_card(file: Path) -> bool:
    """Whether it says what a run knows of its model, and so changes while the model doesn't."""
    return file.name == README and is_ours(file)


def _stamp(file: Path) -> str:
    held = file.stat()
    return f"{file} {held.st_size} {held.st_mtime_ns}"


def _paths(value: Any, key: str = "") -> Iterator[Path]:
    """Strings among the settings that look like paths."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name not in ELSEWHERE:
                yield from _paths(inner, str(name).rpartition(".")[2])
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _paths(inner, key)
    elif isinstance(value, str) and value and ("/" in value or value.endswith(SUFFIXES) or key.endswith(PATHS)):
        yield Path(os.path.expanduser(value))


def is_made_by(chain: Path, path: str) -> bool:
    """Whether a path lies in the folder of the chain."""
    return Path(path).resolve().is_relative_to(chain.resolve())


def check_data(path: str, chain: Path) -> None:
    """Raises ConfigError for a recipe or problem file that is not there, and that no link of the chain makes."""
    if not is_made_by(chain, path) and not locate(path, "recipe").is_file():
        missing = not_there(path, "recipe")
        raise ConfigError("data", f"no such file: {path}", missing.remedy)


def check_rows(path: str, place: str, chain: Path) -> None:
    """The same of a benchmark's rows, which a folder may hold, or a hub."""
    if not is_made_by(chain, path) and is_local(path) and not Path(path).expanduser().exists():
        raise ConfigError(place, f"no such file: {path}", "check the path")

"""What `vlrl import` writes: a config and its recipe, checked by our settings, with what isn't translated on top."""

from __future__ import annotations

import copy
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from vlrl.commands.importing.assemble import Translated
from vlrl.commands.importing.grammar import Entry
from vlrl.config import build_settings
from vlrl.data.recipe import Recipe
from vlrl.data.source_settings import is_local
from vlrl.errors import ConfigError
from vlrl.runlog.atomic_files import write_atomically
from vlrl.training.run_settings import RunSettings

PATHS = ("path", "validation_path", "test_path")


def check(translated: Translated, config: Path, recipe: Path) -> list[str]:
    """Data files that aren't on this machine. Raises ConfigError for settings that our own classes refuse."""
    build_settings(RunSettings, translated.run, str(config))
    checked, missing = copy.deepcopy(translated.recipe), []
    for source in checked["sources"]:
        for key in PATHS:
            path = source.get(key)
            if path is not None and ("${" in path or (is_local(path) and not _there(path, recipe))):
                source[key] = "elsewhere/data"  # as a hub id, which is looked for when it is read
                missing.append(path)
            elif path is not None and is_local(path):
                source[key] = str(_resolved(path, recipe))
    build_settings(Recipe, checked, str(recipe))
    return list(dict.fromkeys(missing))


def _resolved(path: str, recipe: Path) -> Path:
    return recipe.expanduser().resolve().parent / Path(path).expanduser()


def _there(path: str, recipe: Path) -> bool:
    return _resolved(path, recipe).exists()


def write(translated: Translated, config: Path, recipe: Path) -> None:
    """Write both files. Raises ConfigError where one of them is there already."""
    for file in (config, recipe):
        if file.exists():
            raise ConfigError(
                str(file), "is there already, and is not overwritten", "name another one: --out FILE.yaml"
            )
    config.expanduser().parent.mkdir(parents=True, exist_ok=True)
    write_atomically(recipe, _yaml(translated.recipe))
    write_atomically(config, header(translated) + _yaml(translated.run))


def _yaml(values: dict[str, Any]) -> str:
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=110)


def counts(entries: Sequence[Entry]) -> dict[str, int]:
    """How many keys have each status."""
    found = {"translated": 0, "no difference": 0, "no counterpart": 0, "to decide": 0}
    for entry in entries:
        found[entry.status] += 1
    return found


def header(translated: Translated) -> str:
    """The comment on top of the config: where it comes from, what is missing, what is left to decide."""
    meaning = translated.meaning
    lines = [f"From {Path(meaning.place).name}, settings of {meaning.grammar.title}, by `vlrl import`."]
    for status, title in (("no counterpart", "Without a counterpart:"), ("to decide", "For you to decide:")):
        held = [entry for entry in meaning.entries if entry.status == status]
        if held:
            lines += ["", title, *(f"  {said(entry)}" for entry in held)]
    if meaning.remarks:
        lines += ["", *(remark[0].upper() + remark[1:] + "." for remark in meaning.remarks)]
    commented = [
        wrapped
        for line in lines
        for wrapped in textwrap.wrap(line, 112, subsequent_indent="    ", break_long_words=False) or [""]
    ]
    return "".join(f"# {line}".rstrip() + "\n" for line in commented)


def said(entry: Entry) -> str:
    """One key with its value, marked where it is the trainer's default, and the reason."""
    value = " ".join(str(entry.value).split())
    shown = value if len(value) <= 60 else f"{value[:57]}…"
    default = " (its default)" if entry.default else ""
    return f"{entry.key}{f' = {shown}' if shown else ''}{default}: {entry.note}"

"""A config of another trainer as it was written, from YAML, JSON, a shell script or a Python file: key → value.

Keys of nested YAML and of hydra's overrides are dotted, flags have no dashes in front. What launches a script
(`torchrun --nproc_per_node 8`, `accelerate launch --num_processes 4`) is there under `launcher.`, the keyword arguments
of a Python file under the name of what they are given to (`GRPOConfig.beta`), variables under `environment.`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from vlrl.commands.importing.python_file import keywords_of
from vlrl.commands.importing.shell_script import Command, commands_of
from vlrl.errors import ConfigError

SUFFIXES = (".yaml", ".yml", ".json", ".sh", ".bash", ".py")
BASES = ("config", "--config", "config_file")  # where a command names a file of settings that lie under its own
_OVERRIDE = re.compile(r"([+~]{0,2})([A-Za-z_][\w-]*(?:\.[\w-]+)+|[a-z_]\w*)=(.*)", re.DOTALL)
_FLAG = re.compile(r"--([A-Za-z_][\w.-]*)(?:=(.*))?", re.DOTALL)
_POSITIONALS = ("$@", "$*", "${@}", "${@:2}", "$#")


@dataclass(frozen=True)
class ForeignConfig:
    """What a file says.

    programs  the words of its command that are no settings: `swift`, `rlhf`, `verl.trainer.main_ppo`
    unread    key or command → why it couldn't be read
    """

    place: str
    keys: dict[str, Any] = field(default_factory=dict)
    programs: tuple[str, ...] = ()
    unread: dict[str, str] = field(default_factory=dict)


def read_foreign(path: Path) -> ForeignConfig:
    """The settings in a file. Raises ConfigError where there are none, or where it can't be read."""
    if not path.is_file():
        raise ConfigError(str(path), "no such file", "name the YAML file, shell script or Python file of your settings")
    if path.suffix not in SUFFIXES:
        raise ConfigError(str(path), f"{path.suffix or 'a file without suffix'} is not read", f"one of: {SUFFIXES}")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), f"is not UTF-8 text: {error}", "save it as UTF-8") from error
    if path.suffix in (".sh", ".bash"):
        found = _of_script(path, text)
    elif path.suffix == ".py":
        keys, unread = keywords_of(text, str(path))
        found = ForeignConfig(str(path), keys, (), unread)
    else:
        found = ForeignConfig(str(path), dict(flattened(_loaded(path, text))))
    if not found.keys:
        raise ConfigError(str(path), "holds no settings that could be read", "name the file that starts your training")
    return found


def _loaded(path: Path, text: str) -> Mapping[str, Any]:
    try:
        loaded = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigError(str(path), f"can't be read: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(loaded, dict):
        raise ConfigError(str(path), f"holds {type(loaded).__name__}, not settings", "write `key: value` lines")
    return loaded


def flattened(values: Mapping[Any, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys of nested mappings; lists stay whole."""
    for key, value in values.items():
        place = f"{above}.{key}" if above else str(key)
        if isinstance(value, Mapping) and value:
            yield from flattened(value, place)
        else:
            yield place, value


def _of_script(path: Path, text: str) -> ForeignConfig:
    """The command of a script with the most settings; others that have some are named as unread."""
    try:
        commands = [(command, *_settings_of(command)) for command in commands_of(text)]
    except ValueError as error:
        raise ConfigError(str(path), f"can't be read as a shell script: {error}", "check its quotes") from error
    commands = [one for one in commands if one[1]]
    if not commands:
        return ForeignConfig(str(path))
    chosen = max(commands, key=lambda one: len(one[1]))
    unread = {
        " ".join(command.words[:3]): "another command of the script: it isn't read"
        for command, keys, _ in commands
        if command is not chosen[0] and len(keys) > 2
    }
    command, keys, programs = chosen
    named = next((keys[name] for name in BASES if isinstance(keys.get(name), str)), None)
    below: dict[str, Any] = {}
    if named is not None and named.endswith((".yaml", ".yml", ".json")):
        base = _near(path, named)
        if base is None:
            unread[str(named)] = (
                "isn't here: what it says is not read; put it where the script names it, and import again"
            )
        else:
            below = dict(flattened(_loaded(base, base.read_text(encoding="utf-8"))))
        keys = {key: value for key, value in keys.items() if key not in BASES}
    environment = {f"environment.{name}": value for name, value in command.variables.items() if name.isupper()}
    return ForeignConfig(str(path), {**environment, **below, **keys}, programs, unread)


def _near(script: Path, named: str) -> Path | None:
    """A file that a script names: from the folder that we are in, the script's, or one above it."""
    for folder in (Path(), script.parent, *script.resolve().parents[1:4]):
        if (found := folder / named).is_file():
            return found
    return None


def _settings_of(command: Command) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Settings of a command by key, and the words of its program."""
    words = [word for word in command.words if word not in _POSITIONALS]
    if "--" in words:
        words = words[words.index("--") + 1 :]
    at = _program(words)
    launcher = {f"launcher.{key.lstrip('-')}": value for key, value in _pairs(words[:at]).items()}
    return {**launcher, **_pairs(words[at:])}, tuple(word for word in words[: at + 1] if not word.startswith("-"))


def _program(words: Sequence[str]) -> int:
    """Where the program's own words begin: behind a script, a module, or a subcommand of swift or trl."""
    for place, word in enumerate(words):
        if word.endswith(".py") or (place and words[place - 1] in ("-m", "--module")):
            return place
        if word.rpartition("/")[2] in ("swift", "megatron", "trl") and place + 1 < len(words):
            return place + 1
    return 0


def _pairs(words: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    open_flag: str | None = None
    for word in words:
        if flag := _FLAG.fullmatch(word):
            open_flag = "--config" if flag[1] == "config" else flag[1].replace("-", "_")
            found[open_flag] = True if flag[2] is None else value_of(flag[2])
            if flag[2] is not None:
                open_flag = None
        elif open_flag is not None:
            held, new = found[open_flag], value_of(word.rstrip(",") if len(word) > 1 else word)
            found[open_flag] = new if held is True else [*(held if isinstance(held, list) else [held]), new]
        elif override := _OVERRIDE.fullmatch(word):
            if override[1].startswith("~"):
                found.pop(override[2], None)
            else:
                value = value_of(override[3])
                if isinstance(value, dict) and value:
                    found.update(flattened(value, override[2]))
                else:
                    found[override[2]] = value
    return found


def value_of(text: str) -> Any:
    """A value on a command line, as YAML reads it; numbers as 1e-6, too. What isn't YAML is a text."""
    if re.fullmatch(r"[-+]?\d+(?:\.\d*)?[eE][-+]?\d+", text):
        return float(text)
    if not text or text[0] in "*&!%@`|>" or ": " in text or "\n" in text:
        return text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text

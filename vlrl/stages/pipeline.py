"""`vlrl run` of a chain: curation, runs and whatever follows, each with a config of its own and a folder of its own.

    name: story
    pipeline:
      - {name: curated, does: curate, config: configs/curate/quickstart.yaml}
      - {name: learned, does: run, config: configs/quickstart.yaml, set: {data: "{curated}/recipe.yaml"}}

`{curated}` stands for the folder of an earlier link. A finished link is not repeated unless what it reads has changed:
its settings, the recipe or problem file they name, or an earlier link that it refers to.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from vlrl.config import Settings, apply_overrides, as_arguments, load_settings, read_yaml
from vlrl.curation.settings import CurateSettings
from vlrl.errors import ConfigError, did_you_mean
from vlrl.model.merge import merge_models
from vlrl.runlog import write_atomically
from vlrl.stages.settings import RunSettings
from vlrl.types import content_digest

Does = Literal["run", "curate", "merge"]
_REFERENCE = re.compile(r"\{(\w+)\}")


class Link(Settings):
    """One stage of a chain: the command, its config, and dotted settings that differ from it.

    A merge has no config; it sets `first`, `second` (model folders) and `weight`, and leaves the model in its folder.
    """

    name: str = Field(min_length=1, pattern=r"^\w+$")
    does: Does = "run"
    config: str = Field(default="", description="its config; a merge has none")
    set: dict[str, Any] = Field(default_factory=dict)

    @property
    def refers_to(self) -> list[str]:
        """Names of the earlier links whose folders stand in its settings."""
        return sorted(set(_REFERENCE.findall(json.dumps(self.set))))


class PipelineSettings(Settings):
    """What `vlrl run` reads where a YAML has the key `pipeline`."""

    name: str = Field(min_length=1)
    run_folder: str | None = None
    pipeline: tuple[Link, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _refers_backwards(self) -> PipelineSettings:
        known: list[str] = []
        for link in self.pipeline:
            if link.name in known:
                raise ConfigError(f"pipeline, {link.name!r}", "is the name of two links", "give each its own")
            for name in link.refers_to:
                if name not in known:
                    raise ConfigError(
                        f"pipeline, {link.name!r}", f"{{{name}}} is no earlier link", did_you_mean(name, known)
                    )
            known.append(link.name)
        return self

    @property
    def folder(self) -> Path:
        """The folder that holds a folder for every link."""
        return Path(self.run_folder or f"runs/{self.name}")


def is_pipeline(config: Path) -> bool:
    """Whether a config chains others."""
    return "pipeline" in read_yaml(config)


def run_pipeline(
    config: Path, overrides: Sequence[str], fresh: bool = False, say: Callable[[str], None] = print
) -> Path:
    """Every link in order; returns the folder of the chain. Raises what the links raise; finished ones are kept."""
    return run_links(load_settings(PipelineSettings, config, overrides), fresh, say)


def run_links(settings: PipelineSettings, fresh: bool = False, say: Callable[[str], None] = print) -> Path:
    """As `run_pipeline`, of a chain that is already read."""
    if fresh:
        shutil.rmtree(settings.folder, ignore_errors=True)
    places = {link.name: str(settings.folder / link.name) for link in settings.pipeline}
    for link in settings.pipeline:
        check_link(link, filled(link.set, places))
    ledger = settings.folder / "pipeline.json"
    done: dict[str, str] = json.loads(ledger.read_text(encoding="utf-8")) if ledger.is_file() else {}
    digests: dict[str, str] = {}
    for link in settings.pipeline:
        given = filled(link.set, places)
        digests[link.name] = reads = input_digest(link, given, digests)
        if done.get(link.name) == reads:
            say(f"{link.name}: finished earlier, nothing that it reads has changed")
            continue
        place = Path(places[link.name])
        stale = done.get(f"{link.name} started") not in (None, reads)
        if stale:
            say(f"{link.name}: what it reads has changed, it starts anew")
            shutil.rmtree(place, ignore_errors=True)
        done.pop(link.name, None)
        done[f"{link.name} started"] = reads
        _write(ledger, done)
        say(f"{link.name}: {link.does} {link.config}".rstrip())
        if link.does == "merge":
            shutil.rmtree(place, ignore_errors=True)  # a merge is made anew, never continued
            merge_models(Path(given["first"]), Path(given["second"]), float(given.get("weight", 0.5)), place)
        else:
            COMMANDS[link.does](Path(link.config), [*as_arguments(given), f"run_folder={place}"])
        done[link.name] = reads
        _write(ledger, done)
    return settings.folder


def check_link(link: Link, given: Mapping[str, Any]) -> None:
    """The settings of a link are in order, before anything runs. Raises ConfigError that names the link."""
    if link.does == "merge":
        for key in given.keys() ^ {"first", "second", "weight"}:
            if key != "weight":
                raise ConfigError(f"pipeline, {link.name!r}, {key}", "a merge sets `first`, `second` and `weight`")
        return
    try:
        load_settings(SETTINGS[link.does], link.config, as_arguments(given))
    except ConfigError as error:
        raise ConfigError(f"pipeline, {link.name!r}: {error.place}", error.problem, error.remedy) from error


def input_digest(link: Link, given: Mapping[str, Any], earlier: Mapping[str, str]) -> str:
    """Of everything that a link reads: resolved settings, the links that it refers to, its recipe and the files in it.

    A recipe counts by its content, the files that it names (rows of problems) by size and time of change.
    """
    held = apply_overrides(read_yaml(link.config) if link.config else {}, as_arguments(given))
    refers = {name: earlier[name] for name in link.refers_to}
    parts = [link.does, json.dumps(held, sort_keys=True), json.dumps(refers, sort_keys=True)]
    data = Path(str(held.get("data", "")))
    if data.is_file() and not any(str(data).startswith(str(place)) for place in _made_by_links(link, given)):
        parts += recipe_contents(data)
    return content_digest(*parts)


def recipe_contents(data: Path) -> list[str]:
    """What a recipe or problem file holds: its text, and of every file that a recipe names size and time of change."""
    held = [data.read_text(encoding="utf-8")]
    if data.suffix in (".yaml", ".yml"):
        held += [f"{file} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in _files_of(data)]
    return held


def _made_by_links(link: Link, given: Mapping[str, Any]) -> list[str]:
    """Settings that stand in an earlier link's folder: that link's own digest speaks for them."""
    return [str(given[key]) for key, value in link.set.items() if isinstance(value, str) and _REFERENCE.search(value)]


def _files_of(recipe: Path) -> list[Path]:
    """Files that a recipe names, relative to its folder."""

    def strings(value: Any) -> list[str]:
        if isinstance(value, dict | list):
            return [s for held in (value.values() if isinstance(value, dict) else value) for s in strings(held)]
        return [value] if isinstance(value, str) else []

    named = [recipe.parent / text for text in strings(read_yaml(recipe)) if text and len(text) < 1000]
    return sorted({file for file in named if file.is_file()})


def filled(value: Any, places: Mapping[str, str]) -> Any:
    """Settings with every `{name}` that has a place replaced by it; others stay."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: places.get(match[1], match[0]), value)
    if isinstance(value, dict):
        return {key: filled(held, places) for key, held in value.items()}
    return [filled(held, places) for held in value] if isinstance(value, list) else value


def _write(ledger: Path, done: Mapping[str, str]) -> None:
    ledger.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(ledger, json.dumps(done, indent=1) + "\n")


def _run(config: Path, overrides: Sequence[str]) -> None:
    from vlrl.stages.run import start_run

    start_run(config, overrides)


def _curate(config: Path, overrides: Sequence[str]) -> None:
    from vlrl.stages.curate import start_curation

    start_curation(config, list(overrides))


SETTINGS: dict[str, type[Settings]] = {"run": RunSettings, "curate": CurateSettings}
COMMANDS: dict[str, Callable[[Path, Sequence[str]], None]] = {"run": _run, "curate": _curate}

"""`vlrl run` of a chain: curation, runs and whatever follows, each with a config of its own and a folder of its own.

    name: story
    pipeline:
      - {name: curated, does: curate, config: configs/curate/quickstart.yaml}
      - {name: learned, does: run, config: configs/quickstart.yaml, set: {data: "{curated}/recipe.yaml"}}

`{curated}` stands for the folder of an earlier link. A finished link is not repeated unless what it reads has changed:
its settings, a file or folder that they name, or an earlier link that it refers to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from vlrl.commands.models.merging import merge_with_card
from vlrl.config import FolderName, FolderPath, Settings, apply_overrides, as_arguments, load_settings, read_yaml
from vlrl.errors import ConfigError, DataError, did_you_mean
from vlrl.experiments.pipeline.link_commands import COMMANDS, Does, check_link_inputs, check_model, load_link
from vlrl.experiments.pipeline.link_inputs import state_of_files
from vlrl.runlog.run_folder import write_atomically
from vlrl.training.lifecycle.completeness import is_in_order
from vlrl.training.lifecycle.run_claim import claimed
from vlrl.types import content_digest

LEDGER, _STARTED = "pipeline.json", " started"
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

    name: FolderName
    run_folder: FolderPath | None = None
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
                        f"pipeline, {link.name!r}",
                        f"{{{name}}} is no earlier link",
                        did_you_mean(name, known)
                        if known
                        else "the first link can name none; put the others before it",
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
    with claimed(settings.folder, "chain", fresh, say, links_in, has_finished_link) as claim:
        _run_links(settings, say)
        claim.finish()
    return settings.folder


def _run_links(settings: PipelineSettings, say: Callable[[str], None]) -> None:
    places = {link.name: str(settings.folder / link.name) for link in settings.pipeline}
    for link in settings.pipeline:
        check_link(link, filled(link.set, places), settings.folder)
    ledger = settings.folder / LEDGER
    done = _read(ledger, say)
    digests: dict[str, str] = {}
    for link in settings.pipeline:
        given = filled(link.set, places)
        digests[link.name] = reads = input_digest(link, given, digests, settings.folder)
        place = Path(places[link.name])
        if done.get(link.name) == reads and is_in_order(place):
            say(f"{link.name}: finished earlier, nothing that it reads has changed")
            continue
        stale = done.get(link.name + _STARTED) not in (None, reads)
        if stale:
            say(f"{link.name}: what it reads has changed, it starts again")
        done.pop(link.name, None)
        done[link.name + _STARTED] = reads
        _write(ledger, done)
        say(f"{link.name}: {link.does} {link.config}".rstrip())
        if link.does == "merge":  # made again, never continued; the old one stands until the new one is whole
            sides = Path(given["first"]), Path(given["second"])
            merge_with_card(*sides, float(given.get("weight", 0.5)), place, replace=True)
        else:
            COMMANDS[link.does](Path(link.config), [*as_arguments(given), f"run_folder={place}"], stale)
        done[link.name] = reads
        _write(ledger, done)


def check_link(link: Link, given: Mapping[str, Any], chain: Path | None = None) -> None:
    """The settings of a link are in order, before anything runs. Raises ConfigError or DataError that names the link.

    With the folder of its chain: what it reads from elsewhere is there, too.
    """
    try:
        if link.does == "merge":
            for key in given.keys() ^ {"first", "second", "weight"}:
                if key != "weight":
                    raise ConfigError(key, "a merge sets `first`, `second` and `weight`")
            for key in ("first", "second"):
                if chain is not None:
                    check_model(given[key], key, chain)
            return
        place = [] if chain is None else [f"run_folder={chain / link.name}"]
        settings = load_link(link.does, Path(link.config), [*as_arguments(given), *place])
        if chain is not None:
            check_link_inputs(settings, chain)
    except (ConfigError, DataError) as error:
        raise type(error)(f"pipeline, {link.name!r}: {error.place}", error.problem, error.remedy) from error


def input_digest(link: Link, given: Mapping[str, Any], earlier: Mapping[str, str], chain: Path) -> str:
    """Of everything that a link reads: resolved settings, the links that it refers to, the files that settings name."""
    held = apply_overrides(read_yaml(link.config) if link.config else {}, as_arguments(given))
    refers = {name: earlier[name] for name in link.refers_to}
    parts = [link.does, json.dumps(held, sort_keys=True), json.dumps(refers, sort_keys=True)]
    return content_digest(*parts, *state_of_files(held, chain))


def filled(value: Any, places: Mapping[str, str]) -> Any:
    """Settings with every `{name}` that has a place replaced by it; others stay."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: places.get(match[1], match[0]), value)
    if isinstance(value, dict):
        return {key: filled(held, places) for key, held in value.items()}
    return [filled(held, places) for held in value] if isinstance(value, list) else value


def links_in(folder: Path) -> set[str]:
    """Names of the links that a chain has begun; none where its ledger is missing or damaged."""
    return {name.removesuffix(_STARTED) for name in _read(folder / LEDGER, lambda text: None)}


def has_finished_link(folder: Path) -> bool:
    """Whether a chain has a link that is finished."""
    return any(not name.endswith(_STARTED) for name in _read(folder / LEDGER, lambda text: None))


def _read(ledger: Path, say: Callable[[str], None]) -> dict[str, str]:
    """What each link had read when it was finished. Without it every link is called again and finds itself finished."""
    if not ledger.is_file():
        return {}
    try:
        held = json.loads(ledger.read_bytes())
        if isinstance(held, dict) and all(isinstance(value, str) for value in held.values()):
            return held
        reason = "it is no ledger of a chain"
    except ValueError as error:
        reason = str(error)
    say(f"{ledger} is damaged ({reason}): every link is called again, and goes on from what it has")
    return {}


def _write(ledger: Path, done: Mapping[str, str]) -> None:
    ledger.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(ledger, json.dumps(done, indent=1) + "\n")

"""Recipes: one YAML is one data mixture: sources, their weights and the image budget. No code but named plugins.

    sources:
      - {name: sums, kind: domain, domain: {name: arithmetic, operations: "+-"}, weight: 0.5, difficulty: [0.0, 1.0]}
      - {name: sums_rendered, kind: rendered, of: sums, style: {name: cells, cell: 16, size: 48}, weight: 0.5}

Everything that can be wrong with a recipe (names, settings, weights, missing files) is found when it is loaded,
before a model is. Relative paths in a recipe file start at the folder of that file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic import Field, SerializeAsAny, field_validator, model_validator

from vlrl.config import Settings, apply_overrides, build_settings, read_yaml
from vlrl.data.evaluation_sets import refused
from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.source_settings import (
    RUNNING,
    FileSourceSettings,
    RenderedSourceSettings,
    SourceSettings,
    VideoFrames,
    inside,
    is_local,
    modality_of,
    named_verifiers,
    source_settings,
)
from vlrl.data.source_weights import mean_weight, shares_of, turning_points, weight_at
from vlrl.errors import ConfigError, did_you_mean
from vlrl.installation.shipped import locate
from vlrl.registry import PluginFiles


class Recipe(Settings):
    """A data mixture. `plugins` are Python files whose domains, styles and verifiers the sources may name."""

    plugins: PluginFiles = ()
    sources: tuple[SerializeAsAny[SourceSettings], ...]
    image: ImageBudget = ImageBudget()
    caps: dict[str, float] = Field(
        default_factory=dict, description="tag: largest share of the training problems that may carry it, in (0, 1)"
    )

    @field_validator("caps")
    @classmethod
    def _shares_of_problems(cls, caps: dict[str, float]) -> dict[str, float]:
        for tag, cap in caps.items():
            if not 0.0 < cap < 1.0:
                raise ValueError(f"the cap of tag {tag!r} is {cap}; it is a share above 0 and below 1")
        return caps

    @field_validator("sources", mode="before")
    @classmethod
    def _by_kind(cls, values: Any) -> Any:
        if values is None:
            return ()
        if not isinstance(values, list | tuple):
            raise ValueError("sources is a list: `- {name: …, kind: domain|rendered|file, weight: …}`")
        return tuple(source_settings(value, index) for index, value in enumerate(values))

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if not self.sources:
            raise ConfigError("sources", "the recipe is empty", "add at least one source")
        by_name: dict[str, SourceSettings] = {}
        for source in self.sources:
            if source.name in by_name:
                raise ConfigError("sources", f"two sources are named {source.name!r}", "give each its own name")
            by_name[source.name] = source
        for source in self.sources:
            if isinstance(source, RenderedSourceSettings):
                self._check_rendered(source, by_name)
            if isinstance(source, FileSourceSettings) and source.columns.video is not None:
                self._check_video(source)
            if not self.shares[source.name]:
                raise ConfigError(
                    f"source {source.name!r}, weight",
                    f"{source.weight} is less than a millionth of all weights: it would never give a problem",
                    "raise it, or leave the source out",
                )
        for tag, cap in self.caps.items():
            self._check_cap(tag, cap)
        return self

    def _check_video(self, source: FileSourceSettings) -> None:
        """A frame below the recipe's least pixels would be enlarged, and the video leave its budget."""
        video = source.video or VideoFrames()
        each = video.max_pixels // video.frames
        if each < self.image.min_pixels:
            raise ConfigError(
                f"source {source.name!r}, video.max_pixels",
                f"{video.max_pixels} for {video.frames} frames is {each} pixels a frame, below image.min_pixels "
                f"{self.image.min_pixels}",
                "raise it, take fewer frames, or lower image.min_pixels",
            )

    def _check_cap(self, tag: str, cap: float) -> None:
        """A source whose own tag is capped gives nothing else, so its share must lie under the cap throughout."""
        tagged = [source.name for source in self.sources if tag in source.tags]
        for progress in turning_points([source.weight for source in self.sources]):
            share = sum(self.shares_at(progress)[name] for name in tagged)
            if share > Fraction(str(cap)):
                raise ConfigError(
                    f"caps, {tag}",
                    f"is {cap}, but the sources {tagged} all carry the tag and give {float(share):.3f} of the problems"
                    + (f" at progress {float(progress):g}" if progress else ""),
                    "raise the cap, or lower the weights of these sources",
                )

    def _check_rendered(self, source: RenderedSourceSettings, by_name: dict[str, SourceSettings]) -> None:
        place = f"source {source.name!r}, of"
        if source.of not in by_name:
            texts = [name for name, other in by_name.items() if modality_of(other) == "text"]
            raise ConfigError(place, f"no source is named {source.of!r}", did_you_mean(source.of, texts))
        if modality_of(by_name[source.of]) != "text":
            raise ConfigError(
                place,
                f"{source.of!r} is a source of modality {modality_of(by_name[source.of])!r}",
                "only text problems can be rendered; name a text source",
            )

    @property
    def shares(self) -> dict[str, Fraction]:
        """The exact share of every source by name, on average over training; they add up to 1."""
        return shares_of({source.name: mean_weight(source.weight) for source in self.sources})

    @property
    def forced_evaluation_sets(self) -> tuple[str, ...]:
        """The names of evaluation sets that are trained on because their sources say `force: true`."""
        return tuple(
            s.name for s in self.sources if isinstance(s, FileSourceSettings) and s.is_evaluation_set and s.force
        )

    @property
    def runs_programs(self) -> bool:
        """Whether a source names the verifier that runs programs of models."""
        return bool(RUNNING & self.verifiers)

    @property
    def verifiers(self) -> frozenset[str]:
        """Verifiers that its sources are known to name."""
        return frozenset(name for source in self.sources for name in named_verifiers(source))

    def refuse_evaluation_sets(self) -> None:
        """Raises ConfigError for the first source that must not be trained on."""
        for source in self.sources:
            if isinstance(source, FileSourceSettings) and source.is_evaluation_set and not source.force:
                raise refused(source.name)

    def shares_at(self, progress: Fraction) -> dict[str, Fraction]:
        """The exact share of every source by name at a point of training, progress in [0, 1]; they add up to 1."""
        return shares_of({source.name: weight_at(source.weight, progress) for source in self.sources})


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of a YAML file, checked. Overrides name sources: `sources.sums.weight=0.5`, `image.max_pixels=2304`.

    What is no file may be the name of a shipped recipe. Raises ConfigError with place, value and remedy.
    """
    path = locate(path, "recipe")
    refuse_rows(path)
    values = read_yaml(path, "recipe")
    if overrides:
        values = _override(values, overrides)
    _resolve_paths(values, Path(path).expanduser().resolve().parent)
    try:
        return build_settings(Recipe, values, str(path))
    except ConfigError as error:
        raise inside(str(path), error) from error


def refuse_rows(path: str | Path) -> None:
    """Raises ConfigError for a table of rows where a recipe is wanted."""
    if Path(path).suffix.lower() in FileSourceSettings.FILE_SUFFIXES and Path(path).suffix != ".json":
        remedy = f"`vlrl init my_project --data {path}` writes one; by hand it is the `path:` of a source of kind file"
        raise ConfigError(str(path), "is a table of rows, not a recipe", remedy)


def _override(values: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Overrides reach into the list of sources by name; a name that isn't there adds a source at the end."""
    listed = values.get("sources")
    sources = listed if isinstance(listed, list) else []
    names = [str(source["name"]) for source in sources if isinstance(source, dict) and "name" in source]
    if not names or len(set(names)) != len(sources):  # the recipe is wrong: let the check of the whole say how
        return apply_overrides(values, overrides)
    named = [_by_name(override, names) for override in overrides]
    values = apply_overrides({**values, "sources": dict(zip(names, sources, strict=True))}, named)
    changed = values["sources"]
    if isinstance(changed, dict):
        order = names + [name for name in changed if name not in names]  # overriding sorts the keys
        values["sources"] = [
            {"name": name, **changed[name]} if isinstance(changed[name], dict) else changed[name] for name in order
        ]
    return values


def _by_name(override: str, names: Sequence[str]) -> str:
    """`sources.0.weight=2` or `sources[0].weight=2` with the name of the source in place of its number."""
    match = re.match(r"sources(?:\.(\d+)|\[(\d+)\])(?=[.=\[])", override)
    number = None if match is None else int(match[1] or match[2])
    if match is None or number is None or number >= len(names) or str(number) in names:
        return override
    return f"sources.{names[number]}{override[match.end() :]}"


def _resolve_paths(values: dict[str, Any], folder: Path) -> None:
    """Relative paths start at the recipe's folder. A hub id (no suffix, nothing there) is left alone."""

    def resolve(path: Any, must_be_file: bool = False) -> Any:
        if not isinstance(path, str) or not path:
            return path
        expanded = Path(path).expanduser()
        there = folder / expanded
        return str(there) if must_be_file or there.exists() or is_local(path) else path

    if isinstance(values.get("plugins"), list):
        values["plugins"] = [resolve(plugin, must_be_file=True) for plugin in values["plugins"]]
    for source in values["sources"] if isinstance(values.get("sources"), list) else ():
        if isinstance(source, dict):
            for key in ("path", "validation_path", "test_path", "image_folder"):
                if key in source:
                    source[key] = resolve(source[key])

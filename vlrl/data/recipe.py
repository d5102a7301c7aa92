"""Recipes: one YAML is one data mixture: sources, their weights and the picture budget. No code but named plugins.

    sources:
      - {name: sums, kind: domain, domain: {name: arithmetic, operations: "+-"}, weight: 0.5, difficulty: [0.0, 1.0]}
      - {name: sums_rendered, kind: rendered, of: sums, style: {name: cells, cell: 16, size: 48}, weight: 0.5}

Everything that can be wrong with a recipe (names, settings, weights, missing files) is found when it is loaded,
before a model is. Relative paths in a recipe file start at the folder of that file.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, SerializeAsAny, field_validator, model_validator

import vlrl.scenes
import vlrl.verify  # noqa: F401  (importing it files the verifiers that recipes name)
from vlrl.config import Settings, apply_overrides, build_settings, read_yaml
from vlrl.data.evaluation_sets import is_evaluation_set, refused
from vlrl.data.layouts import BENCHMARK_LAYOUTS, LAYOUTS
from vlrl.data.weights import check_weight, mean_weight, shares_of, turning_points, weight_at
from vlrl.errors import ConfigError, did_you_mean
from vlrl.registry import component_field, load_plugin
from vlrl.rendered_text.distortion import Distortion
from vlrl.rendered_text.parts import Part
from vlrl.rendered_text.styles import styles
from vlrl.scenes.domain import domains
from vlrl.types import Modality
from vlrl.verify.judge import verifiers


class ImageBudget(Settings):
    """Every picture is resized, aspect kept, until its pixel count lies between the two."""

    min_pixels: int = Field(default=784, ge=1, description="pixels a picture has at least, e.g. 784 = 28×28")
    max_pixels: int = Field(default=1_003_520, ge=1, description="pixels a picture has at most, e.g. 1280·28·28")

    @model_validator(mode="after")
    def _ordered(self) -> ImageBudget:
        if self.min_pixels > self.max_pixels:
            raise ConfigError(
                "image",
                f"min_pixels {self.min_pixels} is larger than max_pixels {self.max_pixels}",
                "exchange the two or give the same number twice for pictures of one size",
            )
        return self


class SourceSettings(Settings):
    """What all kinds of sources share. `weight` is relative: the shares of all sources add up to one.

    A weight that changes over training is a list of points `[progress, weight]`, progress in [0, 1] of the RL steps,
    straight lines between them: `[[0, 1], [0.5, 1], [1, 0.2]]`.
    """

    name: str = Field(min_length=1, description="a name of your choice, unique in the recipe")
    kind: str
    weight: float | tuple[tuple[float, float], ...] = Field(
        default=1.0,
        description="a number above 0, or points [progress, weight]; leave a source out instead of weight 0",
    )
    tags: tuple[str, ...] = ()

    @field_validator("weight")
    @classmethod
    def _positive(cls, weight: float | tuple[tuple[float, float], ...]) -> float | tuple[tuple[float, float], ...]:
        check_weight(weight)
        return weight


class DomainSourceSettings(SourceSettings):
    """Endless problems of a generated domain; `difficulty` is drawn uniformly between its two ends for every item."""

    kind: Literal["domain"] = "domain"
    domain: component_field(domains)  # type: ignore[valid-type]
    difficulty: tuple[float, float] = Field(default=(0.0, 1.0), description="[low, high] in [0, 1], or one number")

    @field_validator("difficulty", mode="before")
    @classmethod
    def _one_number(cls, value: Any) -> Any:
        return (value, value) if isinstance(value, int | float) else value

    @field_validator("difficulty")
    @classmethod
    def _in_range(cls, value: tuple[float, float]) -> tuple[float, float]:
        low, high = value
        if not 0.0 <= low <= high <= 1.0:
            raise ValueError("difficulty is [low, high] with 0 <= low <= high <= 1")
        return value

    @model_validator(mode="after")
    def _judged(self) -> DomainSourceSettings:
        if self.domain.verifier == self.domain.name and hasattr(self.domain, "verify"):
            verifiers.register(self.domain.name)(self.domain.verify)
        check_verifier(self.domain.verifier, f"source {self.name!r}, verifier of domain {self.domain.name!r}")
        return self


class RenderedSourceSettings(SourceSettings):
    """The text problems of the source `of`, drawn as pictures; answers, verifiers and facts stay the same."""

    kind: Literal["rendered"] = "rendered"
    of: str = Field(description="the name of a text source of this recipe")
    style: component_field(styles) = Field(default="plain", validate_default=True)  # type: ignore[valid-type]
    distortion: Distortion | None = Field(default=None, description="photo-like distortion, off by default")
    part: Part = Field(default="all", description="all, or what is drawn while the rest is typed")
    instruction: str = Field(default="", description="text typed after the picture, e.g. 'Answer the question shown.'")


class Columns(Settings):
    """Which column of a row holds what; a column that is named must be in every row (it may be null where optional).
    `thought` or `response` make demonstrations possible."""

    question: str = "question"
    answer: str = "answer"
    images: str | None = Field(default=None, description="default: the column `images` where there is one; '' for none")
    choices: str | None = Field(
        default=None, description="default: the column `choices` where there is one; '' for none"
    )
    verifier: str | None = Field(default=None, description="a column that names the verifier of each row")
    group: str | None = Field(default=None, description="rows with the same value here are held out together")
    thought: str | None = Field(default=None, description="a column with a chain of thought for demonstrations")
    response: str | None = Field(default=None, description="a column with a whole response for demonstrations")
    facts: dict[str, str] = Field(default_factory=dict, description="fact: column, e.g. {precision: precision}")


class VerifierByColumn(Settings):
    """The verifier depends on a column: `{column: answer_type, values: {integer: number}, otherwise: text}`."""

    column: str
    values: dict[str, str]
    otherwise: str | None = Field(default=None, description="verifier of all other values; without it they are errors")


class FileSourceSettings(SourceSettings):
    """Rows of a JSONL or parquet file, a `datasets` folder or a hub id.

    `held_out` is the share of the rows kept for validation and, again, for test; rows with the same first picture (or,
    without pictures, the same question; or with one value in `columns.group`) fall on one side. `validation_path` and
    `test_path` name separate files instead.
    """

    kind: Literal["file"] = "file"
    path: str = Field(description="a .jsonl or .parquet file, a folder saved by `datasets`, or a hub id")
    split: str = Field(default="train", description="the split to read where the path has several")
    subset: str = Field(default="", description="the configuration of a hub data set that has several, e.g. main")
    layout: str | None = Field(default=None, description=f"rows as others write them: {', '.join(LAYOUTS)}")
    image_folder: str | None = Field(default=None, description="where picture paths start; default: the file's folder")
    streaming: bool = Field(default=False, description="read rows one after another, for tables larger than the disk")
    shuffle_buffer: int = Field(default=1000, ge=1, description="rows among which a stream is mixed; 1 keeps the order")
    modality: Modality
    columns: Columns = Columns()
    verifier: str | VerifierByColumn | None = Field(default=None, description="a name, or {column: …, values: {…}}")
    facts: dict[str, Any] = Field(default_factory=dict, description="facts that are the same in every row")
    domain: str = Field(default="", description="the domain name in reports; the source's name if not given")
    held_out: float = Field(default=0.1, ge=0.0, le=0.4, description="share of rows for validation, and again for test")
    validation_path: str | None = None
    test_path: str | None = None
    on_bad_image: Literal["error", "skip"] = Field(default="error", description="error, or skip: left out and counted")
    evaluation_only: bool = Field(default=False, description="never trained on; always so for well-known benchmarks")
    force: bool = Field(default=False, description="train on an evaluation set all the same; the run card says so")

    FILE_SUFFIXES: ClassVar[tuple[str, ...]] = (".jsonl", ".json", ".parquet")

    @model_validator(mode="after")
    def _usable(self) -> FileSourceSettings:
        for key in ("path", "validation_path", "test_path"):
            value = getattr(self, key)
            if value is not None and is_local(value) and not Path(value).expanduser().exists():
                raise ConfigError(f"source {self.name!r}, {key}", f"no such file: {value}", "check the path")
        if self.layout is not None and self.layout not in LAYOUTS:
            raise ConfigError(
                f"source {self.name!r}, layout", f"unknown layout {self.layout!r}", did_you_mean(self.layout, LAYOUTS)
            )
        judges = self.layout in BENCHMARK_LAYOUTS
        if self.verifier is None and self.columns.verifier is None and not judges:
            raise ConfigError(
                f"source {self.name!r}, verifier", "is missing", f"name one of: {', '.join(verifiers.names())}"
            )
        if isinstance(self.verifier, str):
            named = [self.verifier]
        elif self.verifier is not None:
            named = [*self.verifier.values.values(), *filter(None, [self.verifier.otherwise])]
        else:
            named = []
        for name in named:
            check_verifier(name, f"source {self.name!r}, verifier")
        return self

    @property
    def is_evaluation_set(self) -> bool:
        """Whether the source is one to evaluate on: said so, or a well-known benchmark by layout or path."""
        return self.evaluation_only or is_evaluation_set(self.path, self.layout)


def is_local(path: str) -> bool:
    """Whether a `path` must be a file or folder here, rather than the id of a data set on a hub."""
    given = Path(path).expanduser()
    return given.exists() or given.suffix in FileSourceSettings.FILE_SUFFIXES or path.startswith(("/", ".", "~"))


def check_verifier(name: str, place: str) -> None:
    """Raises ConfigError with a suggestion if no verifier has this name."""
    if name not in verifiers:
        raise ConfigError(place, f"unknown verifier {name!r}", did_you_mean(name, verifiers))


KINDS: dict[str, type[SourceSettings]] = {
    "domain": DomainSourceSettings,
    "rendered": RenderedSourceSettings,
    "file": FileSourceSettings,
}


class Recipe(Settings):
    """A data mixture. `plugins` are Python files whose domains, styles and verifiers the sources may name."""

    plugins: tuple[str, ...] = ()
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

    @field_validator("plugins")
    @classmethod
    def _load_plugins(cls, plugins: tuple[str, ...]) -> tuple[str, ...]:
        for plugin in plugins:  # before the sources, which may name what a plugin registers
            load_plugin(plugin)
        return plugins

    @field_validator("sources", mode="before")
    @classmethod
    def _by_kind(cls, given: Any) -> Any:
        if given is None:
            return ()
        if not isinstance(given, list | tuple):
            raise ValueError("sources is a list: `- {name: …, kind: domain|rendered|file, weight: …}`")
        return tuple(_source_settings(value, index) for index, value in enumerate(given))

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
        for tag, cap in self.caps.items():
            self._check_cap(tag, cap)
        return self

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
            texts = [name for name, held in by_name.items() if modality_of(held) == "text"]
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

    def refuse_evaluation_sets(self) -> None:
        """Raises ConfigError for the first source that must not be trained on."""
        for source in self.sources:
            if isinstance(source, FileSourceSettings) and source.is_evaluation_set and not source.force:
                raise refused(source.name)

    def shares_at(self, progress: Fraction) -> dict[str, Fraction]:
        """The exact share of every source by name at a point of training, progress in [0, 1]; they add up to 1."""
        return shares_of({source.name: weight_at(source.weight, progress) for source in self.sources})


def modality_of(source: SourceSettings) -> Modality:
    """The modality of the problems that a source gives."""
    if isinstance(source, DomainSourceSettings):
        modality: Modality = source.domain.modality
        return modality
    if isinstance(source, FileSourceSettings):
        return source.modality
    return "rendered"


def _source_settings(value: Any, index: int) -> SourceSettings:
    if isinstance(value, SourceSettings):
        return value
    place = f"sources[{index}]"
    if not isinstance(value, dict):
        raise ConfigError(place, f"is {value!r}, not settings", "write {name: …, kind: domain|rendered|file}")
    if "name" in value:
        place += f" {value['name']!r}"
    if "kind" not in value:
        raise ConfigError(f"{place}, kind", "is missing", f"one of: {', '.join(KINDS)}")
    model = KINDS.get(str(value["kind"]))
    if model is None:
        raise ConfigError(f"{place}, kind", f"unknown kind {value['kind']!r}", did_you_mean(str(value["kind"]), KINDS))
    try:
        return build_settings(model, value, place)
    except ConfigError as error:
        raise _inside(place, error) from error


def _inside(place: str, error: ConfigError) -> ConfigError:
    """The same error with the outer place in front, unless it is there already."""
    if error.place.startswith(place):
        return error
    return ConfigError(f"{place}, {error.place}", error.problem, error.remedy)


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of a YAML file, checked. Overrides name sources: `sources.sums.weight=0.5`, `image.max_pixels=2304`.

    Raises ConfigError with place, value and remedy.
    """
    values = read_yaml(path)
    if overrides:
        values = _override(values, overrides)
    _resolve_paths(values, Path(path).expanduser().resolve().parent)
    try:
        return build_settings(Recipe, values, str(path))
    except ConfigError as error:
        raise _inside(str(path), error) from error


def _override(values: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Overrides reach into the list of sources by name; a name that isn't there adds a source at the end."""
    given = values.get("sources")
    sources = given if isinstance(given, list) else []
    names = [str(source["name"]) for source in sources if isinstance(source, dict) and "name" in source]
    if not names or len(set(names)) != len(sources):  # the recipe is wrong: let the check of the whole say how
        return apply_overrides(values, overrides)
    values = apply_overrides({**values, "sources": dict(zip(names, sources, strict=True))}, overrides)
    changed = values["sources"]
    if isinstance(changed, dict):
        order = names + [name for name in changed if name not in names]  # overriding sorts the keys
        values["sources"] = [
            {"name": name, **changed[name]} if isinstance(changed[name], dict) else changed[name] for name in order
        ]
    return values


def _resolve_paths(values: dict[str, Any], folder: Path) -> None:
    """Relative paths start at the recipe's folder. A hub id (no suffix, nothing there) is left alone."""

    def resolve(path: Any, must_be_file: bool = False) -> Any:
        if not isinstance(path, str):
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

"""What a recipe says of one source, by kind: a generated domain, a file of rows, or text problems drawn as images."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

import vlrl.scenes
import vlrl.verify  # noqa: F401  (importing it files the verifiers that recipes name)
from vlrl.config import FolderPath, Settings, build_settings
from vlrl.data.benchmarks.benchmark_definition import benchmarks
from vlrl.data.evaluation_sets import is_evaluation_set
from vlrl.data.images.video_frames import require_video
from vlrl.data.rows.code_rows import CODE_LAYOUTS
from vlrl.data.rows.layouts import known_layouts
from vlrl.data.rows.prompt_template import QUESTION, Asking, check_prompt_template
from vlrl.data.source_weights import check_weight
from vlrl.data.tables.file_text import COMPRESSED, TEXT_TABLES
from vlrl.data.tables.splits_of_path import check_split
from vlrl.errors import ConfigError, did_you_mean
from vlrl.registry import component_field
from vlrl.rendered_text.distortion import Distortion
from vlrl.rendered_text.rendered_parts import Part
from vlrl.rendered_text.styles.style_registry import styles
from vlrl.scenes.domain import domains
from vlrl.types import Modality
from vlrl.verify.judge import verifiers

RUNNING = frozenset(("code", "visual_code"))  # verifiers that run programs


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
    prompt_template: str = Field(
        default=QUESTION, description="text around the question, which stands where {question} does"
    )
    system_prompt: str | None = Field(
        default=None, description="of this source's problems; default: the run's own, '' for none"
    )

    @property
    def asking(self) -> Asking:
        """How its problems are asked."""
        return Asking(self.prompt_template, self.system_prompt)

    @field_validator("prompt_template")
    @classmethod
    def _holds_question(cls, template: str) -> str:
        return check_prompt_template(template)

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
    """The text problems of the source `of`, drawn as images; answers, verifiers and metadata stay the same."""

    kind: Literal["rendered"] = "rendered"
    of: str = Field(description="the name of a text source of this recipe")
    style: component_field(styles) = Field(default="plain", validate_default=True)  # type: ignore[valid-type]
    distortion: Distortion | None = Field(default=None, description="photo-like distortion, off by default")
    part: Part = Field(default="all", description="all, or what is drawn while the rest is typed")
    instruction: str = Field(default="", description="text typed after the image, e.g. 'Answer the question shown.'")


class VideoFrames(Settings):
    """How a video file is read: as images at the middles of equal parts, each behind the second at which it is seen."""

    frames: int = Field(default=8, ge=1, le=512, description="images a video")
    max_pixels: int = Field(
        default=802_816,
        ge=1,
        description="pixels of all frames of a video together, e.g. 802816 = 1,024 visual tokens of 28×28; frames "
        "above their share are reduced",
    )


class Columns(Settings):
    """Which column of a row holds what; a column that is named must be in every row (it may be null where optional).
    `thought` or `response` make demonstrations possible."""

    question: str = "question"
    answer: str = "answer"
    images: str | tuple[str, ...] | None = Field(
        default=None, description="one column or several in order; default: `images`, `image` …; '' for none"
    )
    video: str | None = Field(default=None, description="a column with the path of a video file")
    context: str | None = Field(default=None, description="a column of text that stands before the question")
    choices: str | None = Field(
        default=None, description="default: the column `choices` where there is one; '' for none"
    )
    verifier: str | None = Field(default=None, description="a column that names the verifier of each row")
    group: str | None = Field(default=None, description="rows with the same value here are held out together")
    difficulty: str | None = Field(
        default=None, description="a column with the difficulty of each row in [0, 1], e.g. 1 − pass rate"
    )
    thought: str | None = Field(default=None, description="a column with a chain of thought for demonstrations")
    response: str | None = Field(default=None, description="a column with a whole response for demonstrations")
    metadata: dict[str, str] = Field(default_factory=dict, description="fact: column, e.g. {precision: precision}")
    metadata_json: str | None = Field(
        default=None, description="a column with all metadata of a row at once, a JSON object as text"
    )
    ignored: tuple[str, ...] = Field(
        default=(), description="columns of images or messages that are of no use; a row with others is refused"
    )


class VerifierByColumn(Settings):
    """The verifier depends on a column: `{column: answer_type, values: {integer: number}, otherwise: text}`."""

    column: str
    values: dict[str, str]
    otherwise: str | None = Field(default=None, description="verifier of all other values; without it they are errors")


class FileSourceSettings(SourceSettings):
    """Rows of a JSONL or parquet file, a `datasets` folder or a hub id.

    `held_out` is the share of the rows kept for validation and, again, for test; rows with the same first image (or,
    without images, the same question; or with one value in `columns.group`) fall on one side. `validation_path` and
    `test_path` name separate files instead.
    """

    kind: Literal["file"] = "file"
    path: FolderPath = Field(
        description="a .jsonl, .json, .csv or .parquet file (also .gz, .zst), a folder, or a hub id"
    )
    split: str = Field(default="train", description="the split to read where the path has several")
    subset: str = Field(default="", description="the configuration of a hub data set that has several, e.g. main")
    layout: str | None = Field(default=None, description=f"rows as others write them: {', '.join(known_layouts())}")
    image_folder: str | None = Field(default=None, description="where image paths start; default: the file's folder")
    streaming: bool = Field(default=False, description="read rows one after another, for tables larger than the disk")
    shuffle_buffer: int = Field(default=1000, ge=1, description="rows among which a stream is mixed; 1 keeps the order")
    modality: Modality
    rows_without_image: Literal["error", "read"] = Field(
        default="error", description="rows of text alone in a source of images: bad rows, or read as text problems"
    )
    system_messages: Literal["leave_out", "keep"] = Field(
        default="leave_out",
        description="of rows in a layout: asked with the system_prompt of the run or source (leave_out), or theirs",
    )
    columns: Columns = Columns()
    video: VideoFrames | None = Field(default=None, description="how the videos of `columns.video` are read")
    verifier: str | VerifierByColumn | None = Field(default=None, description="a name, or {column: …, values: {…}}")
    metadata: dict[str, Any] = Field(default_factory=dict, description="metadata that is the same in every row")
    choice_answers: Literal["letter", "text", "index", "number"] | None = Field(
        default=None,
        description="how golds are written where rows leave it open: letter, text, index (from 0), number (from 1)",
    )
    domain: str = Field(default="", description="the domain name in reports; the source's name if not given")
    held_out: float = Field(default=0.1, ge=0.0, le=0.4, description="share of rows for validation, and again for test")
    validation_path: str | None = None
    test_path: str | None = None
    on_bad_row: Literal["error", "skip"] = Field(
        default="error",
        description="what a row does that can't be used as it is: end the run, or be left out, named and counted",
    )
    max_bad_rows_rate: float = Field(
        default=0.5, ge=0.0, le=1.0, description="share of rows that `on_bad_row: skip` may leave out; above, an error"
    )
    max_bad_golds_rate: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="share of rows whose gold their own verifier may refuse: left out and named; above, an error. "
        "Default: 0.01, or max_bad_rows_rate with on_bad_row: skip",
    )
    on_bad_image: Literal["error", "skip"] | None = Field(
        default=None, description="the same for images that can't be read, without a bound; default: as on_bad_row"
    )
    evaluation_only: bool = Field(default=False, description="never trained on; always so for well-known benchmarks")
    written_by: str | None = Field(
        default=None, description="digest of the model that wrote the responses; distillation keeps to that teacher"
    )
    force: bool = Field(default=False, description="train on an evaluation set all the same; the run card says so")

    FILE_SUFFIXES: ClassVar[tuple[str, ...]] = (*TEXT_TABLES, *COMPRESSED, ".parquet")

    @model_validator(mode="after")
    def _usable(self) -> FileSourceSettings:
        for key in ("path", "validation_path", "test_path"):
            value = getattr(self, key)
            if value is not None and is_local(value) and not Path(value).expanduser().exists():
                raise ConfigError(
                    f"source {self.name!r}, {key}",
                    f"no such file: {value}",
                    f"check the {key}; it was looked for at {Path(value).expanduser().absolute()}",
                )
        check_split(self.path, self.split, self.subset, f"source {self.name!r}")
        if self.layout is not None and self.layout not in known_layouts():
            closest = did_you_mean(self.layout, known_layouts())
            raise ConfigError(f"source {self.name!r}, layout", f"unknown layout {self.layout!r}", closest)
        self._check_video()
        if self.system_messages == "keep" and self.system_prompt is not None:
            raise ConfigError(
                f"source {self.name!r}, system_messages", "is keep, beside a system_prompt", "leave one of them out"
            )
        judges = self.layout in benchmarks
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

    def _check_video(self) -> None:
        place = f"source {self.name!r}, columns.video"
        if self.columns.video is None:
            if self.video is not None:
                raise ConfigError(place, "is missing, beside `video`", "name the column of paths, or leave `video` out")
            return
        if self.modality == "text":
            raise ConfigError(place, "is given, and the modality is 'text'", "name the modality of the videos")
        if self.layout is not None:
            raise ConfigError(place, f"is given, beside layout {self.layout!r}", "rows with videos are read by columns")
        require_video(place)

    @property
    def is_evaluation_set(self) -> bool:
        """Whether the source is one to evaluate on: said so, or a well-known benchmark by layout or path."""
        return self.evaluation_only or is_evaluation_set(self.path, self.layout)


def named_verifiers(source: SourceSettings) -> frozenset[str]:
    """Verifiers that a source is known to name; those in a column of its rows are known when they are read."""
    if isinstance(source, FileSourceSettings):
        named = source.verifier
        if isinstance(named, VerifierByColumn):
            return frozenset({*named.values.values(), *filter(None, [named.otherwise])})
        if named is None:
            return frozenset({"code"} if source.layout in CODE_LAYOUTS else ())
        return frozenset({named})
    return frozenset({source.domain.verifier} if isinstance(source, DomainSourceSettings) else ())


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


def modality_of(source: SourceSettings) -> Modality:
    """The modality of the problems that a source gives."""
    if isinstance(source, DomainSourceSettings):
        modality: Modality = source.domain.modality
        return modality
    if isinstance(source, FileSourceSettings):
        return source.modality
    return "rendered"


def source_settings(value: Any, index: int) -> SourceSettings:
    """The settings of one entry of a recipe's `sources`, by its kind. Raises ConfigError with its place."""
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
        raise inside(place, error) from error


def inside(place: str, error: ConfigError) -> ConfigError:
    """The same error with the outer place in front, unless it is there already."""
    if error.place.startswith(place):
        return error
    return ConfigError(f"{place}, {error.place}", error.problem, error.remedy)

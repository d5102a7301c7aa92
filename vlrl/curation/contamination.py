"""Contamination: training problems whose text or picture stands in a benchmark are left out, with the row's name.

Text is what is typed and what drawn pages say: a benchmark's question doesn't come in as a picture of itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from vlrl.config import Settings
from vlrl.curation.duplicates import TOLD_EVERY
from vlrl.curation.picture_detail import Details
from vlrl.curation.picture_hash import MAX_BITS, MAX_COLOUR, PictureIndex, picture_hash
from vlrl.curation.stage import Context, Decision, Stage, stages
from vlrl.curation.words import Shingle, plain_words, shingles, whole_text, wordless_pictures
from vlrl.data.benchmark_rows import READERS, read_benchmark
from vlrl.data.problem_files import read_problems
from vlrl.data.records import read_records
from vlrl.data.source_settings import is_local
from vlrl.errors import ConfigError, did_you_mean
from vlrl.types import Image, Problem

OWN = "problems"
MAX_CHANGED = 0.02  # a short sum with another sign differs in 0.04 of its detail; a stamp on a photograph in less


class BenchmarkFile(Settings):
    """A benchmark that must not be trained on."""

    benchmark: str = Field(description=f"one of {', '.join([*READERS, OWN])}")
    path: str = Field(description="a JSONL, JSON or parquet file, a folder, or a hub id, in the benchmark's own schema")
    split: str = "test"
    subset: str = ""
    pictures: str | None = Field(
        default=None, description="folder where picture paths start; default: the file's folder; '' leaves pictures out"
    )

    @field_validator("benchmark")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in (*READERS, OWN):
            raise ConfigError("benchmark", f"unknown benchmark {name!r}", did_you_mean(name, [*READERS, OWN]))
        return name

    @model_validator(mode="after")
    def _is_there(self) -> BenchmarkFile:
        if is_local(self.path) and not Path(self.path).expanduser().exists():
            raise ConfigError(f"benchmark {self.benchmark!r}, path", f"no such file: {self.path}", "check the path")
        return self

    def rows(self) -> list[tuple[str, Problem]]:
        """(name of the row, problem). Raises ConfigError or DataError for what can't be read."""
        if self.benchmark == OWN:
            return [(problem.id, problem) for problem in read_problems(self.path)]
        file = Path(self.path).expanduser()
        folder = Path(self.pictures or (file if file.is_dir() else file.parent)).expanduser()
        records = read_records(self.path, f"benchmark {self.benchmark!r}, path", self.split, True, self.subset)
        rows = read_benchmark(self.benchmark, records, None if self.pictures == "" else folder)
        return [(next(iter(row.keys.values())), row.problem) for row in rows]


@stages.register("contamination")
class Contamination(Stage):
    """Drop a problem that shares a run of `words` words with a benchmark's question, or a picture that looks the same.

    A picture is the same if its coarse hash agrees and at most `max_changed` of its detail differs. A run that stands
    in `common_rows` rows or more of one benchmark is its boilerplate ("Answer with the option's letter") and doesn't
    count. A question shorter than `words` is compared as a whole, with no pictures on either side but of itself, and
    at least `least_words` words: "What is in the picture?" is no one's own.
    """

    benchmarks: tuple[BenchmarkFile, ...] = Field(min_length=1)
    words: int = Field(default=13, ge=2, description="words in a run; 13 as in the GPT-3 paper")
    least_words: int = Field(default=5, ge=1, description="words that a shorter question must have to be compared")
    common_rows: int = Field(default=10, ge=2, description="rows from which a run of words is boilerplate")
    max_bits: int = Field(default=MAX_BITS, ge=0, le=64, description="bits of 64 in which picture hashes may differ")
    max_colour: float = Field(default=MAX_COLOUR, ge=0.0, le=255.0, description="mean colour difference, of 255")
    max_changed: float = Field(
        default=MAX_CHANGED,
        ge=0.0,
        le=1.0,
        description="share of a picture's detail that may differ; 1: the hash decides",
    )

    def decide(self, problems: Sequence[Problem], context: Context) -> list[Decision]:
        """One decision for every problem, in order. Raises BadImageError for a picture that can't be read."""
        texts: dict[tuple[Shingle, bool], str] = {}
        pictures = _Pictures(problems, PictureIndex(self.max_bits, self.max_colour), self.max_changed)
        for file in self.benchmarks:
            self._read(file, texts, pictures)
        decisions = []
        for number, problem in enumerate(problems):
            decisions.append(self._decide(problem, texts, pictures.found))
            if number % TOLD_EVERY == 0:
                context.told(number)
        return decisions

    def _read(self, file: BenchmarkFile, texts: dict[tuple[Shingle, bool], str], pictures: _Pictures) -> None:
        count: Counter[tuple[Shingle, bool]] = Counter()
        first: dict[tuple[Shingle, bool], str] = {}
        seen: set[str] = set()
        for name, problem in file.rows():
            place = f"{file.benchmark} {name}"
            for run in self._runs(problem):
                count[run] += 1
                first.setdefault(run, place)
            for image in problem.images:
                if image.digest not in seen:
                    pictures.compare(image, place)
                seen.add(image.digest)
        texts.update({run: first[run] for run, rows in count.items() if rows < self.common_rows})

    def _runs(self, problem: Problem) -> set[tuple[Shingle, bool]]:
        """Runs of words to compare, each with whether it is a whole short question."""
        words = plain_words(whole_text(problem))
        if len(words) >= self.words:
            return {(run, False) for run in shingles(words, self.words)}
        return {(tuple(words), True)} if len(words) >= self.least_words and not wordless_pictures(problem) else set()

    def _decide(self, problem: Problem, texts: dict[tuple[Shingle, bool], str], pictures: dict[str, str]) -> Decision:
        for run in sorted(self._runs(problem)):
            if run in texts:
                said = f"shares “{' '.join(run[0])}” with {texts[run]}"
                return Decision(problem, "dropped", f"text of {texts[run].split()[0]}", said, {"row": texts[run]})
        for image in problem.images:
            row = pictures.get(image.digest)
            if row is not None:
                return Decision(
                    problem, "dropped", f"picture of {row.split()[0]}", f"looks like that of {row}", {"row": row}
                )
        return Decision(problem)


class _Pictures:
    """The problems' pictures, and which of them a benchmark has: `found` is digest → name of the first row."""

    def __init__(self, problems: Sequence[Problem], index: PictureIndex, max_changed: float) -> None:
        self._of = {image.digest: image for problem in problems for image in problem.images}
        self._index, self._max_changed, self._details = index, max_changed, Details()
        self._digests: list[str] | None = None
        self.found: dict[str, str] = {}

    def compare(self, image: Image, place: str) -> None:
        """Find the pictures that look like this one of a benchmark. It isn't kept: benchmarks may be large."""
        if self._digests is None:  # a benchmark without pictures costs nothing
            self._digests = list(self._of)
            for digest in self._digests:
                self._index.add(picture_hash(self._of[digest]))
        for number in self._index.alike(picture_hash(image)):
            digest = self._digests[number]
            if digest not in self.found and self._details.changed(self._of[digest], image) <= self._max_changed:
                self.found[digest] = place

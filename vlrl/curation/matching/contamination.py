"""Contamination: training problems that are a benchmark's, or whose image is, are left out, with the row's name.

Text is what is typed and what drawn pages say: a benchmark's question doesn't come in as an image of itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from vlrl.config import Settings
from vlrl.curation.matching.answer_match import Answers
from vlrl.curation.matching.duplicates import TOLD_EVERY
from vlrl.curation.matching.image_match import MAX_DIFFERENCE, ImageComparison, ImageIndex, Likeness
from vlrl.curation.matching.text_match import MIN_SHARED, MatchText, TextIndex, Weights
from vlrl.curation.matching.text_words import whole_text, wordless_images
from vlrl.curation.stage import Context, Decision, Stage, stages
from vlrl.data.benchmarks.benchmark_definition import benchmarks
from vlrl.data.benchmarks.benchmark_rows import read_benchmark
from vlrl.data.problem_files import read_problems
from vlrl.data.source_settings import is_local
from vlrl.data.tables.records import read_records
from vlrl.errors import ConfigError, did_you_mean
from vlrl.types import Image, Problem

OWN = "problems"
SHARED_IMAGE = "shared_image"


class BenchmarkFile(Settings):
    """A benchmark that must not be trained on."""

    benchmark: str = Field(description=f"one of {', '.join([*benchmarks, OWN])}")
    path: str = Field(description="a JSONL, JSON or parquet file, a folder, or a hub id, in the benchmark's own schema")
    split: str = "test"
    subset: str = ""
    image_folder: str | None = Field(
        default=None, description="folder where image paths start; default: the file's folder; '' leaves images out"
    )

    @field_validator("benchmark")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in (*benchmarks, OWN):
            raise ConfigError("benchmark", f"unknown benchmark {name!r}", did_you_mean(name, [*benchmarks, OWN]))
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
        folder = Path(self.image_folder or (file if file.is_dir() else file.parent)).expanduser()
        records = read_records(self.path, f"benchmark {self.benchmark!r}, path", self.split, True, self.subset)
        rows = read_benchmark(self.benchmark, records, None if self.image_folder == "" else folder)
        return [(next(iter(row.keys.values())), row.problem) for row in rows]


@stages.register("contamination")
class Contamination(Stage):
    """Drop a problem that asks the same as a row of a benchmark.

    Of a row without images the text decides: both share `min_shared` of the weight of their words, and the numbers
    agree. Of a row with images, each must have an edited copy among the problem's, and the texts must agree too. Where
    the gold answers contradict each other, an image that differs in as little as a small digit is no copy: the digit
    may be what is asked for.
    A benchmark's image under another question isn't a copy of a row, but the image is known after training: counted
    as `shared_image`, and dropped unless `shared_image` is "keep".

    A question of less than `least_words` words and numbers that has no image is no one's own and isn't compared.
    """

    benchmarks: tuple[BenchmarkFile, ...] = Field(min_length=1)
    min_shared: float = Field(
        default=MIN_SHARED, gt=0.0, le=1.0, description="share of the words' weight from which texts are the same"
    )
    least_words: int = Field(default=5, ge=1, description="words that a question without images must have")
    max_difference: float = Field(
        default=MAX_DIFFERENCE,
        ge=0.0,
        description="size of the largest place where an image may differ from its copy, in windows of 7 × 7 pixels",
    )
    shared_image: Literal["drop", "keep"] = Field(
        default="drop", description="what becomes of a benchmark's image under another question; counted either way"
    )

    def decide(self, problems: Sequence[Problem], context: Context) -> list[Decision]:
        """One decision for every problem, in order. Raises BadImageError for an image that can't be read."""
        rows = [_Row(f"{f.benchmark} {name}", problem) for f in self.benchmarks for name, problem in f.rows()]
        texts = [MatchText.of(whole_text(problem)) for problem in problems]
        weights = Weights([*(row.text for row in rows), *texts])
        answers = [row.answer for row in rows]
        asked = TextIndex([row.text for row in rows], weights, self.min_shared, answers)
        images = _BenchmarkImages(rows, problems, self.max_difference)
        decisions = []
        for number, (problem, text) in enumerate(zip(problems, texts, strict=True)):
            decisions.append(self._decide(problem, text, rows, asked, images))
            if number % TOLD_EVERY == 0:
                context.told(number)
        return decisions

    def _decide(
        self, problem: Problem, text: MatchText, rows: list[_Row], asked: TextIndex, images: _BenchmarkImages
    ) -> Decision:
        alike = asked.alike(text, problem.answer)
        shown = wordless_images(problem)
        same = [(rows[match.number], match.share) for match in alike if match.same]
        for row, share in same:
            if not row.images and min(text.length, row.text.length) >= self.least_words:
                said = f"shares {share:.2f} of its words' weight with {row.name}"
                return _dropped(problem, "text", row, said)
        others = {match.number for match in alike if match.answers is Answers.CONTRADICT}
        copies = images.copies(shown, others)
        for row, share in same:
            if row.images and all(image.digest in copies for image in row.images):
                said = f"looks like {row.name} and shares {share:.2f} of its words' weight"
                return _dropped(problem, "image and text", row, said)
        if not copies:
            return Decision(problem)
        row = rows[min(number for digest in copies for number in images.rows_with(digest))]
        if self.shared_image == "keep":
            return Decision(problem, measured={SHARED_IMAGE: 1, "row": row.name})
        said = f"asks something else about an image of {row.name}"
        return _dropped(problem, SHARED_IMAGE, row, said, {SHARED_IMAGE: 1})


def _dropped(problem: Problem, what: str, row: _Row, said: str, measured: Mapping[str, int] | None = None) -> Decision:
    reason = f"{what} of {row.name.split()[0]}"
    return Decision(problem, "dropped", reason, said, {"row": row.name, **(measured or {})})


class _Row:
    """A row of a benchmark as it is compared: its name, text and answer, and its images of which no text is known."""

    def __init__(self, name: str, problem: Problem) -> None:
        self.name, self.text = name, MatchText.of(whole_text(problem))
        self.answer = problem.answer
        self.images = wordless_images(problem)


class _BenchmarkImages:
    """Which rows of the benchmarks have a copy of an image."""

    def __init__(self, rows: Sequence[_Row], problems: Sequence[Problem], max_difference: float) -> None:
        self._comparison = ImageComparison(max_difference)
        self._rows: dict[str, list[int]] = {}
        self._found: dict[str, list[tuple[str, Likeness]]] = {}
        index = ImageIndex(self._comparison)
        shown = {image.digest: image for problem in problems for image in wordless_images(problem)}
        if not shown:  # problems without images cost nothing
            return
        for number, row in enumerate(rows):
            for image in row.images:
                if image.digest not in self._rows:
                    index.add(image)
                    self._rows[image.digest] = []
                self._rows[image.digest].append(number)
        images = list(shown.values())
        for image, candidates in zip(images, index.candidates(images), strict=True):
            near = [index.images[candidate] for candidate in candidates]
            found = [(other.digest, self._comparison.likeness(other, image)) for other in near]
            self._found[image.digest] = [pair for pair in found if pair[1] is not Likeness.OTHER]

    def rows_with(self, digest: str) -> list[int]:
        """Numbers of the rows that show this image of the benchmarks."""
        return self._rows[digest]

    def copies(self, shown: Sequence[Image], others: Set[int]) -> set[str]:
        """Digests of the benchmarks' images that these are copies of.

        `others` are rows that ask the same and have another answer: what differs from their images, however small, may
        be what is asked for.
        """
        found = ((digest, likeness) for image in shown for digest, likeness in self._found.get(image.digest, ()))
        return {d for d, likeness in found if likeness is Likeness.CLOSE or others.isdisjoint(self._rows[d])}

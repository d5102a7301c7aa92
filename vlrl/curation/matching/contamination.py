"""Contamination: training problems that are a benchmark's, or whose image is, are left out, with the row's name.

Text is what is typed and what drawn pages say: a benchmark's question doesn't come in as an image of itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
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
LEAST_WORDS = 5


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
    least_words: int = Field(default=LEAST_WORDS, ge=1, description="words that a question without images must have")
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
        rows = [(f"{f.benchmark} {name}", problem) for f in self.benchmarks for name, problem in f.rows()]
        texts = [MatchText.of(whole_text(problem)) for problem in problems]
        against = BenchmarkComparison(
            rows, texts, self.min_shared, self.least_words, self.max_difference, self.shared_image == "keep"
        )
        against.look_at([image for problem in problems for image in wordless_images(problem)])
        decisions = []
        for number, (problem, text) in enumerate(zip(problems, texts, strict=True)):
            decisions.append(against.decide(problem, text))
            if number % TOLD_EVERY == 0:
                context.told(number)
        return decisions


class BenchmarkComparison:
    """Rows of benchmarks, and which of them a problem is, as `Contamination` says.

    named  each row's benchmark and name, in one word and the rest; the row
    texts  of what will be compared, as far as they are known: with the rows they say how rare a word is
    keeps_shared_image  whether a problem that asks something else about a row's image is kept, and measured alone

    An image counts as a copy only byte for byte until `look_at` has compared it with the rows' images by their looks.
    """

    def __init__(
        self,
        named: Sequence[tuple[str, Problem]],
        texts: Iterable[MatchText] = (),
        min_shared: float = MIN_SHARED,
        least_words: int = LEAST_WORDS,
        max_difference: float = MAX_DIFFERENCE,
        keeps_shared_image: bool = False,
    ) -> None:
        self._least_words, self._keeps_shared_image = least_words, keeps_shared_image
        rows = [_Row(name, problem) for name, problem in named]
        weights = Weights([*(row.text for row in rows), *texts])
        self._rows, self._shown = ([r for r in rows if not r.images], [r for r in rows if r.images])
        self._asked, self._asked_of_images = (
            TextIndex([row.text for row in some], weights, min_shared, [row.answer for row in some])
            for some in (self._rows, self._shown)
        )
        self._images = _BenchmarkImages(self._shown, max_difference)

    def index_image(self) -> bool:
        """Make one more image of the rows ready for `look_at`; False where all are. Raises BadImageError."""
        return self._images.index_one()

    def look_at(self, images: Sequence[Image]) -> None:
        """Compare these with the rows' images place by place. Raises BadImageError where one can't be read."""
        self._images.look_at(images)

    def decide(self, problem: Problem, text: MatchText) -> Decision:
        """Dropped, with the row's name, or kept; `text` is that of the problem's `whole_text`."""
        shown = wordless_images(problem)
        if not shown and text.length < self._least_words:
            return Decision(problem)
        for match in self._asked.alike(text, problem.answer):
            row = self._rows[match.number]
            if match.same and min(text.length, row.text.length) >= self._least_words:
                said = f"shares {match.share:.2f} of its words' weight with {row.name}"
                return _dropped(problem, "text", row, said)
        if not self._images.any_like(shown):
            return Decision(problem)
        alike = self._asked_of_images.alike(text, problem.answer)
        others = {match.number for match in alike if match.answers is Answers.CONTRADICT}
        copies = self._images.copies(shown, others)
        for match in alike:
            row = self._shown[match.number]
            if match.same and all(image.digest in copies for image in row.images):
                said = f"looks like {row.name} and shares {match.share:.2f} of its words' weight"
                return _dropped(problem, "image and text", row, said)
        if not copies:
            return Decision(problem)
        row = self._shown[min(number for digest in copies for number in self._images.rows_with(digest))]
        if self._keeps_shared_image:
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
    """Which rows of the benchmarks have a copy of an image. Nothing is read before there is something to compare."""

    def __init__(self, rows: Sequence[_Row], max_difference: float) -> None:
        self._comparison = ImageComparison(max_difference)
        self._rows: dict[str, list[int]] = {}
        self._found: dict[str, list[tuple[str, Likeness]]] = {}
        self._index = ImageIndex(self._comparison)
        self._to_index: list[Image] = []
        for number, row in enumerate(rows):
            for image in row.images:
                if image.digest not in self._rows:
                    self._to_index.append(image)
                    self._rows[image.digest] = []
                self._rows[image.digest].append(number)
        self._to_index.reverse()

    def index_one(self) -> bool:
        """Make one more image ready to be compared; False where all are."""
        if self._to_index:
            self._index.add(self._to_index.pop())
        return bool(self._to_index)

    def look_at(self, images: Sequence[Image]) -> None:
        """Find the copies of these."""
        images = list({image.digest: image for image in images if image.digest not in self._found}.values())
        while images and self.index_one():
            pass
        for image, candidates in zip(images, self._index.candidates(images), strict=True):
            near = [self._index.images[candidate] for candidate in candidates]
            found = [(other.digest, self._comparison.likeness(other, image)) for other in near]
            self._found[image.digest] = [pair for pair in found if pair[1] is not Likeness.OTHER]

    def rows_with(self, digest: str) -> list[int]:
        """Numbers of the rows that show this image of the benchmarks."""
        return self._rows[digest]

    def any_like(self, shown: Sequence[Image]) -> bool:
        """Whether the rows have an image that may be a copy of one of these."""
        return any(image.digest in self._rows or self._found.get(image.digest) for image in shown)

    def copies(self, shown: Sequence[Image], others: Set[int]) -> set[str]:
        """Digests of the benchmarks' images that these are copies of.

        `others` are rows that ask the same and have another answer: what differs from their images, however small, may
        be what is asked for.
        """
        same = {image.digest for image in shown if image.digest in self._rows}
        found = ((digest, likeness) for image in shown for digest, likeness in self._found.get(image.digest, ()))
        return same | {d for d, likeness in found if likeness is Likeness.CLOSE or others.isdisjoint(self._rows[d])}

"""Near-duplicates: texts by shared shingles, images place by place. Both must agree, and the answers and numbers too.

An image that was drawn from a text counts as that text: two pages of different words look much the same. Where no text
is known, thumbnails find what looks alike from afar, and the largest place that differs decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import Field

from vlrl.curation.matching.image_match import CLOSE_DIFFERENCE, ImageComparison, ImageIndex
from vlrl.curation.matching.minhash import MinHashIndex
from vlrl.curation.matching.text_words import (
    Shingle,
    jaccard,
    numbers_of,
    shingles,
    whole_text,
    wordless_images,
    words_of,
)
from vlrl.curation.stage import Context, Decision, Stage, stages
from vlrl.types import Image, Problem
from vlrl.verify.values.normaliser import normalise

TOLD_EVERY = 100


@dataclass
class _Alike:
    """Kept problems with one text, one answer and one number of images: by place in the prompt, the images of all."""

    problems: list[str] = field(default_factory=list)
    places: list[ImageIndex] = field(default_factory=list)


@stages.register("near_duplicates")
class NearDuplicates(Stage):
    """The first of several problems that are nearly the same is kept.

    Two problems are nearly the same if their texts, typed and drawn, share `min_similarity` of their shingles
    (Jaccard), they have as many images, and each image of which no text is known is an edited copy of its counterpart.
    Other numbers in the text (`same_numbers`) or another gold answer (`same_answer`) make them two problems: a template
    with other values, a clock five minutes later. A text and its rendered twin are two.
    """

    shingle_words: int = Field(default=3, ge=1, description="words in one shingle")
    min_similarity: float = Field(default=0.8, gt=0.0, le=1.0, description="shared shingles of all, in (0, 1]")
    max_difference: float = Field(
        default=CLOSE_DIFFERENCE,
        ge=0.0,
        description="size of the largest place where an image may differ from its copy, in windows of 7 × 7 pixels",
    )
    same_numbers: bool = True
    same_answer: bool = True

    def decide(self, problems: Sequence[Problem], context: Context) -> list[Decision]:
        """One decision for every problem, in order. Raises BadImageError for an image that can't be read."""
        texts = _Texts(self.shingle_words, self.min_similarity, self.same_numbers)
        kept: dict[tuple[int, str, int, int], _Alike] = defaultdict(_Alike)
        comparison, decisions = ImageComparison(self.max_difference, strict=True), []
        for number, problem in enumerate(problems):
            images = wordless_images(problem)
            answer = normalise(problem.answer) if self.same_answer else ""
            text, shape = texts.number(whole_text(problem)), (answer, len(problem.images), len(images))
            decision = Decision(problem)
            for other, similarity in texts.similar(text):
                found = _first_alike(kept.get((other, *shape)), images, comparison)
                if found:
                    said = f"like problem {found}: texts share {similarity:.2f} of their shingles"
                    said += f", {len(images)} image(s) are edited copies" if images else ""
                    decision = Decision(problem, "dropped", "near-duplicate", said, {"of": found})
                    break
            if decision.outcome == "kept":
                _keep(kept[(text, *shape)], problem.id, images, comparison)
            decisions.append(decision)
            if number % TOLD_EVERY == 0:
                context.told(number)
        return decisions


def _keep(alike: _Alike, name: str, images: Sequence[Image], comparison: ImageComparison) -> None:
    alike.problems.append(name)
    while len(alike.places) < len(images):
        alike.places.append(ImageIndex(comparison))
    for index, image in zip(alike.places, images, strict=True):
        index.add(image)


def _first_alike(alike: _Alike | None, images: Sequence[Image], comparison: ImageComparison) -> str | None:
    """The first kept problem of this kind whose every image is an edited copy of its counterpart."""
    if alike is None or not alike.problems:
        return None
    common = set(range(len(alike.problems)))
    for index, image in zip(alike.places, images, strict=True):
        common &= set(next(index.candidates([image])))
    for number in sorted(common):
        if all(comparison.same(index.images[number], i) for index, i in zip(alike.places, images, strict=True)):
            return alike.problems[number]
    return None


class _Texts:
    """Different texts by number, and which of them are similar."""

    def __init__(self, size: int, least: float, same_numbers: bool) -> None:
        self._size, self._least, self._same_numbers = size, least, same_numbers
        self._index = MinHashIndex()
        self._numbers: dict[str, int] = {}
        self._sets: list[frozenset[Shingle]] = []
        self._values: list[tuple[str, ...]] = []
        self._similar: list[list[tuple[int, float]]] = []

    def number(self, text: str) -> int:
        """The number of a text, the same for the same words. A new one is compared with all before it."""
        words = words_of(text)
        name = " ".join(words)
        if name in self._numbers:
            return self._numbers[name]
        number = self._numbers[name] = len(self._sets)
        self._sets.append(shingles(words, self._size))
        self._values.append(numbers_of(text) if self._same_numbers else ())
        self._similar.append([(number, 1.0)])
        for other in self._index.add(self._sets[number]):
            if self._values[other] == self._values[number]:
                similarity = jaccard(self._sets[other], self._sets[number])
                if similarity >= self._least:
                    self._similar[number].append((other, similarity))
                    self._similar[other].append((number, similarity))
        return number

    def similar(self, number: int) -> list[tuple[int, float]]:
        """(number, similarity) of all texts similar to this one, itself first."""
        return self._similar[number]

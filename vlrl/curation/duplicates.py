"""Near-duplicates: texts by shared shingles, pictures by look. Both must agree, and the answers and numbers too.

A picture that was drawn from a text counts as that text: two pages of different words look much the same. Where no text
is known, a coarse hash finds what looks alike from afar, and the detail decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import Field

from vlrl.curation.minhash import MinHashIndex
from vlrl.curation.picture_detail import Details
from vlrl.curation.picture_hash import MAX_BITS, MAX_COLOUR, PictureHash, PictureIndex, picture_hash
from vlrl.curation.stage import Context, Decision, Stage, stages
from vlrl.curation.words import Shingle, jaccard, numbers_of, shingles, whole_text, wordless_pictures, words_of
from vlrl.types import Image, Problem
from vlrl.verify.values.normaliser import normalise

TOLD_EVERY = 100
MAX_CHANGED = 0.0005  # one letter of a full page changes 0.001 to 0.002 of its detail, other bytes of it nothing


@dataclass
class _Alike:
    """Kept problems with one text, one answer and so many pictures: each picture's look by problem, and itself."""

    problems: list[str] = field(default_factory=list)
    looks: list[PictureIndex] = field(default_factory=list)
    pictures: list[list[Image]] = field(default_factory=list)


@stages.register("near_duplicates")
class NearDuplicates(Stage):
    """The first of several problems that are nearly the same is kept.

    Two problems are nearly the same if their texts, typed and drawn, share `min_similarity` of their shingles
    (Jaccard), they have as many pictures, and each picture of which no text is known looks like its counterpart, down
    to its detail. Other numbers in the text (`same_numbers`) or another gold answer (`same_answer`) make them two
    problems: a template with other values, a clock five minutes later. A text and its rendered twin are two.
    """

    shingle_words: int = Field(default=3, ge=1, description="words in one shingle")
    min_similarity: float = Field(default=0.8, gt=0.0, le=1.0, description="shared shingles of all, in (0, 1]")
    max_bits: int = Field(default=MAX_BITS, ge=0, le=64, description="bits of 64 in which picture hashes may differ")
    max_colour: float = Field(default=MAX_COLOUR, ge=0.0, le=255.0, description="mean colour difference, of 255")
    max_changed: float = Field(
        default=MAX_CHANGED,
        ge=0.0,
        le=1.0,
        description="share of a picture's detail that may differ; 1: the hash decides",
    )
    same_numbers: bool = True
    same_answer: bool = True

    def decide(self, problems: Sequence[Problem], context: Context) -> list[Decision]:
        """One decision for every problem, in order. Raises BadImageError for a picture that can't be read."""
        hashes: dict[str, PictureHash] = {}
        texts = _Texts(self.shingle_words, self.min_similarity, self.same_numbers)
        kept: dict[tuple[int, str, int, int], _Alike] = defaultdict(_Alike)
        details, decisions = Details(), []
        for number, problem in enumerate(problems):
            pictures = wordless_pictures(problem)
            for image in pictures:
                if image.digest not in hashes:
                    hashes[image.digest] = picture_hash(image)
            looks = [hashes[image.digest] for image in pictures]
            answer = normalise(problem.answer) if self.same_answer else ""
            text, shape = texts.number(whole_text(problem)), (answer, len(problem.images), len(pictures))
            decision = Decision(problem)
            for other, similarity in texts.similar(text):
                found = self._first_alike(kept.get((other, *shape)), looks, pictures, details)
                if found:
                    said = f"like problem {found}: texts share {similarity:.2f} of their shingles"
                    said += f", {len(looks)} picture(s) look the same" if looks else ""
                    decision = Decision(problem, "dropped", "near-duplicate", said, {"of": found})
                    break
            if decision.outcome == "kept":
                self._keep(kept[(text, *shape)], problem.id, looks, pictures)
            decisions.append(decision)
            if number % TOLD_EVERY == 0:
                context.told(number)
        return decisions

    def _keep(self, alike: _Alike, name: str, looks: Sequence[PictureHash], pictures: list[Image]) -> None:
        alike.problems.append(name)
        alike.pictures.append(pictures)
        while len(alike.looks) < len(looks):
            alike.looks.append(PictureIndex(self.max_bits, self.max_colour))
        for index, look in zip(alike.looks, looks, strict=True):
            index.add(look)

    def _first_alike(
        self, alike: _Alike | None, looks: Sequence[PictureHash], pictures: list[Image], details: Details
    ) -> str | None:
        """The first kept problem of this kind whose every picture looks like its counterpart, from afar and near."""
        if alike is None or not alike.problems:
            return None
        common = set(range(len(alike.problems)))
        for index, look in zip(alike.looks, looks, strict=True):
            common &= set(index.alike(look))
        for number in sorted(common):
            pairs = zip(alike.pictures[number], pictures, strict=True)
            if all(details.changed(one, other) <= self.max_changed for one, other in pairs):
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

"""Which texts ask the same as a text of a benchmark: words weighted by how rare they are, and equal numbers.

A word's weight is its inverse document frequency in both sets together, so a template that many rows share says little
and what a row has of its own says much. Numbers are compared apart: texts of one template with other numbers are two
problems. Words count once and in no order, so that names may be replaced and clauses change places. Gold answers are a
third witness.

Candidates come from an index of the rarest words of each text, down to the share 1 − `min_shared` of its weight: two
texts that share `min_shared` of both their weights have one of these words in common (prefix filtering, Chaudhuri et
al. 2006). So no pair is missed, as it would be with MinHash at such a low similarity.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log

from vlrl.curation.matching.answer_match import Answers, compare_answers
from vlrl.curation.matching.text_words import words_of

MIN_SHARED = 0.4  # of the weight; the nearest of GSM8K's own rows share 0.2, a row with five words changed 0.6
PART_OF = 0.9  # of the benchmark's text that stands in a much longer one
_AMOUNTS = (
    "zero two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion"
)  # without "one", which is a pronoun more often
_NUMBER_WORDS = frozenset(_AMOUNTS.split())
_SIGN = re.compile(r"[-+*/×÷·^=<>%√π−()]")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_SAME_WORDS = 0.9  # of all words
_SAME_ORDER = 0.7  # of the pairs of neighbours; sentences that change places keep 0.75 and more
_AGREEING, _CONTRADICTING = 0.75, 1.5  # times `min_shared`, by what the answers say
_CONFLICTS = 4  # one number in this many may be another one


@dataclass(frozen=True)
class MatchText:
    """A text as it is compared.

    words    each once
    numbers  with repeats, sorted; numbers with nothing but signs between them are one, in the order they are written
    pairs    neighbours among words and numbers
    length   words and numbers, with repeats
    """

    words: frozenset[str]
    numbers: tuple[str, ...]
    pairs: frozenset[tuple[str, str]]
    length: int

    @classmethod
    def of(cls, text: str) -> MatchText:
        """The parts of a text; case, width, accents' encoding and other punctuation don't count."""
        numbers: list[str] = []
        run: list[str] = []
        told: list[str] = []
        for word in [*words_of(_THOUSANDS.sub("", text.replace("\\", " "))), "\n"]:
            is_number = word[0].isdigit() or word in _NUMBER_WORDS
            if is_number or word[0].isalpha():
                told.append(word)
            if is_number or _SIGN.fullmatch(word):
                run.append(word)
                continue
            numbers += _numbers(run)
            run = []
        words = frozenset(word for word in told if not (word[0].isdigit() or word in _NUMBER_WORDS))
        return cls(words, tuple(sorted(numbers)), frozenset(itertools.pairwise(told)), len(told))


def _numbers(run: list[str]) -> list[str]:
    """A sum is one number: its terms in order. Signs alone are none, and those around a lone number don't count."""
    values = [word for word in run if not _SIGN.fullmatch(word)]
    return [" ".join(run[_first(run) : len(run) - _first(run[::-1])])] if len(values) > 1 else values


def _first(run: Sequence[str]) -> int:
    return next((at for at, word in enumerate(run) if not _SIGN.fullmatch(word)), 0)


class Weights:
    """Inverse document frequencies over all texts that are compared."""

    def __init__(self, texts: Iterable[MatchText]) -> None:
        self._rows: Counter[str] = Counter()
        self._count = 0
        for text in texts:
            self._rows.update(text.words)
            self._count += 1

    def of(self, word: str) -> float:
        """log(1 + texts / texts with the word): 0.69 for a word that all have."""
        return log(1 + self._count / max(1, self._rows[word]))

    def sum(self, words: Iterable[str]) -> float:
        """The weight of several words."""
        return sum(map(self.of, sorted(words)))  # sorted: the same sum in every process


def shared_weight(text: MatchText, benchmark: MatchText, weights: Weights) -> float:
    """The share of the heavier text's weight that both have, in [0, 1].

    Where the benchmark's text is nearly whole in a longer one, it is the share of the benchmark's text.
    """
    both = weights.sum(text.words & benchmark.words)
    own, asked = weights.sum(text.words), weights.sum(benchmark.words)
    if max(own, asked) == 0.0:
        return 1.0
    part = both / asked if asked else 0.0
    return part if part >= PART_OF else both / max(own, asked)


def same_numbers(one: MatchText, other: MatchText, spelled: bool = True) -> bool:
    """Whether the numbers agree: at least half of them in both, and at most one in four another than in the other.

    A number that only one text has was left out or added; numbers that each text has without the other make a template
    with other values. Without `spelled`, numbers in words are words like all others.
    """
    a, b = (Counter(n for n in text.numbers if spelled or _NUMBER_WORDS.isdisjoint(n.split())) for text in (one, other))
    shared = (a & b).total()
    only_one, only_other = a.total() - shared, b.total() - shared
    most = max(a.total(), b.total())
    return 2 * shared >= most and min(only_one, only_other) <= most // _CONFLICTS


def same_words(one: MatchText, other: MatchText) -> bool:
    """Whether nothing but the order of the words may tell two texts apart."""
    return len(one.words & other.words) >= _SAME_WORDS * len(one.words | other.words)


def same_order(one: MatchText, other: MatchText) -> bool:
    """Whether the neighbours agree: "Ann is taller than Bob" has the same words as "Bob is taller than Ann"."""
    most = max(len(one.pairs), len(other.pairs))
    return len(one.pairs & other.pairs) >= _SAME_ORDER * most


@dataclass(frozen=True)
class TextMatch:
    """A text of a benchmark that is much like another.

    number   of the benchmark's text
    share    of the words' weight that both have, in [0, 1]
    answers  what the two gold answers say
    same     whether the two ask the same
    """

    number: int
    share: float
    answers: Answers
    same: bool


class TextIndex:
    """Texts of benchmarks by number, with their gold answers; finds which of them a text asks the same as.

    The answers are a witness: where they agree, three quarters of `min_shared` are enough and numbers in words may be
    others; where they contradict each other, it takes half as much again, at most 0.9.
    """

    def __init__(
        self,
        texts: Sequence[MatchText],
        weights: Weights,
        min_shared: float = MIN_SHARED,
        answers: Sequence[str] | None = None,
    ) -> None:
        self._texts, self._weights = texts, weights
        self._answers = answers if answers is not None else [""] * len(texts)
        self._least = {
            Answers.AGREE: _AGREEING * min_shared,
            Answers.UNKNOWN: min_shared,
            Answers.CONTRADICT: max(min_shared, min(PART_OF, _CONTRADICTING * min_shared)),
        }
        self._by_word: dict[str, list[int]] = defaultdict(list)
        self._wordless = [number for number, text in enumerate(texts) if not text.words]
        for number, text in enumerate(texts):
            for word in self._rarest(text):
                self._by_word[word].append(number)

    def alike(self, text: MatchText, answer: str = "") -> list[TextMatch]:
        """All texts that are much like this one, the most alike first; those that ask the same are `same`."""
        candidates = set(self._wordless) if not text.words else set()
        for word in text.words:  # all: a longer text may hold a benchmark's whole
            candidates.update(self._by_word.get(word, ()))
        found = []
        for number in sorted(candidates):
            other = self._texts[number]
            share = shared_weight(text, other, self._weights)
            if share < self._least[Answers.AGREE]:
                continue
            answers = compare_answers(answer, self._answers[number])
            if not (same_numbers(text, other) or (answers is Answers.AGREE and same_numbers(text, other, False))):
                continue
            if same_words(text, other) and not same_order(text, other):
                continue
            found.append(TextMatch(number, share, answers, share >= self._least[answers]))
        return sorted(found, key=lambda match: (-match.share, match.number))

    def _rarest(self, text: MatchText) -> list[str]:
        """The words that one must share to share `min_shared` of this text's weight."""
        ranked = sorted(text.words, key=lambda word: (-self._weights.of(word), word))
        left = (1 - self._least[Answers.AGREE]) * self._weights.sum(text.words)
        taken = []
        for word in ranked:
            if left < 0:
                break
            taken.append(word)
            left -= self._weights.of(word)
        return taken

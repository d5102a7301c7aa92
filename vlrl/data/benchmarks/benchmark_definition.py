"""What a benchmark is: how its rows are read, which rule it publishes, in which groups its figures are given.

A benchmark is one subclass of `BenchmarkDefinition`, registered under its name: `benchmark:` of an evaluation and of
the curation stage `contamination`, `layout:` of a recipe's source, and `vlrl score`. Its reward, where no verifier that
is there will do, is a verifier (`vlrl.verify.judge`) of its own; those of this package lie in `vlrl/verify/official/`.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from vlrl.registry import Registry
from vlrl.types import Problem, Verdict
from vlrl.verify.official.mathvista import IntegerRule

if TYPE_CHECKING:
    from vlrl.data.tables.records import Record

Row = Mapping[str, Any]
RowGroups = Mapping[str, tuple[str, ...]]
Sets = Mapping[str, Mapping[str, Sequence[bool]]]


@dataclass(frozen=True)
class RowDraft:
    """What a benchmark says of a row, before images are placed.

    text      the question as it is asked; `<image>`, `<image 2>` … stand where images do
    verifier  of reward mode
    metadata  what the verifier and the published rule need besides; None: left out
    groups    grouping → this row's values in it (a row may stand in several, e.g. skills)
    imaged    whether rows have images
    """

    text: str
    answer: str
    verifier: str
    metadata: dict[str, Any] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    imaged: bool = True


@dataclass(frozen=True)
class Answer:
    """What is scored: the response, or what an earlier step extracted from it.

    use_extraction  score `extraction` instead of `text`; a row without one is wrong
    """

    text: str
    extraction: Any = None
    use_extraction: bool = False
    has_extraction: bool = False

    @property
    def said(self) -> str:
        """The text that counts."""
        return str(self.extraction or "") if self.use_extraction else self.text


@dataclass(frozen=True)
class RecordedVerdicts:
    """A file of responses that holds verdicts instead.

    rights, groups, lines  one a verdict; `lines` are rows of `vlrl score --out`
    sets                   as `BenchmarkDefinition.sets`
    missing                rows that have none and count as wrong
    """

    rights: tuple[bool, ...]
    groups: tuple[RowGroups, ...]
    lines: tuple[dict[str, Any], ...]
    sets: Sets
    missing: int


class BenchmarkDefinition(ABC):
    """The base of every benchmark.

    evaluation_only  whether a recipe that trains on it is refused unless it says `force: true`; False is for one that
                     comes with rows to train on
    also_called      further names that files and hub ids have for it, if it is; in lower case without - and _
    scored           whether `vlrl score` takes it
    """

    evaluation_only: ClassVar[bool] = True
    also_called: ClassVar[tuple[str, ...]] = ()
    scored: ClassVar[bool] = True

    @abstractmethod
    def draft(self, row: Row, place: str) -> RowDraft:
        """A row in the benchmark's own schema. Raises DataError with `place` for a column that is missing or wrong."""

    def official(self, problem: Problem, answer: Answer, draws: random.Random, integer_rule: IntegerRule) -> Verdict:
        """The verdict by the published rule, luck included; `draws` is seeded once for all rows, in their order.

        Without a rule of its own a benchmark has none that differs from comparing answers: both modes are one.
        """
        raise NotImplementedError(f"{type(self).__name__} publishes no rule of its own")

    @property
    def publishes_rule(self) -> bool:
        """Whether official mode differs from reward mode."""
        return type(self).official is not BenchmarkDefinition.official

    def sets(self, problems: Sequence[Problem], rights: Sequence[bool]) -> Sets:
        """Figures over sets of rows that belong together: grouping → figure → what counts as right in it. Most have
        none.
        """
        return {}

    def recorded(
        self, asked: Sequence[Record], given: Sequence[Record], allow_missing: bool
    ) -> RecordedVerdicts | None:
        """The verdicts that a responses file holds; None where it holds responses, as nearly all do."""
        return None


benchmarks: Registry[Any] = Registry("benchmark", base=BenchmarkDefinition, docs="docs/verifiers.md")


def benchmark_named(name: str) -> BenchmarkDefinition:
    """The benchmark of this name. Raises ConfigError with the closest known one."""
    made: BenchmarkDefinition = benchmarks.get(name)()
    return made


def verdict(right: bool, answer: str | None, note: str = "") -> Verdict:
    """Right or wrong, with what was read as the answer."""
    return Verdict.right(answer, note) if right else Verdict.wrong(note, answer)

"""Weights of problems within their source, by name: `rl: {problem_sampler: {weights: [prioritised]}}`.

They are multiplied.

A weight is in [0, 1]: the share of a problem's turns that it is taken at. The mixture fixes how many problems of each
source a step gets; weights choose inside that share and change nothing of it.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

from pydantic import Field

from vlrl.provenance import Mark, Method
from vlrl.registry import Registry


@dataclass(frozen=True)
class Candidate:
    """A problem whose turn it is.

    difficulty  its label in [0, 1], None where it has none
    rate        success rate so far, of the problem itself or of its like; None where nothing of it was tried
    entropy     mean entropy so far of the uncertain tokens of its responses, in [0, 1] as a share of the largest of any
                general problem; None where nothing of it was tried
    general     whether its source is one of `rl.general`
    """

    difficulty: float | None
    rate: float | None
    entropy: float | None = None
    general: bool = False


class Weight(Protocol):
    """A number in [0, 1]. `reads` says which fields of the candidate it looks at."""

    @property
    def reads(self) -> frozenset[str]: ...

    def __call__(self, one: Candidate, step: int) -> float: ...


problem_weights: Registry[Any] = Registry("weight of problems")


@problem_weights.register("uniform")
class Uniform(Method):
    """1: every problem has its turn."""

    reads: ClassVar[frozenset[str]] = frozenset()

    def __call__(self, one: Candidate, step: int) -> float:
        """1."""
        return 1.0


class Hardness(Method):
    """How hard a problem is: its label, or what of it went wrong so far.

    by     `difficulty` is the label, `success` is 1 − success rate
    prior  hardness of what was never tried, where `by` is `success`
    """

    by: Literal["difficulty", "success"] = "difficulty"
    prior: float = Field(default=0.5, ge=0.0, le=1.0)

    @property
    def reads(self) -> frozenset[str]:
        """The field of the candidate that this looks at."""
        return frozenset({"difficulty" if self.by == "difficulty" else "rate"})

    @property
    def narrows_at(self) -> int:
        """The 0-based step that leaves the fewest problems to choose from."""
        return 0

    @abstractmethod
    def __call__(self, one: Candidate, step: int) -> float:
        """In [0, 1]."""

    def hardness(self, one: Candidate) -> float:
        """In [0, 1]."""
        if self.by == "difficulty":
            assert one.difficulty is not None  # the chooser refuses sources without labels
            return one.difficulty
        return self.prior if one.rate is None else 1.0 - one.rate


@problem_weights.register("warmup_then_hard")
class WarmupThenHard(Hardness):
    """All problems up to `switch_step`, then only those of hardness `hard` or above (k1.5's figure 9, k1.5 §2.3.4)."""

    paper: ClassVar[str] = "Kimi k1.5, 2501.12599 §2.3.4, figure 9"
    mark: ClassVar[Mark] = "P"

    switch_step: int = Field(default=24, ge=0)
    hard: float = Field(default=0.5, ge=0.0, le=1.0)

    @property
    def narrows_at(self) -> int:
        """From the switch on."""
        return self.switch_step

    def __call__(self, one: Candidate, step: int) -> float:
        """0 or 1."""
        return 1.0 if step < self.switch_step or self.hardness(one) >= self.hard else 0.0


@problem_weights.register("easy_to_hard")
class EasyToHard(Hardness):
    """Problems up to a hardness that rises in a line from `first` to 1 at `end_step` (k1.5 §2.3.4)."""

    paper: ClassVar[str] = "Kimi k1.5, 2501.12599 §2.3.4"
    mark: ClassVar[Mark] = "P"

    first: float = Field(default=0.3, ge=0.0, le=1.0)
    end_step: int = Field(default=50, ge=1)

    def __call__(self, one: Candidate, step: int) -> float:
        """0 or 1."""
        ceiling = self.first + (1 - self.first) * min(1.0, step / self.end_step)
        return 1.0 if self.hardness(one) <= ceiling else 0.0


@problem_weights.register("prioritised")
class Prioritised(Method):
    """1 − s, s the success rate: what is mostly solved comes seldom (k1.5 §2.3.4).

    floor  least weight, so that solved problems are tried again
    prior  success rate of what was never tried; 0 tries it first
    """

    paper: ClassVar[str] = "Kimi k1.5, 2501.12599 §2.3.4"
    mark: ClassVar[Mark] = "P"
    reads: ClassVar[frozenset[str]] = frozenset({"rate"})

    floor: float = Field(default=0.05, gt=0.0, le=1.0)
    prior: float = Field(default=0.5, ge=0.0, le=1.0)

    def __call__(self, one: Candidate, step: int) -> float:
        """In [floor, 1]."""
        return max(self.floor, 1.0 - (self.prior if one.rate is None else one.rate))


@problem_weights.register("heal")
class ByEntropyAndAccuracy(Method):
    """(1 − 2·|s − ½|)·H of general problems, 1 of all others: s the success rate, H the mean entropy of the top 20 % of
    its responses' tokens, as a share of the largest of any general problem (HEAL's choice of general data).

    HEAL takes the best 384 of a pool once; here each has its turn with that chance (ours), so that the choice follows
    the policy and needs no pass over the pool.

    floor  least weight, so that other problems are tried again; 1: every problem has its turn
    prior  weight of a general problem that was never tried
    """

    paper: ClassVar[str] = "HEAL, 2604.17928"
    mark: ClassVar[Mark] = "R"
    reads: ClassVar[frozenset[str]] = frozenset({"rate", "entropy"})
    needs: ClassVar[frozenset[str]] = frozenset({"entropy", "general"})

    floor: float = Field(default=0.05, gt=0.0, le=1.0)
    prior: float = Field(default=1.0, ge=0.0, le=1.0)

    def __call__(self, one: Candidate, step: int) -> float:
        """In [floor, 1]."""
        if not one.general:
            return 1.0
        if one.rate is None or one.entropy is None:
            return max(self.floor, self.prior)
        return max(self.floor, (1.0 - 2.0 * abs(one.rate - 0.5)) * one.entropy)

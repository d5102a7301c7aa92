"""The mixture: which source every training problem comes from, by exact counts rather than by luck.

Over any number of draws each source has given its share of the problems, up to one problem of rounding: the source that
is furthest behind its share gives the next one (largest remainder, carried over from draw to draw). Shares may change
over training; what a source owes from earlier draws stays owed. A capped tag is on no more than its share of all
problems: what would exceed it is left out and the source gives its next problem instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Protocol

import numpy as np

from vlrl.data.fixed_sets import (
    ATTEMPTS,
    PATIENCE,
    demonstrations,
    exhausted,
    held_out_problems,
    ids_of,
    recipe_texts,
)
from vlrl.data.images.open_images import BadImageError
from vlrl.data.recipe import Recipe
from vlrl.data.rows.bad_rows import Check, SkippedRows
from vlrl.data.sources import Source, build_sources, checked_item
from vlrl.errors import BadRowError, DataError, RunError
from vlrl.seeding import stream
from vlrl.types import Problem

__all__ = ["Mixture", "demonstrations", "held_out_problems", "recipe_texts"]


TURNS = 1000  # problems (for each row of a finite source) that a chooser may pass over in a row before it is an error


class Chooser(Protocol):
    """Chooses among a source's problems, and may change how much each source gives: vlrl.curriculum."""

    def accepts(self, source: Source, index: int, epoch: int) -> bool:
        """Whether the problem at `index` is taken in this epoch."""

    def given(self, source: Source, index: int, problem: Problem) -> None:
        """Note that the problem at `index` was drawn."""

    def shares(self, shares: Mapping[str, Fraction]) -> dict[str, Fraction]:
        """The shares to draw by, from those of the recipe."""


@dataclass
class _SourceProgress:
    """How far a source has come. `position` counts items of this epoch; `drawn` and the rest count over all epochs."""

    position: int = 0
    epoch: int = 0
    drawn: int = 0
    held_out: int = 0  # draws left out because they are held out
    bad_images: int = 0  # draws left out because an image can't be read
    bad_rows: int = 0  # draws left out because the row can't be used for another reason
    capped: int = 0  # draws left out because a tag of theirs is at its cap
    passed_over: int = 0  # problems that a chooser did not take


class Mixture:
    """Draws training problems from a recipe. Draws whose id or twin's id is held out are skipped and counted.

    A problem that `check` raises for is a bad row of its source: an error, or left out as the source says.
    Raises DataError if a source has nothing left that isn't held out.
    """

    def __init__(self, recipe: Recipe, seed: int, held_out: Iterable[Problem] = (), check: Check | None = None) -> None:
        self.seed = seed
        self.sources = build_sources(recipe, seed)
        self._by_name = {source.name: source for source in self.sources}
        self.skipped = SkippedRows(recipe)
        self.check = check
        self._recipe = recipe
        self._shares = recipe.shares
        self._caps = {tag: Fraction(str(cap)) for tag, cap in recipe.caps.items()}
        self._held_out = ids_of(held_out)
        # changed by draw() alone: draw_from() is outside the mixture's shares and caps
        self._owed = dict.fromkeys(self._shares, Fraction(0))
        self._total = 0
        self._tagged = dict.fromkeys(self._caps, 0)
        self._so_far = {name: _SourceProgress() for name in self._shares}
        self._orders: dict[str, np.ndarray] = {}

    def draw(self, count: int, progress: Fraction = Fraction(0), chooser: Chooser | None = None) -> list[Problem]:
        """The next `count` problems, shares exact as they are at `progress` in [0, 1], sources interleaved.

        A chooser takes or passes over problems within their source, and may change the shares.
        """
        names = self._allot(count, progress, chooser)
        amounts = {name: names.count(name) for name in self._shares}
        self._total += count
        drawn = [
            ((number + 0.5) / amounts[name], order, self._count(self._next(name, self._full(), chooser)))
            for order, name in enumerate(self._shares)
            for number in range(amounts[name])
        ]
        return [problem for _, _, problem in sorted(drawn, key=lambda item: item[:2])]

    def draw_from(self, source: str, count: int) -> list[Problem]:
        """The next `count` problems of one source; shares and caps of later draws stay as they are."""
        return [self._next(source) for _ in range(count)]

    def _allot(self, count: int, progress: Fraction, chooser: Chooser | None) -> list[str]:
        """The source of each of the next `count` problems, by largest remainder."""
        names = []
        shares = self._recipe.shares_at(progress)
        for name, share in (chooser.shares(shares) if chooser else shares).items():
            self._owed[name] += share * count
        for _ in range(count):
            name = max(
                self._owed, key=lambda candidate: self._owed[candidate]
            )  # the first in the recipe's order among equals
            self._owed[name] -= 1
            names.append(name)
        return names

    def _full(self) -> frozenset[str]:
        """Tags that one more problem would bring above their cap."""
        return frozenset(tag for tag, cap in self._caps.items() if self._tagged[tag] + 1 > cap * self._total)

    def _count(self, problem: Problem) -> Problem:
        """The problem, its capped tags counted."""
        for tag in self._tagged.keys() & set(problem.tags):
            self._tagged[tag] += 1
        return problem

    def _next(self, name: str, full: frozenset[str] = frozenset(), chooser: Chooser | None = None) -> Problem:
        """The next usable problem of a source: not held out, without a tag of `full`. Raises DataError for none."""
        source, so_far = self._by_name[name], self._so_far[name]
        for _ in range(max(PATIENCE, source.size or 0)):
            index = self._turn(source, so_far, chooser)
            for attempt in range(ATTEMPTS if source.fresh else 1):
                try:
                    problem, _ = checked_item(source, "train", index, attempt, self.check)
                except BadRowError as error:
                    self.skipped.leave_out(name, error)
                    if isinstance(error, BadImageError):
                        so_far.bad_images += 1
                    else:
                        so_far.bad_rows += 1
                    break
                self.skipped.read(name)
                if problem.content_id in self._held_out or problem.twin in self._held_out:
                    so_far.held_out += 1
                elif not full.isdisjoint(problem.tags):
                    so_far.capped += 1
                else:
                    so_far.drawn += 1
                    if chooser:
                        chooser.given(source, index, problem)
                    return problem
        if full and so_far.capped:
            raise DataError(
                f"source {name!r}",
                f"gave no problem without the tags {sorted(full)}, which are at their caps",
                "raise the recipe's caps, or lower the weight of this source",
            )
        raise exhausted(name, "train", self.skipped)

    def _turn(self, source: Source, so_far: _SourceProgress, chooser: Chooser | None) -> int:
        """The next index that the chooser takes. Raises DataError where it takes none of many."""
        for _ in range(TURNS * max(1, source.size or 1)):
            index = self._index(source, so_far)
            so_far.position += 1
            if chooser is None or chooser.accepts(source, index, so_far.epoch):
                return index
            so_far.passed_over += 1
        raise DataError(
            f"source {source.name!r}",
            f"has no problem that rl.problem_sampler.weights take, in {TURNS * max(1, source.size or 1)} turns",
            "widen the source's difficulty, or change the weights",
        )

    def _index(self, source: Source, so_far: _SourceProgress) -> int:
        """The index at the source's position: a finite source begins a new epoch, shuffled, when it has run out."""
        if source.size is None:
            return so_far.position
        if so_far.position >= source.size:
            so_far.position, so_far.epoch = 0, so_far.epoch + 1
            self._orders.pop(source.name, None)
        order = self._orders.get(source.name)
        if order is None:
            order = stream(self.seed, "data", source.name, "order", so_far.epoch).permutation(source.size)
            self._orders[source.name] = order
        return int(order[so_far.position])

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """By source: `drawn` problems; `held_out`, `bad_images`, `bad_rows`, `capped`, `passed_over` ones; `epochs`."""
        sources = self._so_far.items()
        return {
            "drawn": {name: so_far.drawn for name, so_far in sources},
            "held_out": {name: so_far.held_out for name, so_far in sources},
            "bad_images": {name: so_far.bad_images for name, so_far in sources},
            "bad_rows": {name: so_far.bad_rows for name, so_far in sources},
            "capped": {name: so_far.capped for name, so_far in sources},
            "passed_over": {name: so_far.passed_over for name, so_far in sources},
            "epochs": {name: so_far.epoch for name, so_far in sources},
        }

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next draw depends on besides recipe and seed; can be written as JSON."""
        return {
            "seed": self.seed,
            "shares": {name: str(share) for name, share in self._shares.items()},
            "owed": {name: str(owed) for name, owed in self._owed.items()},
            "total": self._total,
            "tagged": dict(self._tagged),
            "places": {name: asdict(so_far) for name, so_far in self._so_far.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the state was taken. Raises RunError if it belongs to another mixture or seed."""
        shares = {name: str(share) for name, share in self._shares.items()}
        if state["seed"] != self.seed or state["shares"] != shares:
            raise RunError(
                "checkpoint, data mixture",
                f"was drawn with seed {state['seed']} from {state['shares']}, this run has {self.seed} and {shares}",
                "resume with the recipe and seed that the run was started with",
            )
        self._owed = {name: Fraction(state["owed"][name]) for name in self._shares}
        self._total = int(state["total"])
        self._tagged = {tag: int(state["tagged"].get(tag, 0)) for tag in self._caps}
        self._so_far = {name: _SourceProgress(**state["places"][name]) for name in self._shares}
        self._orders = {}

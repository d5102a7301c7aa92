"""How much the policy can still learn from each source: its share of a step, and how hard the loss's pull holds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from vlrl.credit.advantage.advantages import Advantage
from vlrl.losses.loss_registry import Loss
from vlrl.provenance import Mark, Method
from vlrl.types import ScoredGroup

UNTRIED = 1.0  # potential of a source before its first group: the largest there is


class TaskUtility(Method):
    """A source's utility is the moving average of its potential, the mean of 4p(1 − p) over its groups (p: share of
    right responses), and the average's trend:

        utility = max(0, average + trend · (moving average of the average's changes))

    With u = utility over the mean utility, a source's share is that of the recipe times floor + (1 − floor)·u, the mean
    being weighted by the recipe's shares. ASTOR's utility has a term for synergy of tasks, which this leaves out; the
    paper says no formula for either, so all of this is ours.

    floor   what of its share a source without any utility keeps; 1: utility changes nothing
    memory  what of an average stays when a new value comes
    trend   weight of the trend; 0: the average alone
    pull    whether τ of `kimi`, β of `grpo` is multiplied, source by source, by what goes as 1/(floor + (1 − floor)·u)
            and has mean 1 over the sources: what moves little more is held, what learns is let go. u is here that over
            the plain mean
    """

    paper: ClassVar[str] = "ASTOR"
    mark: ClassVar[Mark] = "D"

    floor: float = Field(default=0.1, gt=0.0, le=1.0)
    memory: float = Field(default=0.8, ge=0.0, lt=1.0)
    trend: float = Field(default=1.0, ge=0.0)
    pull: bool = False

    def check_pull(self, loss: Loss, advantage: Advantage, first_updates: bool) -> None:
        """Raises ValueError where `pull` multiplies nothing, or only one of two places where τ stands.

        first_updates  whether every update is its step's first, in which the policy hasn't left the step's start, and
                       there is no other policy that the loss pulls to
        """
        if not self.pull:
            return
        place = "problem_sampler.utility.pull multiplies the loss's pull to an earlier policy source by source"
        if not loss.reads_pull_scales:
            raise ValueError(
                f"{place}, and {type(loss).__name__} as it is set up has none; take kimi with tau or grpo with beta "
                "above 0, or leave it out"
            )
        if first_updates:
            raise ValueError(
                f"{place}, which is zero in the first update of a step; make several (updates_per_step, "
                "epochs_per_step), or leave it out"
            )
        if advantage.objective_tau is not None:
            raise ValueError(
                f"{place}, and the baseline of {type(advantage).__name__} has one τ for all; take another advantage, "
                "or leave it out"
            )


class TaskUtilities:
    """Utilities of all sources of a run; a group that couldn't be judged says nothing of its source's."""

    def __init__(self, settings: TaskUtility, sources: Sequence[str]) -> None:
        self.settings = settings
        self._sources = tuple(sources)
        self._averages: dict[str, float] = {}
        self._trends: dict[str, float] = {}

    def observe(self, groups: Sequence[ScoredGroup]) -> None:
        """The groups of a step, or of one round of it: one new value for each source that has some."""
        memory = self.settings.memory
        for source in self._sources:
            rates = [g.pass_rate for g in groups if g.problem.source == source and any(g.judged)]
            if not rates:
                continue
            potential = sum(4 * p * (1 - p) for p in rates) / len(rates)
            before = self._averages.get(source, potential)
            average = memory * before + (1 - memory) * potential
            change = average - before
            self._averages[source] = average
            self._trends[source] = memory * self._trends.get(source, 0.0) + (1 - memory) * change

    def utility(self, source: str) -> float:
        """0 or above; UNTRIED before its first group."""
        if source not in self._averages:
            return UNTRIED
        return max(0.0, self._averages[source] + self.settings.trend * self._trends[source])

    def factors(self, weights: Mapping[str, float]) -> dict[str, float]:
        """floor + (1 − floor)·u by source, of mean 1 by these weights; 1 everywhere where no source has any utility."""
        floor = self.settings.floor
        utilities = {source: self.utility(source) for source in weights}
        mean = sum(weights[source] * utilities[source] for source in weights) / sum(weights.values())
        if mean == 0.0:
            return dict.fromkeys(weights, 1.0)
        return {source: floor + (1 - floor) * utility / mean for source, utility in utilities.items()}

    def pulls(self) -> dict[str, float]:
        """By source what the pull is multiplied by: as 1/factor, of mean 1 over the sources."""
        inverse = {source: 1 / factor for source, factor in self.factors(dict.fromkeys(self._sources, 1.0)).items()}
        mean = sum(inverse.values()) / len(inverse)
        return {source: value / mean for source, value in inverse.items()}

    def metrics(self) -> dict[str, float]:
        """utility/<source> of what was tried; pull/<source> where the pull goes by it."""
        found = {f"utility/{source}": self.utility(source) for source in self._sources if source in self._averages}
        if self.settings.pull:
            found |= {f"pull/{source}": value for source, value in self.pulls().items()}
        return found

    def state_dict(self) -> dict[str, Any]:
        """Averages and trends, for a checkpoint."""
        return {"averages": dict(self._averages), "trends": dict(self._trends)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self._averages, self._trends = dict(state["averages"]), dict(state["trends"])

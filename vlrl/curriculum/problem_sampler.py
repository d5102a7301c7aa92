"""Choosing among a source's problems, and how much of a step each modality gets. Success so far is kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from pydantic import Field, field_validator

from vlrl.config import Settings
from vlrl.curriculum.problem_weights import Candidate, Hardness, problem_weights
from vlrl.curriculum.task_utility import TaskUtilities, TaskUtility
from vlrl.data.mixture import Mixture
from vlrl.data.source_weights import shares_of
from vlrl.data.sources import Source
from vlrl.errors import ConfigError, DataError
from vlrl.registry import component_field
from vlrl.seeding import stream
from vlrl.types import MODALITIES, Modality, Problem, ScoredGroup

LABELS = 50_000  # of a finite source that are read at the start, to see that weights leave something to choose
LABELS_DRAWN = 1_000  # of an endless one
UNCERTAIN = 0.2  # share of a response's tokens, those of the highest entropy, that `heal` reads


class ModalityGap(Settings):
    """Rendered sources weigh 1 + gain·(accuracy on text − accuracy on rendered twins), at most `most`, never below 1.

    Both accuracies are of the pairs of twins in the last validation; before the first one nothing changes.
    """

    gain: float = Field(default=1.0, ge=0.0)
    most: float = Field(default=2.0, ge=1.0)


class ProblemSamplerSettings(Settings):
    """Which problems a step gets, inside what the recipe says."""

    weights: tuple[component_field(problem_weights), ...] = Field(  # type: ignore[valid-type]
        default=(), description="choose among the problems of a source; multiplied. None: every problem has its turn"
    )
    bins: int = Field(default=10, ge=1, description="bins of difficulty that a generated domain's success is kept in")
    memory: float = Field(default=0.8, ge=0.0, lt=1.0, description="what of a success rate stays when a new one comes")
    budgets: dict[Modality, float] | None = Field(
        default=None, description="shares of the modalities, 0: only tested; the sources of each keep their proportions"
    )
    modality_gap: ModalityGap | None = None
    utility: TaskUtility | None = Field(
        default=None, description="shares of sources by what the policy can learn of them"
    )

    @property
    def parts(self) -> tuple[Any, ...]:
        """What of it has a source of its own, for the run card."""
        return (*self.weights, *(() if self.utility is None else (self.utility,)))

    @field_validator("budgets")
    @classmethod
    def _are_shares(cls, budgets: dict[Modality, float] | None) -> dict[Modality, float] | None:
        if budgets is not None and (min(budgets.values(), default=0) < 0 or abs(sum(budgets.values()) - 1) > 1e-9):
            raise ValueError(f"budgets are 0 or above and add up to 1, these to {sum(budgets.values())}")
        return budgets


class ProblemSampler:
    """One for a run. Raises ConfigError or DataError where the settings don't fit the mixture's sources.

    general  names of the sources of general problems

    Success rates are kept for every problem of a finite source, and for every bin of difficulty of a source whose
    problems are endless (a generated problem is never seen twice) or come in a stream. Such a source has one domain.
    """

    def __init__(
        self,
        settings: ProblemSamplerSettings,
        mixture: Mixture,
        steps: int | None = None,
        general: Sequence[str] = (),
    ) -> None:
        self.settings, self._general = settings, frozenset(general)
        self._seed = mixture.seed
        self._sources = {source.name: source for source in mixture.sources}
        self._reads = frozenset(field for part in settings.weights for field in part.reads)
        self._rates: dict[str, float] = {}
        self._entropies: dict[str, float] = {}  # of general problems, in nats
        self._largest = 0.0  # of these
        self._ids: dict[str, str] = {}  # "source#index" of a finite source → id of the problem there
        self._gap = 0.0
        held = {source.modality for source in mixture.sources}
        if settings.budgets is not None and set(settings.budgets) != held:
            raise ConfigError(
                "rl.problem_sampler.budgets",
                f"are for {sorted(settings.budgets)}, the recipe has {sorted(held)}",
                "give a share to each modality of the recipe",
            )
        if settings.modality_gap is not None and not {"text", "rendered"} <= held:
            raise ConfigError(
                "rl.problem_sampler.modality_gap",
                f"compares text with rendered, the recipe has {sorted(held)}",
                "leave it out",
            )
        if not self._general <= set(self._sources) or self._general == set(self._sources):
            raise ConfigError(
                "rl.general",
                f"names {sorted(self._general)}, the recipe has the sources {sorted(self._sources)}",
                "name some of them, not all",
            )
        if settings.utility is not None and len(self._sources) < 2:
            raise ConfigError(
                "rl.problem_sampler.utility",
                f"compares sources, the recipe has {sorted(self._sources)}",
                "leave it out, or give the recipe another source",
            )
        self._utilities = None if settings.utility is None else TaskUtilities(settings.utility, list(self._sources))
        self._step = 0
        for source in mixture.sources:
            self._refuse_unlabelled(source)
            self._refuse_empty(source, steps)

    def _refuse_unlabelled(self, source: Source) -> None:
        """Weights read what a source has: labels, or success, which is kept by problem or else by difficulty."""
        if source.labelled:
            return
        place = f"source {source.name!r}"
        if "difficulty" in self._reads:
            raise DataError(
                place,
                "its problems have no difficulty, which a weight of rl.problem_sampler reads",
                "name a column with it (`columns: {difficulty: …}`), or set `by: success` for that weight",
            )
        if "rate" in self._reads and source.size is None:
            raise DataError(
                place,
                "is a stream of rows without a difficulty: there is nothing that a success rate could be kept by, and "
                "a weight of rl.problem_sampler reads one",
                "name a column with it (`columns: {difficulty: …}`), or read the rows without `streaming`",
            )

    def _refuse_empty(self, source: Source, steps: int | None) -> None:
        """Labels leave something to choose at each step from which on a weight that reads them takes fewest.

        Raises DataError before the run where none of the first LABELS does and the source has no more of them.
        """
        weights = [part for part in self.settings.weights if isinstance(part, Hardness) and part.by == "difficulty"]
        unread = source.size is None and not source.fresh  # a stream
        if not weights or unread or (source.size or 0) > LABELS:
            return
        labels = [source.difficulty_of("train", index) for index in range(source.size or LABELS_DRAWN)]
        for step in sorted({part.narrows_at for part in weights}):
            taken = any(all(part(Candidate(label, None), step) for part in weights) for label in labels)
            if not taken and (steps is None or step < steps):
                known = [label for label in labels if label is not None]
                raise DataError(
                    f"source {source.name!r}, rl.problem_sampler, from step {step + 1} on",
                    f"its weights take no problem: difficulties are {min(known):.3g} to {max(known):.3g}",
                    "change the weights' bounds (`hard`, `first`), or give the source problems that they take",
                )

    @property
    def chooses(self) -> bool:
        """Whether there are weights: without them the mixture's own order is taken as it is."""
        return bool(self.settings.weights)

    def at(self, step: int) -> ProblemSampler:
        """This sampler, set to the 0-based RL step whose problems it chooses next."""
        self._step = step
        return self

    def accepts(self, source: Source, index: int, epoch: int) -> bool:
        """Whether the problem at an index of a source's training split is taken at this turn."""
        if not self.chooses:
            return True
        one = self._candidate(source, index)
        weight: float = math.prod(part(one, self._step) for part in self.settings.weights)
        return float(stream(self._seed, "drawing", source.name, index, epoch).random()) < weight

    def given(self, source: Source, index: int, problem: Problem) -> None:
        """The mixture gave this problem."""
        if self.chooses and source.size is not None:
            self._ids[f"{source.name}#{index}"] = problem.id

    def observe(self, groups: Sequence[ScoredGroup]) -> None:
        """Success of groups that could be judged."""
        if self._utilities is not None:
            self._utilities.observe(groups)
        for group in groups:
            if not self.chooses or all(verdict.fault is not None for verdict in group.verdicts):
                continue
            key = self._key(group.problem)
            if key is None:
                continue
            self._keep(self._rates, key, group.pass_rate)
            if "entropy" in self._reads and group.problem.source in self._general:
                self._keep(self._entropies, key, uncertain_entropy(group))
                self._largest = max(self._entropies.values())

    def _keep(self, averages: dict[str, float], key: str, value: float) -> None:
        memory = self.settings.memory
        averages[key] = memory * averages.get(key, value) + (1 - memory) * value

    def validated(self, scores: Mapping[str, float]) -> None:
        """Scores of a validation; of these `twins/text` and `twins/rendered` count."""
        if {"twins/text", "twins/rendered"} <= set(scores):
            self._gap = scores["twins/text"] - scores["twins/rendered"]

    def shares(self, shares: Mapping[str, Fraction]) -> dict[str, Fraction]:
        """Shares of sources in this step, from the recipe's."""
        settings, found = self.settings, dict(shares)
        if settings.budgets is not None:
            for modality in MODALITIES:
                names = [name for name in found if self._sources[name].modality == modality]
                held = sum((shares[name] for name in names), Fraction(0))
                for name in names:
                    found[name] = shares[name] / held * Fraction(str(settings.budgets[modality])) if held else held
        if settings.modality_gap is not None:
            gap = settings.modality_gap
            factor = Fraction(str(round(min(gap.most, 1 + gap.gain * max(0.0, self._gap)), 6)))
            for name in found:
                if self._sources[name].modality == "rendered":
                    found[name] *= factor
        if self._utilities is not None:
            factors = self._utilities.factors({name: float(share) for name, share in found.items()})
            found = {name: share * Fraction(str(round(factors[name], 6))) for name, share in found.items()}
        return shares_of(found) if found != dict(shares) else found

    @property
    def pulls(self) -> dict[str, float] | None:
        """By source what the pull of the loss is multiplied by; None: by nothing."""
        return self._utilities.pulls() if self._utilities is not None and self._utilities.settings.pull else None

    def metrics(self) -> dict[str, float]:
        """curriculum/success: mean success rate of what was tried; curriculum/tried: how many problems or bins;
        curriculum/entropy: mean over general ones of what `heal` reads, in nats; utility/<source> and pull/<source>
        with `utility`.
        """
        found = {} if self._utilities is None else self._utilities.metrics()
        if not self._rates:
            return found
        if self._entropies:
            found["curriculum/entropy"] = sum(self._entropies.values()) / len(self._entropies)
        return {
            **found,
            "curriculum/success": sum(self._rates.values()) / len(self._rates),
            "curriculum/tried": float(len(self._rates)),
        }

    def _candidate(self, source: Source, index: int) -> Candidate:
        needed = "difficulty" in self._reads or ("rate" in self._reads and source.size is None)
        difficulty = source.difficulty_of("train", index) if needed else None
        if source.size is None:
            key = None if difficulty is None else self._bin(source.name, difficulty)
        else:
            held = self._ids.get(f"{source.name}#{index}")
            key = None if held is None else f"{source.name}:{held}"
        if key is None:
            return Candidate(difficulty, None, None, source.name in self._general)
        entropy = self._entropies.get(key)
        share = None if entropy is None else entropy / self._largest if self._largest else 0.0
        return Candidate(difficulty, self._rates.get(key), share, source.name in self._general)

    def _key(self, problem: Problem) -> str | None:
        """Where a problem's success is kept; None where no weight reads it and a stream's rows have no label."""
        source = self._sources[problem.source]
        if source.size is not None:
            return f"{source.name}:{problem.id}"
        return None if problem.difficulty is None else self._bin(source.name, problem.difficulty)

    def _bin(self, source: str, difficulty: float) -> str:
        return f"{source}@{min(int(difficulty * self.settings.bins), self.settings.bins - 1)}"

    def state_dict(self) -> dict[str, Any]:
        """Success rates, entropies, the last gap and utilities, for a checkpoint."""
        return {
            "rates": dict(self._rates),
            "entropies": dict(self._entropies),
            "ids": dict(self._ids),
            "gap": self._gap,
            "utilities": {} if self._utilities is None else self._utilities.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self._rates, self._ids, self._gap = dict(state["rates"]), dict(state["ids"]), float(state["gap"])
        self._entropies = dict(state.get("entropies", {}))  # checkpoints of before have none
        self._largest = max(self._entropies.values(), default=0.0)
        if self._utilities is not None:
            self._utilities.load_state_dict(state["utilities"])


def uncertain_entropy(group: ScoredGroup) -> float:
    """Mean over responses of the mean entropy, in nats, of the UNCERTAIN share of the tokens that the policy wrote; 0
    for a response without any.
    """
    means = []
    for rollout, values in zip(group.rollouts, group.statistics["entropy"], strict=True):
        highest = sorted(rollout.written(values), reverse=True)
        highest = highest[: math.ceil(UNCERTAIN * len(highest))]
        means.append(sum(highest) / max(1, len(highest)))
    return sum(means) / len(means)

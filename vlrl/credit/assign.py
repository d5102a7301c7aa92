"""Groups + verdicts → ScoredGroups: rewards by name, their total, advantages, token weights. Faults leave the baseline.

shape → advantage → adjust → token_credit → weigh
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import Field, model_validator

from vlrl.config import Settings
from vlrl.credit.advantage.advantages import MeanBaseline, State, advantages
from vlrl.credit.groups import CreditContext, CreditedGroup, JudgedGroup, PerToken, RewardedGroup
from vlrl.credit.rewards.shapes import shapes
from vlrl.credit.tokens.token_parts import add, adjusts, multiply, token_credits, weighers
from vlrl.credit.tokens.token_weights import own_tokens
from vlrl.errors import NonFiniteError
from vlrl.provenance import needs_of, source_of
from vlrl.registry import component_field
from vlrl.types import Group, Rewards, ScoredGroup, Verdict


class CreditSettings(Settings):
    """How verdicts become advantages."""

    shape: tuple[component_field(shapes), ...] = Field(  # type: ignore[valid-type]
        default=(), description="reward parts besides the score; their weighted sum is added to it"
    )
    advantage: component_field(advantages, default="mean") = Field(default_factory=MeanBaseline)  # type: ignore[valid-type]
    adjust: tuple[component_field(adjusts), ...] = Field(  # type: ignore[valid-type]
        default=(), description="parts that move advantages within a group, one after the other"
    )
    token_credit: tuple[component_field(token_credits), ...] = Field(  # type: ignore[valid-type]
        default=(), description="parts that give single tokens an advantage of their own; added up"
    )
    weigh: tuple[component_field(weighers), ...] = Field(  # type: ignore[valid-type]
        default=(), description="parts that give tokens a weight of 0 or above; multiplied"
    )

    @model_validator(mode="after")
    def _each_part_once(self) -> CreditSettings:
        for kind, registry in (("shape", shapes), ("weigh", weighers), ("token_credit", token_credits)):
            names = [_name(registry, part) for part in getattr(self, kind)]
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"{kind} names {name!r} twice; give it once, with the settings it should have")
        shaped = [_name(shapes, part) for part in self.shape]
        if shaped and not getattr(self.advantage, "reads_shape", True):
            raise ValueError(
                f"the advantage {_name(advantages, self.advantage)!r} reads right or wrong alone, so the reward parts "
                f"{shaped} would have no effect; take another advantage or leave `shape` out"
            )
        if _name(advantages, self.advantage) == "lead":
            if shaped != ["lead_length"]:
                raise ValueError("the advantage 'lead' weighs the score and `shape: [lead_length]`, no other part")
            if self.shape[0].weight != 1.0 or self.shape[0].ramp_steps:
                raise ValueError(
                    "the advantage 'lead' finds the weight of `lead_length` by itself, so weight and ramp_steps would "
                    "have no effect; leave them out, or take another advantage"
                )
        return self

    @property
    def parts(self) -> tuple[Any, ...]:
        """All parts in the order in which they are used."""
        return (*self.shape, self.advantage, *self.adjust, *self.token_credit, *self.weigh)

    @property
    def needs(self) -> frozenset[str]:
        """What the parts need besides rollouts and verdicts."""
        return needs_of(self.parts)

    def sources(self) -> list[str]:
        """Every part with its mark and paper, for the run card."""
        return [source_of(part) for part in self.parts]


@dataclass(frozen=True)
class Judged:
    """A group with a verdict for every response.

    statistics     by name, for *every* response of the group a number per token
    contrast_rate  share of right responses to the perturbed problem; None where it was not asked
    """

    group: Group
    verdicts: Sequence[Verdict]
    statistics: Mapping[str, PerToken] = field(default_factory=dict)
    contrast_rate: float | None = None

    @property
    def used(self) -> tuple[bool, ...]:
        """(k,) whether a response could be judged."""
        return tuple(verdict.fault is None for verdict in self.verdicts)

    def usable(self) -> JudgedGroup:
        """The responses that could be judged."""
        places = [i for i, use in enumerate(self.used) if use]
        return JudgedGroup(
            self.group.problem,
            tuple(self.group.rollouts[i] for i in places),
            tuple(self.verdicts[i] for i in places),
            {name: tuple(values[i] for i in places) for name, values in self.statistics.items()},
            self.contrast_rate,
        )


class Credit:
    """Credit by one set of settings, with what its parts remember from step to step."""

    def __init__(self, settings: CreditSettings) -> None:
        self.settings = settings
        self._states: dict[str, State] = {}

    def assign(self, judged: Sequence[Judged], moment: CreditContext, remember: bool = True) -> list[ScoredGroup]:
        """Credit for all groups of one step, in order: once a step, since parts remember what they saw.

        Without `remember` nothing of this call is remembered: a look at what credit would be. A faulted verdict has no
        reward: its rollout is unused, with advantage 0, and no part sees it. A group with fewer usable rollouts than
        the advantage's `least` has no baseline: all its advantages are 0.
        """
        before = {place: dict(state) for place, state in self._states.items()}
        found = self._assign(judged, moment)
        if not remember:
            self._states = before
        return found

    def _assign(self, judged: Sequence[Judged], moment: CreditContext) -> list[ScoredGroup]:
        settings = self.settings
        rewarded = [self._reward(one.usable(), moment) for one in judged]
        enough = [i for i, one in enumerate(rewarded) if len(one.rewards.total) >= settings.advantage.least]
        given = settings.advantage.over([rewarded[i] for i in enough], moment, self._state("advantage"))
        found: dict[int, tuple[float, ...]] = dict(zip(enough, given, strict=True))
        for i, values in found.items():
            _check_finite(f"advantage of {type(settings.advantage).__name__}", values, rewarded[i].group)
        credited = [
            CreditedGroup(one.group, found.get(i, (0.0,) * len(one.rewards.total))) for i, one in enumerate(rewarded)
        ]
        for number, part in enumerate(settings.adjust):
            moved = part.over(credited, moment, self._state(f"adjust.{number}"))
            credited = [CreditedGroup(one.group, new) for one, new in zip(credited, moved, strict=True)]
        for number, part in enumerate(settings.token_credit):
            extra = part.over(credited, moment, self._state(f"token_credit.{number}"))
            credited = [
                CreditedGroup(one.group, one.advantages, add(one.token_advantages, more))
                for one, more in zip(credited, extra, strict=True)
            ]
        credited = [replace(one, token_weights=own_tokens(one.group.rollouts)) for one in credited]
        for number, part in sorted(enumerate(settings.weigh), key=lambda held: getattr(held[1], "last", False)):
            factors = part.over(credited, moment, self._state(f"weigh.{number}"))
            credited = [
                replace(one, token_weights=multiply(one.token_weights, more))
                for one, more in zip(credited, factors, strict=True)
            ]
        return [_spread(*held) for held in zip(judged, rewarded, credited, strict=True)]

    def _reward(self, group: JudgedGroup, moment: CreditContext) -> RewardedGroup:
        parts: dict[str, tuple[float, ...]] = {"score": tuple(verdict.score for verdict in group.verdicts)}
        weights = {"score": 1.0}
        total = list(parts["score"])
        for shape in self.settings.shape:
            weight = shape.weight_at(moment.step)
            if weight:
                name = _name(shapes, shape)
                parts[name], weights[name] = shape.of(group, moment), weight
                _check_finite(f"reward part {name!r}", parts[name], group)
                total = [t + weight * value for t, value in zip(total, parts[name], strict=True)]
        return RewardedGroup(group, Rewards(parts, tuple(total)), weights)

    def _state(self, place: str) -> State:
        return self._states.setdefault(place, {})

    def state_dict(self) -> dict[str, Any]:
        """What the parts remember, by the place of the part."""
        return {place: dict(state) for place, state in self._states.items() if state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self._states = {place: dict(held) for place, held in state.items()}


def _check_finite(what: str, values: Sequence[float], group: JudgedGroup) -> None:
    """Raises NonFiniteError that names the part, the problem and the response (among those that could be judged)."""
    for j, value in enumerate(values):
        if not math.isfinite(value):
            raise NonFiniteError(
                f"problem {group.problem.id}, response {j}, {what}",
                f"is {value}, from scores {[verdict.score for verdict in group.verdicts]}",
                "mend the part, or leave it out",
            )


def _spread(judged: Judged, rewarded: RewardedGroup, credited: CreditedGroup) -> ScoredGroup:
    """Values of the usable responses at their places among all; 0 elsewhere."""
    used, teacher_token_ids = judged.used, judged.statistics.get("teacher_token")
    rewards = rewarded.rewards
    lengths = [rollout.num_tokens for rollout in judged.group.rollouts]

    def all_tokens(values: PerToken | None) -> PerToken | None:
        if values is None:
            return None
        held = iter(values)
        return tuple(next(held) if use else (0.0,) * length for use, length in zip(used, lengths, strict=True))

    return ScoredGroup(
        judged.group.problem,
        judged.group.rollouts,
        tuple(judged.verdicts),
        Rewards({name: _all(values, used) for name, values in rewards.parts.items()}, _all(rewards.total, used)),
        _all(credited.advantages, used),
        used,
        all_tokens(credited.token_advantages),
        all_tokens(credited.token_weights),
        judged.statistics.get("logprobs"),
        None
        if teacher_token_ids is None
        else tuple(tuple(int(one) for one in response) for response in teacher_token_ids),
    )


def _all(values: Sequence[float], used: Sequence[bool]) -> tuple[float, ...]:
    held: Iterator[float] = iter(values)
    return tuple(next(held) if use else 0.0 for use in used)


def _name(registry: Any, part: Any) -> str:
    return next((name for name in registry if registry.get(name) in (part, type(part))), type(part).__name__)


def assign_credit(
    group: Group, verdicts: Sequence[Verdict], settings: CreditSettings, step: int, max_tokens: int = 1
) -> ScoredGroup:
    """Credit for one group by itself, with nothing remembered."""
    return Credit(settings).assign([Judged(group, verdicts)], CreditContext(step, max_tokens=max_tokens))[0]

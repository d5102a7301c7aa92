"""Verdicts → rewards, advantages, token weights of groups. Faults leave the baseline.

shape → advantage → adjust → token_credit → weigh
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import Field, model_validator

from vlrl.config import Settings
from vlrl.credit.advantage.advantages import MeanBaseline, State, advantages
from vlrl.credit.credit_context import CreditContext
from vlrl.credit.rewards.shapes import shapes
from vlrl.credit.tokens.token_parts import add, adjusts, multiply, token_credits, weighers
from vlrl.credit.tokens.token_weights import own_tokens
from vlrl.errors import NonFiniteError
from vlrl.provenance import needs_of, source_of
from vlrl.registry import component_field
from vlrl.types import PerToken, ScoredGroup


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
        if shaped and not self.advantage.reads_shape:
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
    def part_names(self) -> list[str]:
        """The classes of all parts, in the order in which they are used."""
        return [type(part).__name__ for part in self.parts]

    @property
    def needs(self) -> frozenset[str]:
        """What the parts need besides rollouts and verdicts."""
        return needs_of(self.parts)

    def sources(self) -> list[str]:
        """Every part with its mark and paper, for the run card."""
        return [source_of(part) for part in self.parts]


class Credit:
    """Assigns credit by one set of settings, and keeps what its parts remember from step to step."""

    def __init__(self, settings: CreditSettings) -> None:
        self.settings = settings
        self._states: dict[str, State] = {}

    def assign(self, groups: Sequence[ScoredGroup], context: CreditContext, remember: bool = True) -> list[ScoredGroup]:
        """The groups of one step, in order, with credit.

        A response with a faulted verdict has no reward: it is unused, with advantage 0, and no part sees it. A group
        with fewer usable responses than the advantage's `least` has no baseline: all its advantages are 0. Raises
        NonFiniteError for a reward part or an advantage that isn't finite.

        remember  whether parts remember what they saw. Call it once a step with True; False shows what credit would be
        """
        before = {name: dict(state) for name, state in self._states.items()}
        credited = self._assign([_uncredited(group).usable() for group in groups], context)
        if not remember:
            self._states = before
        return [_with_unused(*pair) for pair in zip(groups, credited, strict=True)]

    def _assign(self, groups: Sequence[ScoredGroup], context: CreditContext) -> list[ScoredGroup]:
        """Give credit to groups of which every response could be judged."""
        settings = self.settings
        credited = self._advantages(self._rewarded(groups, context), context)
        for number, part in enumerate(settings.adjust):
            moved = part.over(credited, context, self._state(f"adjust.{number}"))
            credited = [replace(group, advantages=new) for group, new in zip(credited, moved, strict=True)]
        for number, part in enumerate(settings.token_credit):
            extra = part.over(credited, context, self._state(f"token_credit.{number}"))
            credited = [
                replace(group, token_advantages=add(group.token_advantages, addition))
                for group, addition in zip(credited, extra, strict=True)
            ]
        credited = [replace(group, token_weights=own_tokens(group.rollouts)) for group in credited]
        for number, part in sorted(enumerate(settings.weigh), key=lambda numbered: numbered[1].last):
            factors = part.over(credited, context, self._state(f"weigh.{number}"))
            credited = [
                replace(group, token_weights=multiply(group.token_weights, addition))
                for group, addition in zip(credited, factors, strict=True)
            ]
        return credited

    def _advantages(self, groups: Sequence[ScoredGroup], context: CreditContext) -> list[ScoredGroup]:
        """Take a baseline off the rewards. Raises NonFiniteError for an advantage that isn't finite."""
        advantage = self.settings.advantage
        enough = [group for group in groups if len(group.rewards) >= advantage.least]
        computed = iter(advantage.over(enough, context, self._state("advantage")))
        credited = []
        for group in groups:
            values = next(computed) if len(group.rewards) >= advantage.least else (0.0,) * len(group.rewards)
            _check_finite(f"advantage of {type(advantage).__name__}", values, group)
            credited.append(replace(group, advantages=values))
        return credited

    def _rewarded(self, groups: Sequence[ScoredGroup], context: CreditContext) -> list[ScoredGroup]:
        """Add up score and reward parts. Raises NonFiniteError for a part that isn't finite."""
        totals = [tuple(verdict.score for verdict in group.verdicts) for group in groups]
        parts = [{"score": total} for total in totals]
        weights = {"score": 1.0}
        for shape in self.settings.shape:
            weight = shape.weight_at(context.step)
            if not weight:
                continue
            name = _name(shapes, shape)
            weights[name] = weight
            for i, values in enumerate(shape.over(groups, context)):
                _check_finite(f"reward part {name!r}", values, groups[i])
                parts[i][name] = values
                totals[i] = tuple(t + weight * value for t, value in zip(totals[i], values, strict=True))
        return [
            replace(group, rewards=total, reward_parts=held, reward_weights=weights)
            for group, total, held in zip(groups, totals, parts, strict=True)
        ]

    def _state(self, name: str) -> State:
        return self._states.setdefault(name, {})

    def state_dict(self) -> dict[str, Any]:
        """What the parts remember, by kind and number of the part."""
        return {name: dict(state) for name, state in self._states.items() if state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self._states = {name: dict(values) for name, values in state.items()}


def _check_finite(what: str, values: Sequence[float], group: ScoredGroup) -> None:
    """Raises NonFiniteError that names the part, the problem and the response (among those that could be judged)."""
    for j, value in enumerate(values):
        if not math.isfinite(value):
            raise NonFiniteError(
                f"problem {group.problem.id}, response {j}, {what}",
                f"is {value}, from scores {[verdict.score for verdict in group.verdicts]}",
                "mend the part, or leave it out",
            )


def _uncredited(group: ScoredGroup) -> ScoredGroup:
    """The group without any credit that it had: what is assigned twice is assigned once."""
    return ScoredGroup.of(group, group.verdicts, group.statistics, group.contrast_rate)


def _with_unused(scored: ScoredGroup, credited: ScoredGroup) -> ScoredGroup:
    """Spread the usable responses' credit over all responses of `scored`, with 0 for the others."""
    used = scored.judged

    def spread(values: Sequence[float]) -> tuple[float, ...]:
        remaining = iter(values)
        return tuple(next(remaining) if use else 0.0 for use in used)

    def spread_tokens(values: PerToken | None) -> PerToken | None:
        if values is None:
            return None
        remaining = iter(values)
        pairs = zip(used, scored.rollouts, strict=True)
        return tuple(next(remaining) if use else (0.0,) * rollout.num_tokens for use, rollout in pairs)

    return replace(
        scored,
        rewards=spread(credited.rewards),
        advantages=spread(credited.advantages),
        reward_parts={name: spread(values) for name, values in credited.reward_parts.items()},
        reward_weights=credited.reward_weights,
        token_advantages=spread_tokens(credited.token_advantages),
        token_weights=spread_tokens(credited.token_weights),
    )


def _name(registry: Any, part: Any) -> str:
    return next((name for name in registry if registry.get(name) in (part, type(part))), type(part).__name__)

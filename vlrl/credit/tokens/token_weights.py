"""What a token counts in the loss: which segments are trained, and how far the sampler is from the trained policy.

Three authors of one response may disagree: the engine that wrote a token (μ), the policy at the iteration's start (π)
and the policy being trained. The loss compares the last two; the weights here stand for π/μ: engine and trainer compute
alike but not equally, and older segments of a continued response come from older policies. Every weight is ≥ 0 and
without gradient; 1 leaves a token as it was. Weights multiply, in both sums of the kimi loss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from vlrl.config import Settings
from vlrl.credit.advantage.advantages import State
from vlrl.credit.credit_context import CreditContext
from vlrl.credit.tokens.token_parts import TokenPart, weighers
from vlrl.provenance import Mark
from vlrl.types import PerToken, Rollout, ScoredGroup, Segment


class MaxStaleness(Settings):
    """Segments that are at most this many iterations old are trained."""

    max_staleness: int = Field(ge=0)


SegmentLoss = Literal["current_only", "all"] | MaxStaleness


def staleness(segments: Sequence[Segment], version: int) -> tuple[int, ...]:
    """(T,) iterations between the policy that wrote each token and `version`, that of the present iteration."""
    return tuple(version - s.policy_version for s in segments for _ in s.token_ids)


def own_tokens(rollouts: Sequence[Rollout]) -> PerToken | None:
    """Per response (T_j,) 1 for tokens that the policy wrote, 0 for others (observations, forced tokens), which are
    never trained; None where it wrote all."""
    if all(s.author == "policy" for r in rollouts for s in r.segments):
        return None
    return tuple(tuple(float(s.author == "policy") for s in r.segments for _ in s.token_ids) for r in rollouts)


@weighers.register("segments")
class SegmentWeights(TokenPart):
    """1 for tokens that are trained, else 0: by the age of the segments of a continued response (k1.5 §2.6.2).

    keep  `current_only`: what was written in this iteration; `all`: every age; `max_staleness: m`: at most m iterations
          old
    """

    paper: ClassVar[str] = "Kimi k1.5, 2501.12599 §2.6.2"
    mark: ClassVar[Mark] = "P"

    keep: SegmentLoss = "all"

    def over(self, groups: Sequence[ScoredGroup], context: CreditContext, state: State) -> list[PerToken]:
        """Per group, per response (T_j,)."""
        return [tuple(self(r.segments, context.version) for r in group.rollouts) for group in groups]

    def __call__(self, segments: Sequence[Segment], version: int) -> tuple[float, ...]:
        """(T,) weights of one response in the iteration `version`."""
        limit = (
            {"current_only": 0, "all": math.inf}[self.keep] if isinstance(self.keep, str) else self.keep.max_staleness
        )
        return tuple(float(age <= limit) for age in staleness(segments, version))


@weighers.register("importance")
class ImportanceWeights(TokenPart):
    """ρ = π/μ of a token, or of a whole response, kept within bounds: π as the step begins, μ as it was written.

    rule   `truncated`: min(ρ, upper), as in IMPALA's V-trace (arXiv 1802.01561 eq. 1) and in "truncated importance
           sampling" for engines that differ from the trainer (Yao et al. 2025). `masked`: ρ where lower ≤ ρ ≤ upper,
           else 0: a token or response that is too far off is left out (masked importance sampling, as in IcePop, 2025)
    level  `token`: ρ_t = exp(log π_t − log μ_t). `sequence`: exp of the *mean* of the log ratios over the response's
           policy tokens, one weight for all of them: the geometric mean, as in GSPO (arXiv 2507.18071 eq. 7); the plain
           product has no useful bound on long responses
    power  ρ is taken to this power first (ours); 0 leaves every weight at 1
    """

    paper: ClassVar[str] = "V-trace in IMPALA, 1802.01561; IcePop"
    mark: ClassVar[Mark] = "P"
    needs: ClassVar[frozenset[str]] = frozenset({"logprobs"})

    rule: Literal["truncated", "masked"] = "truncated"
    level: Literal["token", "sequence"] = "token"
    upper: float = Field(default=2.0, ge=1.0)
    lower: float | None = Field(default=None, ge=0.0, le=1.0, description="of `masked`; default 1/upper")
    power: float = Field(default=1.0, ge=0.0, le=1.0)

    @model_validator(mode="after")
    def _lower_is_read(self) -> ImportanceWeights:
        if self.rule == "truncated" and self.lower is not None:
            raise ValueError("lower is read by the rule `masked` alone; leave it out or take that rule")
        return self

    def over(self, groups: Sequence[ScoredGroup], context: CreditContext, state: State) -> list[PerToken]:
        """Per group, per response (T_j,)."""
        weights = []
        for group in groups:
            rollouts = group.rollouts
            own = own_tokens(rollouts) or tuple((1.0,) * r.num_tokens for r in rollouts)
            sides = zip(group.statistics["logprobs"], (r.sampler_logprobs for r in rollouts), own, strict=True)
            weights.append(tuple(self.of(theirs, written, [bool(o) for o in mine]) for theirs, written, mine in sides))
        return weights

    def of(
        self, old_logprobs: Sequence[float], sampler_logprobs: Sequence[float], own: Sequence[bool]
    ) -> tuple[float, ...]:
        """(T,) log π, (T,) log μ and whether the policy wrote a token → (T,) weights. Equal log-probabilities: ones."""
        gaps = [self.power * (r - s) if o else 0.0 for r, s, o in zip(old_logprobs, sampler_logprobs, own, strict=True)]
        if self.level == "sequence":
            mean = sum(gaps) / max(1, sum(own))
            gaps = [mean if o else 0.0 for o in own]
        return tuple(self._bounded(math.exp(min(gap, 60.0))) for gap in gaps)

    def _bounded(self, ratio: float) -> float:
        if self.rule == "truncated":
            return min(ratio, self.upper)
        lower = 1 / self.upper if self.lower is None else self.lower
        return ratio if lower <= ratio <= self.upper else 0.0

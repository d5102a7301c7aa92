"""Token weights: SAS leaves steps out, OPEFO balances what raises entropy with what lowers it, cut responses may go."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from vlrl.credit.advantage.advantages import State
from vlrl.credit.credit_context import CreditContext
from vlrl.credit.tokens.token_parts import TokenPart, weighers
from vlrl.credit.tokens.token_weights import own_tokens
from vlrl.provenance import Mark
from vlrl.types import PerToken, ScoredGroup


@weighers.register("sas")
class SkipSteps(TokenPart):
    """Steps end at blank lines; right responses leave out their ⌈ρ·S⌉ least confident ones, wrong ones the most (SAS).

    Confidence is the mean log-probability of a step's tokens. A response keeps at least one step (ours). The released
    code's rounding leaves out all steps of right responses; this follows the formula.

    rho  share of the steps that is left out; 0 changes nothing
    """

    paper: ClassVar[str] = "SAS"
    mark: ClassVar[Mark] = "C"
    needs: ClassVar[frozenset[str]] = frozenset({"steps"})

    rho: float = Field(default=0.3, ge=0.0, lt=1.0)

    def over(self, groups: Sequence[ScoredGroup], context: CreditContext, state: State) -> list[PerToken]:
        """Per group, per response (T_j,) of 0 and 1."""
        return [self._of_group(group) for group in groups]

    def _of_group(self, group: ScoredGroup) -> PerToken:
        own = own_tokens(group.rollouts) or tuple((1.0,) * rollout.num_tokens for rollout in group.rollouts)
        parts = zip(group.statistics["steps"], group.rollouts, group.correct, own, strict=True)
        return tuple(self(steps, rollout.sampler_logprobs, right, mine) for steps, rollout, right, mine in parts)

    def __call__(
        self, steps: Sequence[float], logprobs: Sequence[float], right: bool, own: Sequence[float] | None = None
    ) -> tuple[float, ...]:
        """(T,) step numbers from 0, log-probabilities and whether the policy wrote a token → (T,) weights."""
        by_step: dict[float, list[float]] = {}
        for step, logprob, mine in zip(steps, logprobs, own or (1.0,) * len(steps), strict=True):
            if mine:
                by_step.setdefault(step, []).append(logprob)
        count = min(math.ceil(self.rho * len(by_step)), len(by_step) - 1)
        ranked = sorted(by_step, key=lambda step: sum(by_step[step]) / len(by_step[step]), reverse=not right)
        left_out = set(ranked[: max(0, count)])
        return tuple(0.0 if step in left_out else 1.0 for step in steps)


@weighers.register("opefo")
class EntropyBalance(TokenPart):
    """Tokens that raise the entropy count 1 + λ, those that lower it 1 − λ, λ = (M − P)/(M + P): no net flow (OPEFO).

    P and M are the totals of what the step's tokens add to and take from the entropy of the distribution that they were
    drawn from, to first order and under the policy at the start of the step:

        dH = −A·[p(log p + H) − Σ_v p_v²(log p_v + H)]

    each times what the token counts in the loss: its weight by all other parts, over the response's trained tokens
    where the loss takes a mean over them. All groups of the step are in the totals, also those that over-sampling drew
    beyond what is trained; several updates a step are balanced together, not one by one.

    strength  factor of λ; 0 changes nothing
    """

    paper: ClassVar[str] = "OPEFO"
    mark: ClassVar[Mark] = "R"
    needs: ClassVar[frozenset[str]] = frozenset({"logprobs", "entropy", "square"})
    last: ClassVar[bool] = True

    strength: float = Field(default=1.0, ge=0.0, le=1.0)

    def over(self, groups: Sequence[ScoredGroup], context: CreditContext, state: State) -> list[PerToken]:
        """Per group, per response (T_j,)."""
        flows = [entropy_flow(group) for group in groups]
        counts = [counted(group, context.mean_over_response) for group in groups]
        flat = [
            flow * count
            for group_flows, group_counts in zip(flows, counts, strict=True)
            for response_flows, response_counts in zip(group_flows, group_counts, strict=True)
            for flow, count in zip(response_flows, response_counts, strict=True)
        ]
        up, down = sum(f for f in flat if f > 0), -sum(f for f in flat if f < 0)
        share = self.strength * (down - up) / (down + up) if down + up else 0.0
        return [
            tuple(
                tuple(1.0 + share if f > 0 else 1.0 - share if f < 0 else 1.0 for f in response)
                for response in group_flows
            )
            for group_flows in flows
        ]


def entropy_flow(group: ScoredGroup) -> PerToken:
    """Per response (T_j,): dH of a step along each token's gradient, in nats for a learning rate of 1 on its logits."""
    statistics = group.statistics
    flows = []
    for j, advantage in enumerate(group.advantages):
        none = (0.0,) * len(statistics["logprobs"][j])
        extra = none if group.token_advantages is None else group.token_advantages[j]
        values = zip(statistics["logprobs"][j], statistics["entropy"][j], statistics["square"][j], extra, strict=True)
        flows.append(tuple(-(advantage + addition) * (math.exp(p) * (p + h) - q) for p, h, q, addition in values))
    return tuple(flows)


def counted(group: ScoredGroup, mean_over_response: bool) -> PerToken:
    """Per response (T_j,): what each token counts in the loss, up to a factor that is the same for all."""
    weights = group.token_weights or tuple((1.0,) * rollout.num_tokens for rollout in group.rollouts)
    if not mean_over_response:
        return weights
    return tuple(tuple(w / max(1, sum(v > 0 for v in response)) for w in response) for response in weights)


@weighers.register("overlong_filter")
class OverlongFilter(TokenPart):
    """Tokens of responses that were cut at the budget count `keep`, by default nothing (DAPO, §3.4)."""

    paper: ClassVar[str] = "DAPO, 2503.14476 §3.4"
    mark: ClassVar[Mark] = "P"

    keep: float = Field(default=0.0, ge=0.0, le=1.0)

    def over(self, groups: Sequence[ScoredGroup], context: CreditContext, state: State) -> list[PerToken]:
        """Per group, per response (T_j,)."""
        return [
            tuple((self.keep if r.finish_reason == "length" else 1.0,) * r.num_tokens for r in group.rollouts)
            for group in groups
        ]

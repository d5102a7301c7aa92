"""What updates add up, over micro-batches, ranks and the updates of a step; each figure is divided by its own count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vlrl.errors import NonFiniteError
from vlrl.model.experts.expert_load import ExpertLoad
from vlrl.model.training.logprob_mismatch import LogprobGap


@dataclass
class UpdateMetrics:
    """Sums over response tokens, and over updates.

    loss          the updates' losses, each whole
    tokens        response tokens that a policy wrote, once an update
    entropy, kl   nats over these tokens; KL is the k3 estimate of KL(π‖π_old), π_old the policy at
                  the iteration's start
    responses     of which these tokens are, once an update
    log_ratio     of each response |log π(y) − log π_old(y)|, the sum over its trained tokens; nats
    log_ratio_a_token  the same, each divided by the number of its trained tokens
    pulled, pulled_a_token  the same two, each times what the pull of its response is multiplied by, where anything is
    advantage     of each response |A|
    norm          gradient norms before clipping, one an update
    updates       optimiser steps; 0 while one is being added up
    expert_load   tokens by expert, of prompts and responses, of a mixture of experts
    cause         the first number that made the loss NaN or infinite, where it is
    """

    loss: float = 0.0
    tokens: int = 0
    entropy: float = 0.0
    kl: float = 0.0
    gap: LogprobGap = field(default_factory=LogprobGap)
    responses: int = 0
    log_ratio: float = 0.0
    log_ratio_a_token: float = 0.0
    pulled: float = 0.0
    pulled_a_token: float = 0.0
    advantage: float = 0.0
    norm: float = 0.0
    updates: int = 0
    expert_load: ExpertLoad = field(default_factory=ExpertLoad)
    cause: NonFiniteError | None = None

    def stepped(self, norm: float) -> UpdateMetrics:
        """The optimiser has made its step, with this gradient norm."""
        self.norm += norm
        self.updates += 1
        return self

    def add(self, other: UpdateMetrics) -> None:
        """Take in what another rank, or another update, added up."""
        self.loss += other.loss
        self.tokens += other.tokens
        self.entropy += other.entropy
        self.kl += other.kl
        self.gap.merge(other.gap)
        self.responses += other.responses
        self.log_ratio += other.log_ratio
        self.log_ratio_a_token += other.log_ratio_a_token
        self.pulled += other.pulled
        self.pulled_a_token += other.pulled_a_token
        self.advantage += other.advantage
        self.norm += other.norm
        self.updates += other.updates
        self.expert_load.merge(other.expert_load)
        self.cause = self.cause or other.cause

    def metrics(self) -> Mapping[str, float]:
        """loss/total and gradient/norm, means over updates; entropy/mean and kl/old_policy in nats a token;
        logprob_gap/… where it was compared, experts/… of a mixture of experts. Empty without an update.
        """
        if not self.updates:
            return {}
        return {
            "gradient/norm": self.norm / self.updates,
            "loss/total": self.loss / self.updates,
            "entropy/mean": self.entropy / max(self.tokens, 1),
            "kl/old_policy": self.kl / max(self.tokens, 1),
            **self.gap.metrics(),
            **self.expert_load.metrics(),
        }

    def scale_of_the_pull(self, tau: float | None, a_token: bool) -> Mapping[str, float]:
        """How far the policy is from the iteration's start beside what moves it (k1.5 eq. 3: A − τ·log ratio).

        log_ratio/sequence  mean of |log π(y) − log π_old(y)| over responses. It grows with their lengths
        log_ratio/a_token   the same, divided by a response's trained tokens
        log_ratio/pull      τ times the mean that the loss reads, as a share of the mean |A|; where there are both

        tau      of the loss, None where it has none
        a_token  whether the loss reads the mean over a response's tokens
        """
        if not self.responses:
            return {}
        found = {
            "log_ratio/sequence": self.log_ratio / self.responses,
            "log_ratio/a_token": self.log_ratio_a_token / self.responses,
        }
        if tau is not None and self.advantage > 0.0:
            found["log_ratio/pull"] = tau * (self.pulled_a_token if a_token else self.pulled) / self.advantage
        return found

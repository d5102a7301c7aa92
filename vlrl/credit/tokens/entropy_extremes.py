"""HTPO: a token's part in the loss by how hard its problem is, whether its response is right, and how sure it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from vlrl.credit.advantage.advantages import State
from vlrl.credit.credit_context import CreditContext
from vlrl.credit.tokens.token_parts import TokenPart, weighers
from vlrl.credit.tokens.token_weights import own_tokens
from vlrl.provenance import Mark
from vlrl.types import PerToken, ScoredGroup


@weighers.register("htpo")
class EntropyExtremes(TokenPart):
    """Right responses leave out tokens: to hard problems those of the lowest entropy, to easy ones those of the highest
    (HTPO). Wrong responses keep all.

    Shares are of the policy's tokens of all such responses of a step, rounded down. The paper's code clips ratios by
    group, too, in terms whose sign is the opposite of their neighbours'. PPO's surrogate must be a case of the whole,
    and there all have one sign: what is left of it are the loss's own `clip_low` and `clip_high`.

    hard_below  a problem is hard where its pass rate in the group is below this
    hard_right, easy_right  shares that are left out; 0 changes nothing
    """

    paper: ClassVar[str] = "HTPO"
    mark: ClassVar[Mark] = "C"
    needs: ClassVar[frozenset[str]] = frozenset({"entropy"})

    hard_below: float = Field(default=0.6, ge=0.0, le=1.0)
    hard_right: float = Field(default=0.006, ge=0.0, lt=1.0)
    easy_right: float = Field(default=0.02, ge=0.0, lt=1.0)

    def over(self, groups: Sequence[ScoredGroup], context: CreditContext, state: State) -> list[PerToken]:
        """Per group, per response (T_j,) of 0 and 1."""
        hard: list[tuple[float, tuple[int, int, int]]] = []  # (entropy, where the token is) of right responses
        easy: list[tuple[float, tuple[int, int, int]]] = []
        for i, group in enumerate(groups):
            kind = hard if self.is_hard(group) else easy
            own = own_tokens(group.rollouts)
            for j, right in enumerate(group.correct):
                if right:
                    entropies = enumerate(group.statistics["entropy"][j])
                    kind += [(h, (i, j, t)) for t, h in entropies if own is None or own[j][t]]
        out = {place for _, place in sorted(hard)[: int(self.hard_right * len(hard))]}
        out |= {place for _, place in sorted(easy)[len(easy) - int(self.easy_right * len(easy)) :]}
        return [
            tuple(
                tuple(0.0 if (i, j, t) in out else 1.0 for t in range(rollout.num_tokens))
                for j, rollout in enumerate(group.rollouts)
            )
            for i, group in enumerate(groups)
        ]

    def is_hard(self, group: ScoredGroup) -> bool:
        """Whether the policy is seldom right."""
        return group.pass_rate < self.hard_below

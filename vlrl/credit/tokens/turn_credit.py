"""Credit by turn: what an episode's turn is worth beside the whole, from rewards of turns and from equal states.

A turn is what the policy writes without a break. Rewards of turns are the environment's (`Episode.turn_rewards`); where
it gives none, the response's reward comes with its last turn.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from vlrl.credit.advantage.advantages import State
from vlrl.credit.credit_context import CreditContext
from vlrl.credit.tokens.token_parts import TokenPart, token_credits
from vlrl.provenance import Mark
from vlrl.types import PerToken, Rollout, ScoredGroup

SPREAD_FLOOR = 1e-6


class TurnCredit(TokenPart):
    """The base: each turn's return, less the mean of the returns that it is compared with, at each of its tokens.

    weight  of this credit beside the response's advantage; 0 turns it off
    gamma   what a reward is worth one turn earlier
    """

    weight: float = Field(default=1.0, ge=0.0)
    gamma: float = Field(default=0.95, ge=0.0, le=1.0)

    def over(self, groups: Sequence[ScoredGroup], context: CreditContext, state: State) -> list[PerToken]:
        """Per group, per response (T_j,); 0 at tokens that the policy didn't write."""
        return [self._of_group(group) for group in groups]

    def states(self, rollout: Rollout) -> list[Hashable]:
        """What each turn of a response is compared by: turns of one group with equal states."""
        raise NotImplementedError

    def scaled(self, values: Sequence[float]) -> list[float]:
        """Returns from equal states → what each is worth."""
        mean = sum(values) / len(values)
        return [value - mean for value in values]

    def _of_group(self, group: ScoredGroup) -> PerToken:
        turns = [turns_of(rollout) for rollout in group.rollouts]
        returns = [
            discounted(turn_rewards(rollout, reward, len(of_rollout)), self.gamma)
            for rollout, reward, of_rollout in zip(group.rollouts, group.rewards, turns, strict=True)
        ]
        alike: dict[Hashable, list[tuple[int, int]]] = {}
        for j, rollout in enumerate(group.rollouts):
            for t, seen in enumerate(self.states(rollout)[: len(turns[j])]):
                alike.setdefault(seen, []).append((j, t))
        worth: dict[tuple[int, int], float] = {}
        for places in alike.values():
            worth.update(zip(places, self.scaled([returns[j][t] for j, t in places]), strict=True))
        found = []
        for j, rollout in enumerate(group.rollouts):
            values = [0.0] * rollout.num_tokens
            for t, (start, stop) in enumerate(turns[j]):
                values[start:stop] = [self.weight * worth[j, t]] * (stop - start)
            wrote = (s.author == "policy" for s in rollout.segments for _ in s.token_ids)
            found.append(tuple(value if own else 0.0 for value, own in zip(values, wrote, strict=True)))
        return tuple(found)


@token_credits.register("turn_returns")
class TurnReturns(TurnCredit):
    """G_t − mean of G_t over the group's episodes that have a turn t, G_t = Σ_{s≥t} γ^{s−t} r_s.

    Without rewards of turns and with γ = 1 every turn that all episodes have gets r − r̄ once more.
    """

    paper: ClassVar[str] = "turn-level returns, as in multi-turn GRPO variants"
    mark: ClassVar[Mark] = "A"

    def states(self, rollout: Rollout) -> list[Hashable]:
        """The number of the turn."""
        return list(range(len(turns_of(rollout))))


@token_credits.register("gigpo")
class GroupInGroup(TurnCredit):
    """GiGPO's step advantage: G_t of a turn less the mean over the group's turns that began in the same state.

    A state is what the environment said last, its text and the digests of its images; before the first turn it is the
    prompt. A state that no other turn shares gives 0. The paper adds it with ω = 1 to the episode's advantage.

    normalise  `std` divides by the spread of the returns (the paper's form); `none` doesn't (its Dr.GRPO form)
    """

    paper: ClassVar[str] = "GiGPO, 2505.10978"
    mark: ClassVar[Mark] = "P"

    normalise: Literal["std", "none"] = "std"

    def states(self, rollout: Rollout) -> list[Hashable]:
        """What stands before each turn."""
        found: list[Hashable] = []
        seen: tuple[Hashable, ...] = ()
        begun = False
        for segment in rollout.segments:
            if segment.author != "observation":
                if not begun:
                    found.append(seen)
                begun = True
            else:
                here = (segment.token_ids, tuple(image.digest for image in segment.images))
                seen = (*seen, here) if not begun else (here,)
                begun = False
        return found

    def scaled(self, values: Sequence[float]) -> list[float]:
        """Divided by their spread, that of a sample, where `normalise` says so; zeros where all are equal."""
        centred = super().scaled(values)
        if self.normalise == "none" or len(values) < 2:
            return centred
        spread = (sum(value**2 for value in centred) / (len(values) - 1)) ** 0.5
        return [value / spread if spread > SPREAD_FLOOR else 0.0 for value in centred]


def turns_of(rollout: Rollout) -> list[tuple[int, int]]:
    """First token, and the one after the last, of each turn."""
    found: list[tuple[int, int]] = []
    place, begun = 0, False
    for segment in rollout.segments:
        stop = place + len(segment.token_ids)
        if segment.author != "observation":
            found = [*found[:-1], (found[-1][0], stop)] if begun else [*found, (place, stop)]
        place, begun = stop, segment.author != "observation"
    return found


def turn_rewards(rollout: Rollout, reward: float, turns: int) -> list[float]:
    """The environment's, one a turn, 0 where it gave fewer; else the response's reward at its last turn."""
    given = rollout.episode.turn_rewards if rollout.episode is not None else ()
    if given:
        return [*given[:turns], *[0.0] * (turns - len(given))]
    return [0.0] * (turns - 1) + [reward] * bool(turns)


def discounted(rewards: Sequence[float], gamma: float) -> list[float]:
    """G_t = r_t + γ·G_{t+1}."""
    found: list[float] = []
    following = 0.0
    for reward in reversed(rewards):
        following = reward + gamma * following
        found.insert(0, following)
    return found

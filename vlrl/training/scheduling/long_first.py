"""The longest response first: requests of a step in the order of the lengths that a head predicts for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from scipy.stats import spearmanr

from vlrl.model.batch.example import read_rollouts
from vlrl.model.load import LoadedModel
from vlrl.model.training.policy import Policy
from vlrl.model.training.token_statistics import places_of
from vlrl.reward_models.value_head import value_example
from vlrl.rollout.engine import Generates, Request
from vlrl.training.scheduling.length_head import LengthHead, LengthHeadSettings, tokens_to_come
from vlrl.types import Group, Rollout

FEWEST = 3  # groups that a rank correlation is taken over


class LongFirst:
    """Predicts the lengths of a step's responses, hands them to the engine by that, and learns from what was written.

    Its state is the head's; what it predicted is forgotten when it learns.
    """

    def __init__(self, settings: LengthHeadSettings, loaded: LoadedModel, policy: Policy) -> None:
        self._loaded, self._policy = loaded, policy
        self._head = LengthHead(settings, int(loaded.config.get_text_config().hidden_size))
        self._expected: dict[str, float] = {}  # by content hash of a prompt, in tokens of one response

    def through(self, engine: Generates) -> Generates:
        """The engine, asked for the longest responses first."""
        return _Ordered(engine, self)

    def expected(self, requests: Sequence[Request]) -> list[float]:
        """Tokens that the longest response of each request has to come, 0 where all have ended.

        Every prompt is read once: a response is as long as its prompt says, less what it has already.
        """
        unknown = {r.encoded.content_hash: r.encoded for r in requests if r.encoded.content_hash not in self._expected}
        if unknown:
            rows = [value_example(self._loaded, encoded) for encoded in unknown.values()]
            states = torch.cat(self._policy.hidden_states(rows, 1))
            self._expected |= zip(unknown, self._head.lengths(states), strict=True)
        return [_to_come(request, self._expected[request.encoded.content_hash]) for request in requests]

    def learn(self, groups: Sequence[Group]) -> dict[str, float]:
        """Learn from the responses that ended by themselves.

        length_head/loss              before this step's updates
        length_head/rank_correlation  of predicted and mean true lengths over groups; absent for few groups
        """
        rows, lengths = [], []
        for group in groups:
            ended = [rollout for rollout in group.rollouts if rollout.finish_reason == "stop" and rollout.num_tokens]
            if ended:
                rows.append(read_rollouts(group.encoded, ended))
                lengths += [length for rollout in ended for length in self._lengths(rollout)]
        found = self._agreement(groups)
        self._expected = {}
        if rows:
            states = torch.cat(self._policy.hidden_states(rows, self._head.settings.places))
            found["length_head/loss"] = self._head.learn(states, torch.tensor(lengths))
        return found

    def _lengths(self, rollout: Rollout) -> list[int]:
        written = [s.author == "policy" for s in rollout.segments for _ in s.token_ids]
        return tokens_to_come(written, places_of(len(written), self._head.settings.places))

    def _agreement(self, groups: Sequence[Group]) -> dict[str, float]:
        pairs = [
            (self._expected[group.encoded.content_hash], sum(r.num_policy_tokens for r in group.rollouts))
            for group in groups
            if group.encoded.content_hash in self._expected
        ]
        predicted, true = {p for p, _ in pairs}, {t for _, t in pairs}
        if len(pairs) < FEWEST or len(predicted) == 1 or len(true) == 1:
            return {}
        return {"length_head/rank_correlation": float(spearmanr(*zip(*pairs, strict=True)).statistic)}

    def state_dict(self) -> dict[str, Any]:
        """The head's, for a checkpoint."""
        return self._head.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self._head.load_state_dict(state)


class _Ordered:
    """Generates: answers come back in request order, whatever the engine is asked first."""

    def __init__(self, engine: Generates, lengths: LongFirst) -> None:
        self._engine, self._lengths = engine, lengths

    def generate(self, requests: Sequence[Request]) -> list[tuple[Rollout, ...]]:
        """k responses to each request."""
        expected = self._lengths.expected(requests)
        order = sorted(range(len(requests)), key=lambda r: (-expected[r], r))
        asked = [replace(requests[r], expected_tokens=expected[r]) for r in order]
        answers = dict(zip(order, self._engine.generate(asked), strict=True))
        return [answers[r] for r in range(len(requests))]


def _to_come(request: Request, whole: float) -> float:
    if request.resume_from is None:
        return whole
    unended = [r.num_policy_tokens for r in request.resume_from if r.finish_reason == "unfinished"]
    return max(1.0, whole - min(unended)) if unended else 0.0

"""One response to a prompt, judged by the problem's verifier: the simplest environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from vlrl.model.prompts.encode import EncodesTurns
from vlrl.rollout.collector import collect
from vlrl.rollout.engine import Generates, Sampling
from vlrl.rollout.environments.environment import Environment, environments
from vlrl.types import Group, Problem, Verdict
from vlrl.verify.judge import judge_all, warm_up_verifiers


@environments.register("single_turn")
class SingleTurn(Environment):
    """The prompt is read once for all k responses."""

    partial_rollouts: ClassVar[bool] = True

    def warm_up(self, problems: Sequence[Problem]) -> None:
        """Worker processes of the problems' verifiers."""
        warm_up_verifiers(problems)

    def roll_out(
        self,
        encode: EncodesTurns,
        engine: Generates,
        problems: Sequence[Problem],
        sampling: Sampling,
        k: int,
        seed: int,
    ) -> list[Group]:
        """Raises EngineError if the content that the engine read differs from the encoder's."""
        return collect(encode, engine, problems, sampling, k, seed)

    def verdicts(self, groups: Sequence[Group]) -> list[tuple[Verdict, ...]]:
        """Those of each problem's verifier; with several ranks each judges some."""
        return judge_all([(group.problem, [rollout.text for rollout in group.rollouts]) for group in groups])

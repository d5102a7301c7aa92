"""One step's groups: problems drawn, responses written, judged and credited, in as many rounds as are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from vlrl.model.training.policy import Policy
from vlrl.rollout.collector import AsksForRouting
from vlrl.rollout.engine import Generates
from vlrl.rollout.partial_rollouts import PartialBuffer
from vlrl.seeding import derive_seed
from vlrl.training.rl.clock import Clock
from vlrl.training.rl.scoring import GroupScorer
from vlrl.training.scheduling.long_first import LongFirst
from vlrl.training.session.open_session import Session
from vlrl.types import Group, Problem, ScoredGroup
from vlrl.verify.judge import stop_on_faults


@dataclass(frozen=True)
class StepBatch:
    """What one step rolled out.

    groups   those to train on
    skipped  those without an advantage: they needn't run, and stay in the averages of the update
    drawn    all of them
    metrics  of the rollout
    """

    groups: list[ScoredGroup]
    skipped: list[ScoredGroup]
    drawn: list[ScoredGroup]
    metrics: dict[str, float]


class StepCollector:
    """Collects the groups of one step after another. Its `parts` are what a checkpoint holds of it."""

    def __init__(self, session: Session, policy: Policy) -> None:
        self._settings, self._seed = session.settings.rl, session.settings.seed
        self._model, self._environment = session.runtime, session.settings.environment
        self._mixture, self._problem_sampler = session.mixture, session.problem_sampler
        self._buffer: PartialBuffer = self._environment.buffer()
        head = self._settings.length_head
        self._long_first = None if head is None else LongFirst(head, self._model.loaded, policy)
        self.scorer = GroupScorer(self._settings, self._seed, self._model, policy, self._environment)

    @property
    def parts(self) -> Mapping[str, Any]:
        """What has state, by its name in a checkpoint."""
        return {
            "credit": self.scorer,
            "buffer": self._buffer,
            "mixture": self._mixture,
            "problem_sampler": self._problem_sampler,
            **({} if self._long_first is None else {"length_head": self._long_first}),
        }

    def close(self) -> None:
        """End what unfinished responses hold."""
        self._buffer.close()

    def collect(self, step: int, progress: Fraction, clock: Clock) -> StepBatch:
        """The groups of 0-based `step`; `progress` is the share of the stage that lies behind it.

        With over-sampling, whole mixture-exact rounds are drawn until enough groups carry something to learn. Credit
        is given once, over the groups of all rounds: after each of them there is only a look at what it would be. With
        partial rollouts the groups are those that have ended by now, whenever they were drawn.

        Raises VerifierFaultError where too many verdicts are faults.
        """
        settings, more = self._settings, self._settings.over_sampling
        scored: list[ScoredGroup] = []
        metrics: dict[str, float] = {}
        contrast_tokens = 0
        for round_number in range(more.max_rounds if more else 1):
            with clock.phase("draw"):
                chooser = self._problem_sampler.at(step)
                problems = self._mixture.draw(settings.problems_per_step, progress, chooser)
                self._environment.warm_up(problems)
            with clock.phase("rollout"):
                groups, metrics = self._roll_out(problems, step, derive_seed(self._seed, "rl", step, round_number))
            with clock.phase("judge"):
                scored += self.scorer.score(groups, step)
                contrast_tokens += self.scorer.contrast_tokens
                if more is not None:
                    glimpse = self.scorer.credit(scored, step, remember=False)
                    self._problem_sampler.observe(glimpse[len(scored) - len(groups) :])
                    if sum(more.takes(group) for group in glimpse) >= settings.groups_wanted:
                        break
        with clock.phase("judge"):
            drawn = self.scorer.credit(scored, step)
            if more is None:
                self._problem_sampler.observe(drawn)
        remedy = "mend the verifier, or raise rl.max_fault_rate"
        stop_on_faults([v for group in drawn for v in group.verdicts], settings.max_fault_rate, "judge", remedy)
        written = sum(rollout.num_written_tokens for group in drawn for rollout in group.rollouts)
        metrics = {"tokens/written": float(written), **metrics}
        if self._long_first is not None:
            with clock.phase("length_head"):
                metrics |= self._long_first.learn(drawn)
        if settings.contrast is not None:
            metrics["tokens/contrast"] = float(contrast_tokens)
        return StepBatch(*self._parted(drawn), drawn, metrics)

    def _roll_out(self, problems: Sequence[Problem], step: int, seed: int) -> tuple[list[Group], dict[str, float]]:
        settings, encode, own = self._settings, self._model.encoder, self._model.engine
        engine: Generates = own if self._long_first is None else self._long_first.through(own)
        sampling, k = settings.sampling_at(step), settings.rollouts_per_problem
        if settings.partial is None:
            writes = AsksForRouting(engine) if settings.replay_routing else engine
            return self._environment.roll_out(encode, writes, problems, sampling, k, seed), {}
        return self._buffer.serve(encode, engine, problems, sampling, k, seed, settings.partial, step)

    def _parted(self, drawn: list[ScoredGroup]) -> tuple[list[ScoredGroup], list[ScoredGroup]]:
        """Groups to train on and skipped ones. With over-sampling the informative groups themselves are the batch, and
        nothing is skipped from it.
        """
        more = self._settings.over_sampling
        if more is not None:
            return [group for group in drawn if more.takes(group)][: self._settings.groups_wanted], []
        if not self._settings.skip_uninformative:
            return drawn, []
        return [group for group in drawn if group.informative], [group for group in drawn if not group.informative]

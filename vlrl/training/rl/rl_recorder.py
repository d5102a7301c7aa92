"""What surrounds the RL steps: metrics, checks, validation, exports, checkpoints; and where a stage goes on from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from vlrl.errors import EngineError, RunError
from vlrl.model.batch.example import Example
from vlrl.model.finite import check_policy, shortest
from vlrl.model.training.policy import Policy
from vlrl.provenance import source_of
from vlrl.training.monitoring.audit import Audit
from vlrl.training.monitoring.engine_agreement import ProbesDue
from vlrl.training.monitoring.idle_steps import IdleSteps, lines_of, say_idle_steps
from vlrl.training.monitoring.rollout_metrics import example_metrics, group_metrics, prompt_metrics, unused_tokens
from vlrl.training.rl.carried_credit import read_credit_state
from vlrl.training.rl.clock import Clock
from vlrl.training.rl.collect_step import StepBatch, StepCollector
from vlrl.training.rl.exports import Exports
from vlrl.training.rl.rl_budget import Budget, sampled_tokens
from vlrl.training.session.open_session import Session
from vlrl.training.session.step_recorder import StepRecorder
from vlrl.types import Problem, ScoredGroup, Verdict
from vlrl.verify.traces.overthinking import overthinking_metrics


class RlRecorder:
    """One for a stage. Opening it goes on from the latest checkpoint, where there is one."""

    def __init__(self, session: Session, policy: Policy, collector: StepCollector, budget: Budget) -> None:
        self._session, self._settings = session, session.settings.rl
        self._context, self._model = session.context, session.runtime
        self._policy, self._budget = policy, budget
        self._probes = ProbesDue(self._settings.agreement.probe_every)
        self._probed: Mapping[str, float] = {}  # by the step that is going on
        self._steps = StepRecorder(session.context, session.runtime, "rl", logs=("rl", "eval"))
        self._parts = {
            "policy": policy,
            "budget": budget,
            "probes": self._probes,
            "features": session.runtime.features,
            **collector.parts,
        }
        audit = self._settings.audit
        self._audit = None if audit is None else Audit(audit, session.settings.seed)
        if self._audit is not None:
            self._parts["audit"] = self._audit
        self._exports = Exports(session.context.run.path, session.context.say)
        if self._settings.export_every is not None:
            self._parts["exports"] = self._exports
        head, chooses = self._settings.length_head, self._settings.problem_sampler
        algorithm = (self._settings.loss, *self._settings.auxiliary, *chooses.parts, *([] if head is None else [head]))
        self._context.note(algorithm=[*self._settings.credit.sources(), *map(source_of, algorithm)])
        checkpoint = self._steps.latest_checkpoint()
        if checkpoint is None and self._settings.continue_credit is not None:
            path, credit = self._settings.continue_credit, self._settings.credit
            collector.scorer.load_state_dict(read_credit_state(path, credit, "rl.continue_credit"))
        self._scorer = collector.scorer
        self._first = self._steps.resume(checkpoint, self._parts, self._settings.steps)
        self._idle = IdleSteps(lines_of(self._context.run.path, "rl"))

    def steps(self) -> Iterator[tuple[int, Clock]]:
        """The 0-based steps that are left, until the budget ends them or a signal does; each with its clock."""
        first, engine = self._first, self._model.engine
        if first and self._budget.ends_after(first - 1):  # broken off after the last step
            self._model.to_rollout(self._policy, version=first)
            first = self._settings.steps
        for step in self._steps.steps(first, self._settings.steps):
            engine.restart_metrics()  # a validation's own switches belong to no step
            yield step, Clock()
            if self._budget.ends_after(step):
                break

    def probe(self, step: int, batch: StepBatch, clock: Clock) -> None:
        """Where a probe is due, see that the policy looks at its images. Raises EngineError where it doesn't."""
        self._probed = {}
        if not self._probes.at(step):
            return
        agreement = self._settings.agreement
        with clock.phase("probe"):
            encode, temperature = self._model.encoder.encode, self._settings.sampling.temperature
            probed = agreement.probe(encode, self._policy, batch.drawn, temperature, self._model.forget_features)
            self._probed = {"probe/groups": 0.0} if probed is None else probed.metrics()
            if probed is not None:
                self._probes.made()
                with self._logged_first(step, {**batch.metrics, **self._probed}):
                    agreement.check_probe(probed, step)

    def record(
        self,
        step: int,
        batch: StepBatch,
        examples: Sequence[Example],
        learned: dict[str, float],
        clock: Clock,
    ) -> None:
        """The end of 0-based `step`: checks, validation, metrics, rollouts, exports, a checkpoint.

        Raises EngineError where engine and trainer disagree, NonFiniteError for weights that aren't finite, Stopped
        where a signal asks for the end.
        """
        settings, run, policy = self._settings, self._context.run, self._policy
        self._budget.spend(sampled_tokens(batch.metrics))
        last = self._budget.ends_after(step)
        exports = not last and settings.export_every is not None and (step + 1) % settings.export_every == 0
        saves = last or (step + 1) % settings.checkpoint_every == 0
        metrics = {**batch.metrics, **self._probed} | group_metrics(batch.drawn)
        metrics |= prompt_metrics([one.encoded for one in batch.drawn]) | example_metrics(examples) | learned
        metrics |= unused_tokens(batch.drawn, batch.skipped, examples, batch.groups)
        if exports or saves:  # while the engine sleeps
            with clock.phase("update"):
                check_policy(policy, shortest(examples), settings.sampling.temperature, "checkpoint")
        with self._logged_first(step, metrics):
            settings.agreement.check_gap(metrics, step)
            if self._audit is not None:
                with clock.phase("judge"):
                    metrics |= self._audit.look(batch.drawn, step)
                self._context.note(audit=self._audit.described())
                if (excess := self._audit.excess()) is not None:
                    self._context.say(excess)
        if settings.overthinking is not None:
            with clock.phase("judge"):
                metrics |= overthinking_metrics(_judged(batch.drawn), settings.overthinking)
        metrics |= self._model.engine.pop_metrics()
        self._validate(step, last, clock)
        self._session.overlap.note(run, "rl", step + 1, [group.problem for group in batch.drawn])
        metrics |= self._session.problem_sampler.metrics() | clock.metrics(metrics["tokens/written"])
        metrics["updates/idle_steps"] = self._idle.after(metrics)
        self._steps.metrics(step, metrics)
        if (said := self._idle.said(step + 1)) is not None:
            self._context.say(said)
        if step % settings.log_every == 0 or last:
            run.rollouts("rl", step + 1, shown(batch.drawn, settings.log_groups))
        if exports:
            self._exports.save(policy, step + 1)  # before a checkpoint, which then has it whole beside it
        self._steps.checkpoint(step, self._parts, saves, last)

    def end_stage(self) -> None:
        """What the run card says of the whole stage, and what credit remembers for a next task."""
        say_idle_steps(self._context, "rl")
        counts = self._session.mixture.counts
        self._context.note(data={name: held for name, held in counts.items() if any(held.values())})
        if state := self._scorer.state_dict():
            self._model.credit_state = {"parts": self._settings.credit.part_names, "state": state}

    def _validate(self, step: int, last: bool, clock: Clock) -> None:
        """Validation and benchmarks where they are due; the last step has both, and leaves the engine awake."""
        settings, held_out, sampler = self._session.settings, self._session.held_out, self._session.problem_sampler
        pace = settings.eval.benchmarks_every
        validates = (step + 1) % settings.rl.validate_every == 0 or last
        benchmarks = pace is not None and ((step + 1) % pace == 0 or last)
        validates = validates and bool(held_out.problems.validation)
        if not (validates or benchmarks or last):
            return
        with clock.phase("validate"):
            self._model.to_rollout(self._policy, version=step + 1)
            scores = held_out.validate() if validates else {}
            scores |= self._session.benchmarks.metrics() if benchmarks else {}
            if benchmarks and (said := self._session.benchmarks.said_by_harnesses()):
                self._context.note(harnesses=said)
            if scores:
                self._context.run.metrics("eval", step + 1, scores)
                sampler.validated(scores)
            if not last:  # the evaluation of the stage goes on with these weights
                self._model.to_training()

    @contextmanager
    def _logged_first(self, step: int, metrics: Mapping[str, float]) -> Iterator[None]:
        """A check that stops the run leaves behind what the step's metrics are by then."""
        try:
            yield
        except (EngineError, RunError):
            self._context.run.metrics("rl", step + 1, metrics)
            raise


def _judged(groups: Sequence[ScoredGroup]) -> Iterator[tuple[Problem, str, Verdict]]:
    for group in groups:
        for rollout, verdict in zip(group.rollouts, group.verdicts, strict=True):
            yield group.problem, rollout.text, verdict


def shown(groups: Sequence[ScoredGroup], count: int) -> list[ScoredGroup]:
    """Groups for rollouts.jsonl: modalities in turn, informative ones first."""
    by_modality: dict[str, list[ScoredGroup]] = {}
    for group in sorted(groups, key=lambda g: not g.informative):
        by_modality.setdefault(group.problem.modality, []).append(group)
    found: list[ScoredGroup] = []
    while len(found) < count and any(by_modality.values()):
        found += [held.pop(0) for held in by_modality.values() if held]
    return found[:count]

"""Reinforcement learning: the loop of Kimi k1.5 (§2.3), one page.

draw → collect (encode, roll out) → judge → credit → update → log, validate, save. Each verb is a function of a lower
layer.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

from vlrl import interrupts
from vlrl.errors import EngineError, RunError, VerifierFaultError
from vlrl.losses.loss_inputs import NOTHING, LossNormalizers
from vlrl.model.finite import check_policy, shortest
from vlrl.model.training.policy import Example, Policy
from vlrl.model.training.update_metrics import UpdateMetrics
from vlrl.provenance import source_of
from vlrl.rollout.collector import collect
from vlrl.rollout.partial_rollouts import RolloutBuffer
from vlrl.runlog.run_folder import RunFolder
from vlrl.seeding import derive_seed, stream
from vlrl.training.lifecycle.checkpoint import latest_checkpoint, load_checkpoint
from vlrl.training.monitoring.engine_agreement import ProbesDue
from vlrl.training.monitoring.idle_steps import IdleSteps, lines_of, say_idle_steps
from vlrl.training.monitoring.rl_budget import Budget, sampled_tokens
from vlrl.training.monitoring.rollout_metrics import example_metrics, group_metrics, prompt_metrics
from vlrl.training.run_settings import RlSettings
from vlrl.training.scoring import GroupScorer
from vlrl.training.session import Session
from vlrl.training.sft import validate
from vlrl.training.training_examples import skipped, to_examples
from vlrl.types import CreditedGroup, ScoredGroup
from vlrl.verify.judge import warm_up_verifiers


def run_rl(session: Session) -> Policy:
    """All RL steps, from the latest checkpoint where there is one. The policy ends up in the session's model."""
    settings, run = session.settings.rl, session.run
    policy = session.policy(settings.policy)
    scorer, buffer = GroupScorer(session, policy), RolloutBuffer()
    budget, probes = Budget(settings.steps, settings.response_tokens), ProbesDue(settings.agreement.probe_every)
    run.note(algorithm=[*settings.credit.sources(), *(source_of(one) for one in (settings.loss, *settings.auxiliary))])
    parts = {  # what a checkpoint holds
        "policy": policy,
        "credit": scorer,
        "buffer": buffer,
        "budget": budget,
        "probes": probes,
        "mixture": session.mixture,
        "problem_sampler": session.problem_sampler,
        "features": session.features,
    }
    first = _resume(session, parts)
    session.progress.start("rl", settings.steps)
    session.colocated.pop_metrics()  # what went before belongs to no step
    if first and budget.ends_after(first - 1):  # broken off after the last step
        session.refresh(policy, version=first)
        first = settings.steps
    with interrupts.deferred():
        _steps(session, policy, scorer, buffer, budget, probes, parts, first)
    say_idle_steps(session, "rl")
    run.note(data={name: held for name, held in session.mixture.counts.items() if any(held.values())})
    return policy


def _steps(
    session: Session,
    policy: Policy,
    scorer: GroupScorer,
    buffer: RolloutBuffer,
    budget: Budget,
    probes: ProbesDue,
    parts: dict[str, Any],
    first: int,
) -> None:
    """The steps from 0-based `first` on, until the budget ends them or a signal does, with a checkpoint."""
    settings, run = session.settings.rl, session.run
    idle = IdleSteps(lines_of(run.path, "rl"))
    for step in range(first, settings.steps):
        clock = Clock()
        session.at = f"rl, step {step + 1}"
        session.refresh(policy, version=step)
        clock.lap("switch")
        groups, drawn, metrics = collect_step(session, scorer, buffer, settings, step, budget.progress(step), clock)
        session.rest()
        clock.lap("switch")
        place = budget.schedule_step(step, settings.policy.optimizer.warmup_steps)
        budget.spend(sampled_tokens(metrics))
        last = budget.ends_after(step)
        if probes.at(step):
            probed = settings.agreement.probe(
                session.encoder.encode,
                policy,
                [one.scored.group for one in drawn],
                settings.sampling.temperature,
                session.forget_features,
            )
            metrics |= {"probe/groups": 0.0} if probed is None else probed.metrics()
            if probed is not None:
                probes.made()
                with logged_first(run, step, metrics):
                    settings.agreement.check_probe(probed, step)
            clock.lap("probe")
        examples = to_examples(groups, policy, settings, step)
        metrics |= group_metrics(drawn) | prompt_metrics([group.encoded for group in drawn]) | example_metrics(examples)
        lr_scale = settings.policy.optimizer.lr_scale_at(place, settings.steps)
        metrics |= learn(
            policy, examples, settings, step, lr_scale, session.settings.seed, skipped(groups, drawn, settings)
        )
        policy.end_iteration()
        exports = not last and settings.export_every is not None and (step + 1) % settings.export_every == 0
        saves = last or (step + 1) % settings.checkpoint_every == 0
        if exports or saves:  # while the engine sleeps
            check_policy(policy, shortest(examples), settings.sampling.temperature, "checkpoint")
        with logged_first(run, step, metrics):
            settings.agreement.check_gap(metrics, step)
        clock.lap("update")
        metrics |= session.colocated.pop_metrics()
        if scores := scores_after(step + 1, session, policy, last):
            run.metrics("eval", step + 1, scores)
            session.problem_sampler.validated(scores)
            if not last:  # the evaluation of the stage goes on with these weights
                session.rest()
            clock.lap("validate")
            session.colocated.pop_metrics()  # a validation's own switches belong to no step
        metrics |= session.problem_sampler.metrics() | clock.metrics(metrics["tokens/written"])
        metrics["updates/idle_steps"] = idle.after(metrics)
        session.progress.step("rl", step + 1, run.metrics("rl", step + 1, metrics))
        if (said := idle.said(step + 1)) is not None:
            session.progress.say(said)
        if step % settings.log_every == 0 or last:
            run.rollouts("rl", step + 1, _shown(drawn, settings.log_groups))
        if exports:
            policy.save(run.path / f"model_step_{step + 1}")  # before a checkpoint, which then has it whole beside it
        session.checkpoint("rl", step + 1, parts, saves, last)
        if last:
            break


def scores_after(step: int, session: Session, policy: Policy, last: bool) -> dict[str, float]:
    """Validation and benchmarks that are due after `step` steps; the last step has both. The engine is left awake."""
    settings, pace = session.settings.rl, session.settings.eval.benchmarks_every
    validates = bool(session.validation) and (step % settings.validate_every == 0 or last)
    benchmarks = pace is not None and (step % pace == 0 or last)
    if validates or benchmarks or last:
        session.refresh(policy, version=step)
    return (validate(session) if validates else {}) | (session.benchmarks.metrics() if benchmarks else {})


def collect_step(
    session: Session,
    scorer: GroupScorer,
    buffer: RolloutBuffer,
    settings: RlSettings,
    step: int,
    progress: Fraction,
    clock: Clock,
) -> tuple[list[CreditedGroup], list[CreditedGroup], dict[str, float]]:
    """The step's groups: those to train on, and all that were rolled out; with metrics of the rollout.

    With over-sampling, whole mixture-exact rounds are drawn until enough groups carry something to learn. Credit is
    given once, over the groups of all rounds: after each of them there is only a look at what it would be. With partial
    rollouts the groups are those that have ended by now, whenever they were drawn.
    """
    more, k, sampling = settings.over_sampling, settings.rollouts_per_problem, settings.sampling_at(step)
    encode, engine = session.encoder.encode, session.colocated
    scored: list[ScoredGroup] = []
    metrics: dict[str, float] = {}
    asked = 0
    for round_number in range(more.max_rounds if more else 1):
        problems = session.mixture.draw(settings.problems_per_step, progress, session.problem_sampler.at(step))
        warm_up_verifiers(problems)
        clock.lap("draw")
        seed = derive_seed(session.settings.seed, "rl", step, round_number)
        if settings.partial is None:
            new = collect(encode, engine, problems, sampling, k, seed)
        else:
            new, metrics = buffer.serve(encode, engine, problems, sampling, k, seed, settings.partial, step)
        clock.lap("rollout")
        scored += scorer.score(new, step)
        asked += scorer.contrast_tokens
        if more is not None:
            glimpse = scorer.credit(scored, step, remember=False)
            session.problem_sampler.observe(glimpse[len(scored) - len(new) :])
            if sum(more.takes(one) for one in glimpse) >= settings.groups_wanted:
                break
        clock.lap("judge")
    drawn = scorer.credit(scored, step)
    if more is None:
        session.problem_sampler.observe(drawn)
    clock.lap("judge")
    stop_on_faults(drawn, settings.max_fault_rate)
    kept = drawn
    if more is not None:
        kept = [group for group in drawn if more.takes(group)][: settings.groups_wanted]
    elif settings.skip_uninformative:
        kept = [group for group in drawn if group.informative]
    written = sum(one.num_tokens for group in drawn for one in group.rollouts)
    metrics = {"tokens/written": float(written), **metrics}
    if settings.contrast is not None:
        metrics["tokens/contrast"] = float(asked)
    return kept, drawn, metrics


def learn(
    policy: Policy,
    examples: Sequence[Example],
    settings: RlSettings,
    step: int,
    lr_scale: float,
    seed: int,
    left_out: LossNormalizers = NOTHING,
) -> dict[str, float]:
    """All updates of one step. A step without anything to learn from makes none, and compares no token."""
    sums = UpdateMetrics()
    for epoch in range(settings.epochs_per_step):
        order = stream(seed, "rl", "minibatches", step, epoch).permutation(len(examples))
        for part in range(settings.updates_per_step):
            chosen = [examples[i] for i in order[part :: settings.updates_per_step]]
            if chosen:
                sums.add(policy.update(chosen, settings.whole_loss, settings.sampling.temperature, lr_scale, left_out))
    return {
        "updates": float(sums.updates),
        "groups/trained": float(len(examples)),
        "logprob_gap/compared_tokens": 0.0,
        **sums.metrics(),
    }


@contextmanager
def logged_first(run: RunFolder, step: int, metrics: Mapping[str, float]) -> Iterator[None]:
    """A check that stops the run leaves behind what the step's metrics are by then."""
    try:
        yield
    except EngineError:
        run.metrics("rl", step + 1, metrics)
        raise


def stop_on_faults(groups: Sequence[CreditedGroup], limit: float) -> None:
    """Raise VerifierFaultError when the share of faulted verdicts exceeds the limit: it teaches noise."""
    faults = [v.fault for g in groups for v in g.verdicts if v.fault is not None]
    total = sum(len(g.verdicts) for g in groups)
    if faults and len(faults) > limit * total:
        raise VerifierFaultError(
            "judge",
            f"{len(faults)} of {total} verdicts are faults, e.g. {faults[0]}",
            "mend the verifier, or raise rl.max_fault_rate",
        )


class Clock:
    """Seconds of one step by phase."""

    def __init__(self) -> None:
        self._last = self._start = time.monotonic()
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def lap(self, phase: str) -> None:
        """Book the time since the last lap under `phase`."""
        now = time.monotonic()
        self._seconds[phase] += now - self._last
        self._last = now

    def metrics(self, response_tokens: float) -> dict[str, float]:
        """time/<phase>_seconds, time/step_seconds, tokens/rollout_per_second."""
        found = {f"time/{phase}_seconds": seconds for phase, seconds in self._seconds.items()}
        found["time/step_seconds"] = self._last - self._start
        found["tokens/rollout_per_second"] = response_tokens / max(self._seconds["rollout"], 1e-9)
        return found


def _resume(session: Session, parts: dict[str, Any]) -> int:
    before = session.run.damaged_from("rl", "eval")
    held: Path | None = latest_checkpoint(session.checkpoints("rl"), session.progress.say, before)
    step = 0 if held is None else load_checkpoint(held, parts)
    session.run.truncate_after("rl", step)
    session.run.truncate_after("eval", step)
    if held is not None:
        session.progress.say(f"resumed from {held}")
    if step > session.settings.rl.steps:
        raise RunError(str(held), f"lies behind rl.steps, {session.settings.rl.steps}", "give more steps")
    return step


def _shown(groups: Sequence[CreditedGroup], count: int) -> list[CreditedGroup]:
    """Groups for rollouts.jsonl: modalities in turn, informative ones first."""
    by_modality: dict[str, list[CreditedGroup]] = {}
    for group in sorted(groups, key=lambda g: not g.informative):
        by_modality.setdefault(group.problem.modality, []).append(group)
    shown: list[CreditedGroup] = []
    while len(shown) < count and any(by_modality.values()):
        shown += [held.pop(0) for held in by_modality.values() if held]
    return shown[:count]

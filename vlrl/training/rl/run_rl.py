"""Reinforcement learning: the loop of Kimi k1.5 (§2.3), one page.

collect (draw, encode, roll out, judge, credit) → update → record (log, validate, save)
"""

from __future__ import annotations

from vlrl.model.training.policy import Policy
from vlrl.training.rl.collect_step import StepCollector
from vlrl.training.rl.learn import learn
from vlrl.training.rl.rl_budget import Budget
from vlrl.training.rl.rl_recorder import RlRecorder
from vlrl.training.rl.training_examples import skipped_examples, to_examples
from vlrl.training.session.open_session import Session


def run_rl(session: Session) -> Policy:
    """All RL steps, from the latest checkpoint where there is one. The policy ends up in the session's model."""
    settings, seed, model = session.settings.rl, session.settings.seed, session.runtime
    policy = model.policy(settings.policy)
    collector = StepCollector(session, policy)
    budget = Budget(settings.steps, settings.response_tokens)
    recorder = RlRecorder(session, policy, collector, budget)
    for step, clock in recorder.steps():
        with clock.phase("switch"):
            model.to_rollout(policy, version=step)
        batch = collector.collect(step, budget.progress(step), clock)
        with clock.phase("switch"):
            model.to_training()
        recorder.probe(step, batch, clock)
        with clock.phase("update"):
            examples = to_examples(batch.groups, policy, settings, step, session.problem_sampler.pulls)
            lr_scale = budget.lr_scale(step, settings.policy.optimizer)
            metrics = learn(policy, examples, settings, step, lr_scale, seed, skipped_examples(batch.skipped, step))
            policy.end_iteration()
        recorder.record(step, batch, examples, metrics, clock)
    recorder.end_stage()
    collector.close()
    return policy

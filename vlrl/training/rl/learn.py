"""Examples → updates of the policy: minibatches and passes over one step's groups."""

from __future__ import annotations

from collections.abc import Sequence

from vlrl.model.batch.example import Example
from vlrl.model.training.policy import Policy
from vlrl.model.training.update_metrics import UpdateMetrics
from vlrl.seeding import stream
from vlrl.training.rl.rl_settings import RlSettings


def learn(
    policy: Policy,
    examples: Sequence[Example],
    settings: RlSettings,
    step: int,
    lr_scale: float,
    seed: int,
    skipped: Sequence[Example] = (),
) -> dict[str, float]:
    """All updates of one step. A step without anything to learn from makes none, and compares no token.

    skipped  examples without a gradient; they are dealt to the updates, whose averages count them
    """
    sums = UpdateMetrics()
    for epoch in range(settings.epochs_per_step):
        order = stream(seed, "rl", "minibatches", step, epoch).permutation(len(examples))
        for part in range(settings.updates_per_step):
            chosen = [examples[i] for i in order[part :: settings.updates_per_step]]
            left = skipped[part :: settings.updates_per_step]
            if chosen:
                sums.add(policy.update(chosen, settings.whole_loss, settings.sampling.temperature, lr_scale, left))
    return {
        "updates": float(sums.updates),
        "groups/trained": float(len(examples)),
        "logprob_gap/compared_tokens": 0.0,
        **sums.metrics(),
        **sums.scale_of_the_pull(settings.loss.objective_tau, settings.loss.means_over_response),
    }

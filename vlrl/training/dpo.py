"""Preference learning (k1.5 §2.4): DPO on pairs, against the frozen policy that it starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vlrl.data.problem_files import read_preferences
from vlrl.errors import DataError
from vlrl.model.batch.example import Example
from vlrl.model.training.policy import Policy
from vlrl.training.response_rows import check_fits, response_tokens
from vlrl.training.session.model_runtime import ModelRuntime
from vlrl.training.session.open_session import Session
from vlrl.training.sft import Phase, train_on
from vlrl.types import Demonstration, Preference


def run_dpo(session: Session) -> Policy:
    """Train on the pairs that the settings name; leaves the best validated weights in the model.

    The reference is the model as the stage finds it: its log-probabilities are computed once, before the first update,
    also where a broken-off stage goes on. Raises DataError for a file without pairs.
    """
    settings = session.settings.dpo
    assert settings.pairs is not None, "the settings refuse the stage without a file"
    pairs = read_preferences(settings.pairs)
    if not pairs:
        raise DataError(settings.pairs, "holds no pair", "sample more problems, or responses of more kinds")
    session.overlap.note(session.context.run, "dpo", 0, [one.problem for one in pairs])
    policy = session.runtime.policy(settings.policy)
    examples = pair_examples(session.runtime, policy, pairs)
    return train_on(session, [Phase(settings, examples)], settings.loss, "dpo", first=policy)


def pair_examples(model: ModelRuntime, policy: Policy, pairs: Sequence[Preference]) -> list[Example]:
    """One row a pair, the chosen response first, with the policy's present log-probabilities as the reference's. A
    response that was cut or looped has no end token: the policy never wrote one.

    Raises DataError for a pair that is longer than the context.
    """
    encoded = model.encoder.encode([pair.problem for pair in pairs])
    rows = []
    for one, pair in zip(encoded, pairs, strict=True):
        chosen = response_tokens(model.loaded, Demonstration(pair.problem, pair.chosen), pair.chosen_ended)
        rejected = response_tokens(model.loaded, Demonstration(pair.problem, pair.rejected), pair.rejected_ended)
        rows.append(Example(one, (chosen, rejected)))
    remedy = "take the pair out of the file"
    check_fits(rows, [pair.problem for pair in pairs], model.loaded.context, "dpo.pairs", remedy)
    references = policy.logprobs(rows, 1.0)
    return [replace(row, advantages=(1.0, -1.0), old_logprobs=old) for row, old in zip(rows, references, strict=True)]

"""Weighted likelihood of rollouts that earlier runs stored: BOLT, ReST and plain SFT on them, without an engine.

The gradient is that of the live preset `bolt` on the same responses: every group is weighed whole, by its rewards as
they were. Tokens are read again from the text. A response whose text isn't read as as many tokens as the policy wrote
was written in other tokens: it keeps its place in the weights and in the mean, and isn't trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vlrl.credit.advantage.advantages import GroupAdvantage
from vlrl.data.stored_rollouts import StoredGroup, read_stored_groups
from vlrl.errors import DataError
from vlrl.model.batch.example import Example
from vlrl.training.fixed_set_settings import StoredRollouts
from vlrl.training.response_rows import check_fits, response_tokens
from vlrl.training.session.model_runtime import ModelRuntime
from vlrl.types import Demonstration, Problem


@dataclass(frozen=True)
class StoredSet:
    """Update examples, one a group, and what the run card says of them.

    problems  of the groups, each known by the id that it was asked under
    counts  groups, responses, how many of these are trained, groups that were left out because they are held out here,
            and effective_sample_rate: (Σw)² / (k·Σw²) of a group's weights, its mean
    """

    examples: tuple[Example, ...]
    problems: tuple[Problem, ...]
    counts: dict[str, Any]


def stored_set(model: ModelRuntime, settings: StoredRollouts, held_out: Sequence[Problem] = ()) -> StoredSet:
    """The groups of all runs that are named, in order. Raises DataError as `read_stored_groups` does, where all groups
    are of held-out problems, where no response can be trained, and for one that is longer than the context."""
    groups = [
        group for run in settings.runs for group in read_stored_groups(Path(run).expanduser(), settings.from_step)
    ]
    known = {name for problem in held_out for name in (problem.id, problem.content_id)}
    kept = [group for group in groups if group.problem_id not in known]
    if not kept:
        raise DataError("sft.rollouts.runs", "all of their problems are held out here", "give the seed of those runs")
    encoded = model.encoder.encode([group.problem for group in kept])
    examples, trained, rates = [], 0, []
    for group, prompt in zip(kept, encoded, strict=True):
        responses = [read_again(model, group, number) for number in range(len(group.responses))]
        same = [len(ids) == one.tokens for ids, one in zip(responses, group.responses, strict=True)]
        weights = group_weights(settings.weights, group)
        total, squares = sum(weights), sum(weight * weight for weight in weights)
        rates += [total * total / (len(weights) * squares)] if squares else []
        trained += sum(same)
        example = Example(prompt, tuple(ids or (model.loaded.stop_ids[0],) for ids in responses), advantages=weights)
        if not all(same):
            counted = tuple((float(s),) * len(ids) for s, ids in zip(same, example.responses, strict=True))
            example = replace(example, token_weights=counted)
        examples.append(example)
    if not trained:
        raise DataError(
            "sft.rollouts.runs",
            "no response is read as as many tokens as were written",
            "name runs of a model with this tokenizer",
        )
    check_fits(examples, [group.problem for group in kept], model.loaded.context, "sft.rollouts", "leave its run out")
    counts = {
        "groups": len(kept),
        "held_out_groups": len(groups) - len(kept),
        "responses": sum(len(group.responses) for group in kept),
        "trained_responses": trained,
        "effective_sample_rate": sum(rates) / len(rates) if rates else 0.0,
    }
    problems = tuple(replace(group.problem, untemplated_id=group.problem_id) for group in kept)
    return StoredSet(tuple(examples), problems, counts)


def group_weights(rule: GroupAdvantage, group: StoredGroup) -> tuple[float, ...]:
    """(k,) weights of a group's responses; all 0 where it has fewer than the rule needs, as in RL."""
    rewards = [one.reward for one in group.responses]
    return rule(rewards) if len(rewards) >= rule.least else (0.0,) * len(rewards)


def read_again(model: ModelRuntime, group: StoredGroup, number: int) -> tuple[int, ...]:
    """Token ids of a stored response, with the end token where it ended by itself."""
    one = group.responses[number]
    return response_tokens(model.loaded, Demonstration(group.problem, one.text), one.ended)

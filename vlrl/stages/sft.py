"""Long-CoT warm-up (rows K9–K11): supervised fine-tuning on a small fixed demonstration set, best checkpoint kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from vlrl.data.mixture import demonstrations
from vlrl.errors import DataError
from vlrl.evaluation.held_out import text_rendered_consistency
from vlrl.losses.registry import Loss
from vlrl.losses.sft import SftLoss
from vlrl.model.encode import Encoded
from vlrl.model.load import LoadedModel
from vlrl.model.packing import Row
from vlrl.model.policy import Example, Policy
from vlrl.seeding import stream
from vlrl.stages.checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint
from vlrl.stages.session import Session
from vlrl.stages.settings import FixedSetSettings
from vlrl.types import Demonstration


def response_tokens(loaded: LoadedModel, demonstration: Demonstration) -> tuple[int, ...]:
    """Token ids of a demonstration's response with the end token. Raises DataError if it holds placeholder tokens."""
    ids = loaded.tokenizer(demonstration.response, add_special_tokens=False)["input_ids"]
    if set(ids).intersection(loaded.placeholder_ids):
        raise DataError(
            f"demonstration of problem {demonstration.problem.id}",
            "its response holds picture placeholder tokens, which the policy can never write",
            "remove them from the response",
        )
    return (*ids, loaded.stop_ids[0])


def as_examples(loaded: LoadedModel, encoded: Sequence[Encoded], demos: Sequence[Demonstration]) -> list[Example]:
    """Demonstrations as update examples, in order."""
    return [
        Example(Row(one, (response_tokens(loaded, demo),)), advantages=(1.0,))
        for one, demo in zip(encoded, demos, strict=True)
    ]


def run_sft(
    session: Session,
    steps: int | None = None,
    seconds: float | None = None,
    stage: str = "sft",
    clock: Callable[[], float] = time.monotonic,
) -> Policy:
    """Train on the recipe's demonstrations; leaves the best validated weights in the model.

    `seconds` on `clock` end the stage instead of a step count (for matched comparisons).
    """
    settings = session.settings.sft
    demos = demonstrations(session.recipe, session.settings.seed, settings.demonstrations, session.held_out)
    examples = as_examples(session.loaded, session.encoder.encode([d.problem for d in demos]), demos)
    policy = session.policy(settings.policy)
    train_on(session, policy, examples, SftLoss(), settings, stage, steps, seconds, clock)
    return policy


def train_on(
    session: Session,
    policy: Policy,
    examples: Sequence[Example],
    loss: Loss,
    settings: FixedSetSettings,
    stage: str,
    steps: int | None = None,
    seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Epochs over a fixed set, from the latest checkpoint; leaves the best validated weights in the model."""
    total = steps or settings.steps
    order = _batches(len(examples), settings.batch, session.settings.seed, stage)
    best = BestWeights(session.loaded.model)
    checkpoints, first = session.run.path / f"checkpoints_{stage}", 0
    held = latest_checkpoint(checkpoints)
    if held is not None:
        first = load_checkpoint(held, {"policy": policy, "best": best})
        session.progress.say(f"resumed from {held}")
    session.run.truncate_after(stage, first)
    for _ in range(first):
        next(order)
    session.progress.start(stage, total)
    began = clock()
    for step in range(first, total):
        started = time.monotonic()
        chosen = [examples[i] for i in next(order)]
        session.rest()
        metrics = dict(policy.update(chosen, loss, 1.0, settings.policy.optimizer.rate_at(step, total)))
        out_of_time = seconds is not None and clock() - began > seconds
        if (step + 1) % settings.validate_every == 0 or step + 1 == total or out_of_time:
            session.refresh(policy, version=step + 1)
            scores = validate(session)
            metrics |= scores | session.hybrid.figures()
            best.offer(scores["accuracy/mean"], step + 1)
        took = time.monotonic() - started
        metrics |= {"time/step_seconds": took, "tokens/response": sum(e.row.num_response_tokens for e in chosen)}
        session.progress.step(stage, step + 1, session.run.metrics(stage, step + 1, metrics))
        if out_of_time:
            break
        if (step + 1) % settings.checkpoint_every == 0 and step + 1 < total:
            save_checkpoint(checkpoints, step + 1, {"policy": policy, "best": best})
    best.restore()
    session.refresh(policy, version=best.step)
    session.run.note(**{stage: {"best_step": best.step, "best_validation_accuracy": best.accuracy}})


class BestWeights:
    """The weights that validated best so far."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._weights: dict[str, torch.Tensor] = {}
        self.accuracy, self.step = -1.0, 0

    def offer(self, accuracy: float, step: int) -> None:
        """Keep a copy of the model's weights if they are the best so far; the earlier ones win a tie."""
        if accuracy > self.accuracy:
            self.accuracy, self.step = accuracy, step
            self._weights = {name: tensor.detach().clone() for name, tensor in self._model.state_dict().items()}

    def restore(self) -> None:
        """Put the best weights into the model; without any offer it stays as it is."""
        if self._weights:
            self._model.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"accuracy": self.accuracy, "step": self.step, "weights": self._weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.accuracy, self.step, self._weights = state["accuracy"], state["step"], state["weights"]


def validate(session: Session) -> dict[str, float]:
    """Sampled accuracy on the validation problems by modality and on average; agreement of rendered twins (K34)."""
    answers = session.answers(session.validation, session.settings.eval.sampling, 1)
    found: dict[str, float] = {}
    for modality in sorted({p.modality for p in session.validation}):
        rows = answers.correct(answers.where(modality=modality))
        found[f"accuracy/{modality}"] = sum(row[0] for row in rows) / len(rows)
    found["accuracy/mean"] = sum(found.values()) / len(found)
    agreement = text_rendered_consistency(answers)
    return found if agreement is None else {**found, "consistency/text_rendered": agreement}


def _batches(count: int, size: int, seed: int, stage: str) -> Any:
    """Endless batches of indices; every epoch is a new order of all of them."""
    epoch = 0
    queue: list[int] = []
    while True:
        while len(queue) < min(size, count):
            queue += stream(seed, stage, "order", epoch).permutation(count).tolist()
            epoch += 1
        yield queue[:size]
        queue = queue[size:]

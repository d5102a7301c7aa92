"""Supervised fine-tuning on demonstrations in one or more phases; the best validated weights stay (k1.5 §2.2,
§2.5).
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch

from vlrl import dist
from vlrl.data.mixture import demonstrations
from vlrl.errors import DataError
from vlrl.losses.loss_registry import UpdateLoss
from vlrl.losses.sft_loss import SftLoss
from vlrl.model.batch.example import Example
from vlrl.model.finite import check_policy, shortest
from vlrl.model.load import LoadedModel
from vlrl.model.prompts.encode import Encoded
from vlrl.model.prompts.prompt_check import PromptCheck
from vlrl.model.training.policy import Policy
from vlrl.seeding import stream
from vlrl.training.fixed_set_settings import FixedSetSettings, SftPhase
from vlrl.training.lifecycle.checkpoint import step_of
from vlrl.training.monitoring.idle_steps import say_idle_steps
from vlrl.training.response_rows import check_fits, response_tokens
from vlrl.training.run_settings import RunSettings
from vlrl.training.scripted_episodes import scripted_examples
from vlrl.training.session.open_session import Session
from vlrl.training.session.step_recorder import StepRecorder
from vlrl.training.stored_rollouts import stored_set
from vlrl.training.teacher.teacher_provenance import writers_of
from vlrl.types import Demonstration

CUT_WORTH_SAYING = 0.02  # share of demonstrated responses that a later stage's budget would cut


def as_examples(loaded: LoadedModel, encoded: Sequence[Encoded], demos: Sequence[Demonstration]) -> list[Example]:
    """Demonstrations as update examples, in order."""
    return [
        Example(one, (response_tokens(loaded, demo),), advantages=(1.0,))
        for one, demo in zip(encoded, demos, strict=True)
    ]


Ready = Callable[[Policy, Sequence[Example]], tuple[Sequence[Example], dict[str, float]]]


@dataclass(frozen=True)
class Phase:
    """Steps on one fixed set, by these settings.

    sources      the name of every example's source, where the run card is to have a table of them
    temperature  of the distribution whose log-probabilities the loss sees
    ready        what a batch becomes under the policy before its update, and metrics of it; None: it is ready
    """

    settings: FixedSetSettings
    examples: Sequence[Example]
    temperature: float = 1.0
    ready: Ready | None = None
    sources: tuple[str, ...] = ()

    @property
    def steps(self) -> int:
        """How many updates."""
        return self.settings.steps_over(len(self.examples))


def run_sft(
    session: Session,
    steps: int | None = None,
    seconds: float | None = None,
    stage: str = "sft",
    clock: Callable[[], float] = time.monotonic,
) -> Policy:
    """Train on the recipe's demonstrations, or on stored rollouts; leaves the best validated weights in the model.

    `steps` make one phase of that length, whatever `phases` say; `seconds` on `clock` end the stage instead of a
    step count. Both are for matched comparisons.
    """
    settings = session.settings.sft
    chosen = settings.in_order if steps is None else (settings.model_copy(update={"steps": steps, "epochs": None}),)
    if settings.rollouts is not None:
        stored = stored_set(session.runtime, settings.rollouts, session.held_out.problems.all)
        session.context.note(sft_rollouts=stored.counts)
        session.overlap.note(session.context.run, "sft", 0, stored.problems)
        of_stored = Phase(chosen[0], stored.examples, settings.rollouts.temperature)
        return train_on(session, [of_stored], settings.rollouts.loss, stage, seconds, clock)
    phases = [sft_phase(session, one, f"sft.phases.{i}" if settings.phases else "sft") for i, one in enumerate(chosen)]
    session.context.note(sft_phases=[described(one) for one in phases])
    policy = train_on(session, phases, SftLoss(), stage, seconds, clock)
    writers = writers_of(session.recipe, {source for one in phases for source in one.sources})
    session.runtime.taught_by = writers or session.runtime.taught_by
    return policy


def sft_phase(session: Session, settings: SftPhase, place: str) -> Phase:
    """One phase with its demonstrations. One that is longer than the context is a bad row of its source.

    Raises BadRowError with the row's place where the source stops for it, DataError where all are longer than
    `max_tokens`.
    """
    remedy = f"leave longer demonstrations out with {place}.max_tokens"
    model, most = session.runtime, settings.max_tokens
    asked = PromptCheck(model.loaded, model.encoder, session.recipe.image, longest=1)

    def fits_with(demo: Demonstration) -> None:
        asked.with_response(demo.problem, len(response_tokens(model.loaded, demo)), remedy)

    demos = demonstrations(
        session.recipe,
        session.settings.seed,
        settings.demonstrations,
        session.held_out.problems.all,
        asked,
        check_response=fits_with if most is None or most > model.loaded.context else None,
    )
    if any(demo.turns for demo in demos):
        examples = scripted_examples(model.loaded, model.encoder, session.settings.environment, demos, place)
    else:
        examples = as_examples(model.loaded, model.encoder.encode([d.problem for d in demos]), demos)
    fits = [i for i, one in enumerate(examples) if most is None or one.num_tokens <= most]
    short = [examples[i] for i in fits]
    if len(short) < len(examples):
        session.context.say(f"{place}: {len(examples) - len(short)} of {len(examples)} demonstrations are too long")
    if not short:
        shortest = min(one.num_tokens for one in examples)
        raise DataError(
            f"{place}.max_tokens", f"is {most}, and the shortest demonstration takes {shortest} tokens", "raise it"
        )
    problems = [demos[i].problem for i in fits]
    check_fits(short, problems, model.loaded.context, place, remedy)
    session.overlap.note(session.context.run, "sft", 0, problems)
    if not any(demo.turns for demo in demos):  # an episode's budget is of each turn
        for line in longer_than_budgets(short, session.settings, place):
            session.context.say(line)
    return Phase(settings, short, sources=tuple(problem.source for problem in problems))


def longer_than_budgets(rows: Sequence[Example], settings: RunSettings, place: str) -> list[str]:
    """A sentence for RL and one for evaluation where its budget cuts more than CUT_WORTH_SAYING of what is taught."""
    lengths = [len(response) for row in rows for response in row.responses]
    budgets = {"eval": settings.eval.sampling.max_tokens}
    if "rl" in settings.stages:
        budgets["rl"] = settings.rl.sampling.max_tokens
    cut = {stage: sum(length > budget for length in lengths) / len(lengths) for stage, budget in budgets.items()}
    return [
        f"{place}: {share:.0%} of the demonstrated responses are longer than {stage}.sampling.max_tokens "
        f"{budgets[stage]} (the longest: {max(lengths)}); what is taught will be cut there"
        for stage, share in cut.items()
        if share > CUT_WORTH_SAYING
    ]


def described(phase: Phase) -> dict[str, Any]:
    """One phase as the run card states it: steps, demonstrations and tokens, by source too (k1.5 §2.5), peak rate."""
    by_source: dict[str, list[Example]] = {}
    for one, source in zip(phase.examples, phase.sources, strict=True):
        by_source.setdefault(source, []).append(one)
    return {
        "steps": phase.steps,
        **_counted(phase.examples),
        "sources": {source: _counted(rows) for source, rows in by_source.items()},
        "lr": phase.settings.policy.optimizer.lr,
    }


def _counted(rows: Sequence[Example]) -> dict[str, int]:
    return {
        "demonstrations": len(rows),
        "tokens": sum(row.num_tokens for row in rows),
        "response_tokens": sum(row.num_response_tokens for row in rows),
    }


def train_on(
    session: Session,
    phases: Sequence[Phase],
    loss: UpdateLoss,
    stage: str,
    seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    first: Policy | None = None,
) -> Policy:
    """Epochs over fixed sets, from the latest checkpoint; leaves the best validated weights in the model.

    Every phase has a policy of its own over the same model: its frozen parts, a new optimiser, its own schedule.
    `first` is that of the first phase where it is open already.
    """
    ends = list(accumulate(one.steps for one in phases))
    context, model = session.context, session.runtime
    recorder = StepRecorder(context, model, stage)
    best = (BestWeights if model.loaded.shards is None else BestShards)(model.loaded.model)
    held = recorder.latest_checkpoint()
    # a checkpoint at a joint is that of the phase before it
    number = bisect_right(ends, max(step_of(held) - 1, 0)) if held is not None else 0
    policy = first if first is not None and number == 0 else model.policy(phases[number].settings.policy)
    start = recorder.resume(held, {"policy": policy, "best": best, "features": model.features}, ends[-1])
    order = _order_of(phases, number, context.seed, stage)
    for _ in range(start - (ends[number - 1] if number else 0)):
        next(order)
    began = clock()
    for step in recorder.steps(start, ends[-1]):
        started = time.monotonic()
        if step == ends[number]:
            number += 1
            policy = model.policy(phases[number].settings.policy)
            order = _order_of(phases, number, context.seed, stage)
        here, settings = phases[number], phases[number].settings
        chosen: Sequence[Example] = [here.examples[i] for i in next(order)]
        chosen, more = here.ready(policy, chosen) if here.ready else (chosen, {})
        lr_scale = settings.policy.optimizer.lr_scale_at(step - ends[number] + here.steps, here.steps)
        metrics = {**policy.update(chosen, loss, here.temperature, lr_scale).metrics(), **more}
        out_of_time = seconds is not None and dist.from_first(lambda: clock() - began) > seconds
        if (step + 1) % settings.validate_every == 0 or step + 1 == ends[number] or out_of_time:
            metrics |= _validated(session, policy, best, step + 1)
        took = time.monotonic() - started
        metrics |= {"time/step_seconds": took, "tokens/response": sum(e.num_response_tokens for e in chosen)}
        metrics["optimizer/lr"] = lr_scale * settings.policy.optimizer.lr
        recorder.metrics(step, metrics)
        if out_of_time:
            break
        last = step + 1 == ends[-1]
        saves = last or (step + 1) % settings.checkpoint_every == 0
        if saves:
            check_policy(policy, shortest(chosen), here.temperature, "checkpoint")
        recorder.checkpoint(step, {"policy": policy, "best": best, "features": model.features}, saves, last)
    best.restore()
    model.to_rollout(policy, version=best.step or ends[-1])
    if best.step:
        context.note(**{stage: {"best_step": best.step, "best_validation_accuracy": best.accuracy}})
    say_idle_steps(context, stage)
    return policy


def _validated(session: Session, policy: Policy, best: BestWeights, step: int) -> dict[str, float]:
    """Scores on validation after `step` steps, with what the switches cost; the engine sleeps again. Empty without it.

    The weights are kept where they are the best so far.
    """
    if not session.held_out.problems.validation:
        return {}
    engine = session.runtime.engine
    engine.restart_metrics()
    session.runtime.to_rollout(policy, version=step)
    scores = session.held_out.validate()
    best.offer(scores["accuracy/mean"], step)
    session.runtime.to_training()
    return scores | engine.pop_metrics()


_ACCURACY, _STEP = "best accuracy", "best step"


class BestWeights:
    """The weights that validated best so far."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._weights: dict[str, torch.Tensor] = {}
        self.accuracy, self.step = -1.0, 0

    def offer(self, accuracy: float, step: int) -> None:
        """Keep a copy of the model's weights if they are the best so far; the earlier ones win a tie.

        There is one copy at most, tied weights once in it: a better one is written over it.
        """
        if accuracy <= self.accuracy:
            return
        self.accuracy, self.step = accuracy, step
        for name, weight in self._model.named_parameters():
            if name in self._weights:
                self._weights[name].copy_(weight.detach())
            else:
                self._weights[name] = weight.detach().clone()

    @torch.no_grad()
    def restore(self) -> None:
        """Put the best weights into the model; without any offer it stays as it is."""
        if not self._weights:
            return
        for name, weight in self._model.named_parameters():
            weight.copy_(self._weights[name])

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"accuracy": self.accuracy, "step": self.step, "weights": self._weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.accuracy, self.step, self._weights = state["accuracy"], state["step"], state["weights"]


class BestShards(BestWeights):
    """The same of a model in shards: every rank keeps its own rows."""

    state_in_shards = True

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint, by name."""
        return {**self._weights, _ACCURACY: torch.tensor(self.accuracy).double(), _STEP: torch.tensor(self.step)}

    def to_fill(self, names: Collection[str]) -> dict[str, torch.Tensor]:
        """Tensors of these names, in the memory in which they belong."""
        own = dict(self._model.named_parameters())
        self._weights = {name: torch.empty_like(own[name]).detach() for name in names if name in own}
        self._filled = {_ACCURACY: torch.zeros(()).double(), _STEP: torch.zeros((), dtype=torch.long)}
        return {**self._weights, **self._filled}

    def filled(self) -> None:
        """The tensors of `to_fill` have their values now."""
        self.accuracy, self.step = float(self._filled[_ACCURACY]), int(self._filled[_STEP])


def _order_of(phases: Sequence[Phase], number: int, seed: int, stage: str) -> Any:
    one = phases[number]
    return _batches(len(one.examples), one.settings.batch, seed, f"{stage}.{number}" if number else stage)


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

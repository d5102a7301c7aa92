"""`vlrl reward-model train`, the classic kind: a value head over question, reference and answer.

    classic/  run.yaml, run_card.json, metrics.jsonl, checkpoints_classic/, model/ (Hugging Face format and
              value_head.safetensors), reward_model.json

Interrupted, it goes on from its last checkpoint. The weights that validated best are kept.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from vlrl.data.fixed_sets import recipe_texts
from vlrl.data.recipe import load_recipe
from vlrl.errors import DataError, NonFiniteError
from vlrl.installation.host import describe_code
from vlrl.model.load import LoadedModel, load_model, save_model
from vlrl.model.optimization.lora import adapted_layers
from vlrl.model.prompts.encode import Encoded, Encoder
from vlrl.model.training.backends import TorchBackend
from vlrl.report.model_cards.card_files import write_model_cards
from vlrl.reward_models.judging_models import read_prompts
from vlrl.reward_models.reward_model_card import RewardModelCard
from vlrl.reward_models.row_files import RowFolder, read_row_folder
from vlrl.reward_models.value_head import ValueHead
from vlrl.rollout.colocated import ColocatedEngine
from vlrl.rollout.distributed_engine import open_engine
from vlrl.rollout.engine_registry import default_engine
from vlrl.runlog.run_folder import RunFolder
from vlrl.seeding import stream
from vlrl.training.lifecycle.run_changes import changes, refuse_other_results
from vlrl.training.lifecycle.run_claim import claimed
from vlrl.training.lifecycle.run_ending import has_finished, recorded_ending, settings_of
from vlrl.training.monitoring.progress import Progress
from vlrl.training.reward_models.classic_learner import ClassicLearner
from vlrl.training.reward_models.reward_model_config import ClassicRun, RewardModelConfig
from vlrl.training.session.model_runtime import ModelRuntime
from vlrl.training.session.open_session import TOKENIZER_TEXTS, describe_model
from vlrl.training.session.run_context import RunContext
from vlrl.training.session.step_recorder import StepRecorder
from vlrl.training.sft import BestWeights
from vlrl.types import Demonstration, Problem
from vlrl.verify.learned.judgement import declared_label

STAGE, LEAF = "classic", "model"


def train_classic(config: RewardModelConfig, fresh: bool = False) -> Path:
    """Train it on the config's rows; returns its folder. A finished one of the same settings is left as it is.

    Raises ConfigError or DataError before the model is loaded, RunError for a folder of other settings.
    """
    rows = read_row_folder(config.rows_folder)
    demonstrations = {split: rows.demonstrations(split) for split in ("train", "validation")}  # type: ignore[arg-type]
    folder = config.folder / STAGE
    settings = ClassicRun(rows=dict(rows.digests), **{name: getattr(config, name) for name in _SHARED})
    TorchBackend().check(STAGE, config.model, config.classic.policy)
    with claimed(folder, "run", fresh) as claim:
        held = settings_of(folder)
        if held is not None:
            found = changes(held, settings)
            refuse_other_results(str(folder), found)
            if not found and has_finished(folder) and config.judge_settings("classic").card() is not None:
                print(f"{folder} holds a finished reward model of these settings; --fresh starts it again")
                return folder
        run = RunFolder(folder, settings.model_dump(mode="json"), sys.argv)
        with recorded_ending(run), Progress({STAGE: config.classic.steps}) as progress:
            context = RunContext(config.run_settings("classic"), run, progress)
            _train(config, context, rows, demonstrations["train"], demonstrations["validation"])
            write_model_cards(folder)
        claim.finish()
    return folder


_SHARED = ("name", "seed", "model", "instruction", "image", "classic", "threads")


def _train(
    config: RewardModelConfig,
    context: RunContext,
    rows: RowFolder,
    train: Sequence[Demonstration],
    validation: Sequence[Demonstration],
) -> None:
    if config.threads:
        torch.set_num_threads(config.threads)
    loaded = load_model(
        config.model,
        config.seed,
        lambda: recipe_texts(load_recipe(rows.recipe), config.seed, TOKENIZER_TEXTS),
        context.run.path / "built_model",
    )
    if config.classic.policy.lora is not None:
        adapted_layers(loaded.model, config.classic.policy.lora)
    encoder = Encoder(loaded, config.image, "")
    learner = ClassicLearner(loaded, config.classic.policy)
    kept = _Prompts(encoder, train, loaded.context - 1)
    tested = _Prompts(encoder, validation, loaded.context - 1)
    if not kept.usable or not tested.usable:
        raise DataError(str(rows.path), "no row fits the model's context", "raise model.context")
    context.note(
        model=describe_model(loaded),
        data={"rows": len(kept.usable), "validation": len(tested.usable), "too long": kept.unusable + tested.unusable},
    )
    _steps(config, context, learner, kept, tested)
    _save(config, context.run.path, loaded, learner.head, rows)


class _Prompts:
    """Demonstrations as prompts with labels; those without images are encoded once.

    usable    places of those that fit in `room` tokens
    unusable  how many don't, or can't be read
    """

    def __init__(self, encoder: Encoder, demonstrations: Sequence[Demonstration], room: int) -> None:
        self._encoder, self._room = encoder, room
        self._problems: list[Problem] = [one.problem for one in demonstrations]
        self.labels = [declared_label(problem) for problem in self._problems]
        read = read_prompts(encoder, self._problems, room)
        self.usable = [i for i, one in enumerate(read) if isinstance(one, Encoded)]
        self.unusable = len(read) - len(self.usable)
        self._held = {i: one for i, one in enumerate(read) if isinstance(one, Encoded) and not one.images}

    def get(self, places: Sequence[int]) -> list[Encoded]:
        """Encoded prompts at these places of `usable`."""
        asked = [self.usable[i] for i in places]
        missing = [i for i in asked if i not in self._held]
        fresh = dict(zip(missing, self._encoder.encode([self._problems[i] for i in missing]), strict=True))
        return [self._held[i] if i in self._held else fresh[i] for i in asked]

    def label(self, place: int) -> bool:
        """The label at a place of `usable`."""
        return self.labels[self.usable[place]]


def _steps(
    config: RewardModelConfig, context: RunContext, learner: ClassicLearner, train: _Prompts, validation: _Prompts
) -> None:
    settings, optimizer = config.classic, config.classic.policy.optimizer
    total = settings.steps_over(len(train.usable))
    loaded = learner.loaded
    runtime = ModelRuntime(
        loaded,
        Encoder(loaded, config.image, ""),
        ColocatedEngine(open_engine(default_engine(), loaded), loaded.device),
        TorchBackend(),
    )
    recorder, best = StepRecorder(context, runtime, STAGE), BestWeights(learner.whole)
    parts = {"policy": learner, "best": best, "features": runtime.features}
    start = recorder.resume(recorder.latest_checkpoint(), parts, total)
    order = _batches(len(train.usable), settings.batch, config.seed)
    for _ in range(start):
        next(order)
    for step in recorder.steps(start, total):
        began = time.monotonic()
        chosen = next(order)
        try:
            metrics = learner.update(
                train.get(chosen), [train.label(i) for i in chosen], optimizer.lr_scale_at(step, total)
            )
        except NonFiniteError as error:
            raise error.at(context.at) from error
        metrics["optimizer/lr"] = optimizer.lr * optimizer.lr_scale_at(step, total)
        last = step + 1 == total
        if (step + 1) % settings.validate_every == 0 or last:
            accuracy = _accuracy(learner, validation, settings.batch)
            best.offer(accuracy, step + 1)
            metrics["accuracy/mean"] = accuracy
        metrics["time/step_seconds"] = time.monotonic() - began
        recorder.metrics(step, metrics)
        recorder.checkpoint(step, parts, last or (step + 1) % settings.checkpoint_every == 0, last)
    best.restore()
    context.note(classic={"best_step": best.step, "best_validation_accuracy": best.accuracy})


def _accuracy(learner: ClassicLearner, prompts: _Prompts, batch: int) -> float:
    right = 0
    for begin in range(0, len(prompts.usable), batch):
        places = range(begin, min(begin + batch, len(prompts.usable)))
        logits = learner.logits(prompts.get(places)).tolist()
        right += sum((value >= 0) == prompts.label(i) for i, value in zip(places, logits, strict=True))
    return right / len(prompts.usable)


def _batches(count: int, size: int, seed: int) -> Iterator[list[int]]:
    """Endless batches of places; every epoch is a new order of all of them."""
    queue: list[int] = []
    epoch = 0
    while True:
        while len(queue) < min(size, count):
            queue += stream(seed, STAGE, "order", epoch).permutation(count).tolist()
            epoch += 1
        yield queue[:size]
        queue = queue[size:]


def _save(config: RewardModelConfig, folder: Path, loaded: LoadedModel, head: ValueHead, rows: RowFolder) -> None:
    """Weights, then head, then the card that says that all of it is there."""
    save_model(loaded, folder / LEAF)
    head.save(folder / LEAF)
    provenance = {
        "model": config.model.path or config.model.build,
        "rows": dict(rows.digests),
        "seed": config.seed,
        "code": describe_code(),
    }
    RewardModelCard(
        "classic", LEAF, rows.instruction, rows.salt, config.image, config.chain_of_thought.max_tokens, provenance
    ).write(folder)

"""A reward model that reasons, written by vLLM in a process of its own beside the trainer.

Two engines of vLLM in one process would share its parallel groups, and one that dies would take the trainer with it.
Here each rank has a judge of its own on its own device: it starts at the first question, sleeps whenever nothing is
judged, is replaced where its process ends, and ends with the trainer, however that ends.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, Any, cast

import torch

from vlrl import dist
from vlrl.data.images.image_budget import ImageBudget
from vlrl.errors import ConfigError, EngineError, EngineFailedError, VlrlError
from vlrl.model.folders.model_folder import open_folder
from vlrl.model.load import DTYPES, choose_device, context_of, load_folder
from vlrl.model.prompts.encode import Encoder
from vlrl.reward_models.judging_models import ChainOfThoughtModel
from vlrl.reward_models.reward_model_settings import RewardModelSettings
from vlrl.rollout.engine_registry import require_engine
from vlrl.verify.learned.reward_model import AskedAnswer, Judgement

if TYPE_CHECKING:
    from vlrl.rollout.vllm.vllm_settings import VllmEngineSettings

ENDING_SECONDS = 10.0


def check_judge(settings: RewardModelSettings, place: str = "reward_model") -> None:
    """Raises ConfigError, before a weight is read, where vLLM can't write this reward model's replies."""
    if settings.card(place).kind != "chain_of_thought":
        raise ConfigError(
            f"{place}.engine",
            "a classic reward model writes nothing that an engine could",
            "leave it out, or name a model of kind chain_of_thought",
        )
    model = settings.model()
    try:
        require_engine(settings.engine)
        config = open_folder(str(settings.weights), f"{place}.path").config
        settings.engine.check(config, choose_device(model.device), context_of(config, model), DTYPES[model.dtype])
    except ConfigError as error:
        if error.place.startswith(place):
            raise
        raise ConfigError(f"{place}.{error.place}", error.problem, error.remedy) from error


@dataclass(frozen=True)
class _Running:
    """The process and this side of its pipe."""

    process: SpawnProcess
    pipe: Connection


class JudgeProcess:
    """Judgements by vLLM in another process. As a function: answers in, a judgement on each out, in order.

    started  processes until now

    Raises EngineFailedError where the process ends once more than `engine.restarts` says, EngineError as the engine
    does, ConfigError as `check_judge`, before a process is started.
    """

    def __init__(self, settings: RewardModelSettings, place: str = "reward_model") -> None:
        check_judge(settings, place)
        self._settings = settings
        self._running: _Running | None = None
        self.started = 0

    def __call__(self, asked: Sequence[AskedAnswer]) -> list[Judgement]:
        """Starts or wakes the judge where it has to be."""
        return cast("list[Judgement]", self._request(tuple(asked)))

    def sleep(self) -> None:
        """Give memory back, as the engine's setting `sleep` says; nothing where it hasn't started."""
        if self._running is not None:
            self._request(None)

    def close(self, patience_seconds: float = ENDING_SECONDS) -> None:
        """End the process, by force where it takes longer than this. Idempotent."""
        running, self._running = self._running, None
        if running is not None:
            running.pipe.close()  # which it takes as the end
            running.process.join(patience_seconds)
            running.process.kill()
            running.process.join()

    def _request(self, what: tuple[AskedAnswer, ...] | None) -> Any:
        restarts = self._settings.engine.restarts
        for attempt in range(restarts + 1):
            running = self._running = self._running or self._start()
            try:
                running.pipe.send(what)
                said = running.pipe.recv()
            except (EOFError, OSError) as error:
                running.process.join(ENDING_SECONDS)
                code = running.process.exitcode
                self.close()
                if attempt == restarts:
                    raise EngineFailedError(
                        "reward_model.engine",
                        f"the judge's process ended with exit code {code}",
                        "VLLM_LOGGING_LEVEL=INFO makes it say more; engine: transformers judges in the trainer",
                    ) from error
                continue
            except BaseException:  # Ctrl-C: an answer that comes later would be taken for another question's
                self.close(0.0)
                raise
            if isinstance(said, Exception):
                raise said
            return said
        raise AssertionError("unreachable")

    def _start(self) -> _Running:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        device = choose_device(self._settings.device)
        process = context.Process(target=_serve, args=(theirs, self._settings, device), daemon=True)
        process.start()
        theirs.close()
        self.started += 1
        return _Running(process, ours)


def _serve(pipe: Connection, settings: RewardModelSettings, device: torch.device) -> None:
    """The judge's process: answers questions until its asker is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the trainer too, and it decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    dist.stand_alone()
    if device.type == "cuda":
        _see_only(device)
    judge: _Judge | None = None
    with suppress(EOFError, OSError):
        while True:
            what = pipe.recv()
            said: Any
            try:
                judge = judge or _Judge(settings, device.type)
                said = judge.judge(what) if what is not None else None
                if what is None:
                    judge.sleep()
            except VlrlError as error:
                said = error
            except Exception as error:  # of a library: only our own errors are known to come whole through a pipe
                traceback.print_exc()
                said = EngineError("reward_model", f"{type(error).__name__}: {error}")
            pipe.send(said)


def _end_with_parent() -> None:
    """Also in the middle of a judgement, and where the trainer was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _see_only(device: torch.device) -> None:
    """This rank's device is the only one here; vLLM takes the first that it sees."""
    seen = [one for one in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if one]
    index = device.index or 0
    os.environ["CUDA_VISIBLE_DEVICES"] = seen[index] if seen else str(index)


class _Judge:
    """The reward model with its engine. The model's own weights stay on the host: the engine has them on the device."""

    def __init__(self, settings: RewardModelSettings, device: str) -> None:
        from vlrl.rollout.vllm.vllm_engine import VllmEngine

        card = settings.card()
        self._sleeps = settings.sleeps
        loaded = load_folder(str(settings.weights), settings.model(device), place="reward_model.path")
        loaded.model.requires_grad_(False)
        self._engine = VllmEngine(loaded, cast("VllmEngineSettings", settings.engine_on(device)))
        loaded.model.to("cpu")
        encoder = Encoder(loaded, ImageBudget.model_validate(card.image), "")
        self._judges = ChainOfThoughtModel(loaded, encoder, self._engine, card)

    def judge(self, asked: Sequence[AskedAnswer]) -> list[Judgement]:
        self._engine.wake()
        return self._judges(asked)

    def sleep(self) -> None:
        if self._sleeps:
            self._engine.sleep()

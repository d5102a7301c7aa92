"""Tasks of both harnesses asked with an engine that is awake, and what they say: figures, and verdicts row by row."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vlrl.errors import EngineError, VlrlError
from vlrl.evaluation.harness.answering import Answering
from vlrl.evaluation.harness.harness_settings import CALLED, LIBRARY, HarnessName, HarnessTasks, task_manager
from vlrl.runlog.own_files import note_grown
from vlrl.types import content_digest

Number = int | float


@dataclass(frozen=True)
class HarnessResult:
    """What a harness says of one task.

    figures   metric → value, as the harness names and scales it
    errors    metric → standard error, where it gives one
    n         rows asked
    samples   one mapping a row: doc_id, target, resps, arguments and the row's own metrics
    protocol  a digest of harness, version, task, its version, shots, rows and form of the prompt
    """

    harness: HarnessName
    task: str
    figures: Mapping[str, float]
    errors: Mapping[str, float]
    n: int
    samples: Sequence[Mapping[str, Any]]
    protocol: str

    @property
    def name(self) -> str:
        """The task with its harness: two harnesses may name a task alike."""
        return f"{self.harness} {self.task}"

    def record(self) -> dict[str, Any]:
        """As results.json holds it."""
        return {
            "harness": CALLED[self.harness],
            "task": self.task,
            "figures": dict(self.figures),
            "standard_errors": dict(self.errors),
            "n": self.n,
            "protocol_hash": self.protocol,
        }


class HarnessRun:
    """The tasks of one setting, bound to one model and engine; asked as often as wanted."""

    def __init__(self, tasks: HarnessTasks, answering: Answering) -> None:
        self._tasks, self._answering = tasks, answering
        self._managers: dict[HarnessName, Any] = {}

    def results(self, log: Path | None = None) -> list[HarnessResult]:
        """Ask all tasks. What the harness prints goes to `log`.

        Raises EngineError that names the harness for what fails inside of it, and our own errors as they are.
        """
        found: list[HarnessResult] = []
        wanted: list[tuple[HarnessName, tuple[str, ...]]] = [("lmms", self._tasks.lmms), ("lm", self._tasks.lm)]
        for harness, names in wanted:
            if names:
                ask = self._with_images if harness == "lmms" else self._with_text
                evaluate = ask(list(names))  # its library keeps the stream that it finds when it is imported
                try:
                    with _own_random_states(), _printing_to(log):
                        said = evaluate()
                except VlrlError:
                    raise
                except Exception as error:  # whatever a task file or a data set of theirs does
                    raise EngineError(
                        f"{CALLED[harness]}, {', '.join(names)}",
                        f"fails: {type(error).__name__}: {' '.join(str(error).split())[:300]}",
                        f"try it with {LIBRARY[harness]} alone; a data set that isn't here must be fetched first",
                    ) from error
                found += [_result(harness, task, said, self._tasks) for task in said["results"]]
        return found

    def _asked(self, harness: HarnessName, names: list[str]) -> dict[str, Any]:
        if harness not in self._managers:
            self._managers[harness] = task_manager(harness, names, self._tasks.folders)
        return {
            "tasks": names,
            "limit": self._tasks.limit,
            "num_fewshot": self._tasks.shots,
            "task_manager": self._managers[harness],
            "log_samples": True,
            "bootstrap_iters": 0,
        }

    def _with_text(self, names: list[str]) -> Callable[[], Mapping[str, Any]]:
        from lm_eval import simple_evaluate

        from vlrl.evaluation.harness.lm_model import VlrlLM

        return partial(
            simple_evaluate,
            VlrlLM(self._answering),
            apply_chat_template=self._tasks.chat_template,
            confirm_run_unsafe_code=self._tasks.unsafe_code,
            **self._asked("lm", names),
        )

    def _with_images(self, names: list[str]) -> Callable[[], Mapping[str, Any]]:
        from lmms_eval.evaluator import simple_evaluate

        from vlrl.evaluation.harness.lmms_model import VlrlLmms

        model = VlrlLmms(self._answering, self._tasks.max_tokens)
        return partial(simple_evaluate, model=model, process_docs_parallel=1, **self._asked("lmms", names))


def _result(harness: HarnessName, task: str, said: Mapping[str, Any], tasks: HarnessTasks) -> HarnessResult:
    """Metrics are `name,filter`; what is no number (alias, N/A) is none."""
    held = {key: value for key, value in said["results"][task].items() if _is_number(value)}
    figures = {_metric(key): float(value) for key, value in held.items() if "_stderr" not in key and "," in key}
    errors = {  # lmms-eval's own is called _stderr_clt where nothing is resampled
        _metric(key.replace(of_error, ",")): float(value)
        for of_error in ("_stderr_clt,", "_stderr,")
        for key, value in held.items()
        if of_error in key
    }
    samples = said.get("samples", {}).get(task, [])
    counted = said.get("n-samples", {}).get(task, {}).get("effective", len(samples))
    task_version, shots = said.get("versions", {}).get(task), said.get("n-shot", {}).get(task)
    of_prompt = [tasks.chat_template] if harness == "lm" else []
    protocol = content_digest(
        repr([harness, version(LIBRARY[harness]), task, task_version, shots, counted, *of_prompt])
    )
    return HarnessResult(harness, task, figures, errors, int(counted), samples, protocol[:12])


def _metric(key: str) -> str:
    name, _, kind = key.partition(",")
    return name if kind in ("", "none") else f"{name} {kind}"


def _is_number(value: Any) -> bool:
    return isinstance(value, Number | np.number) and not isinstance(value, bool) and bool(np.isfinite(value))


@contextlib.contextmanager
def _own_random_states() -> Iterator[None]:
    """Harnesses seed the generators of the whole process; afterwards these go on as if nothing had been."""
    python, arrays, tensors = random.getstate(), np.random.get_state(), torch.get_rng_state()
    on_device = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)
        torch.set_rng_state(tensors)
        if on_device:
            torch.cuda.set_rng_state_all(on_device)


@contextlib.contextmanager
def _printing_to(log: Path | None) -> Iterator[None]:
    if log is None:
        yield
        return
    with (
        _noted(log),
        log.open("a", encoding="utf-8") as file,
        contextlib.redirect_stdout(file),
        contextlib.redirect_stderr(file),
    ):
        yield


@contextlib.contextmanager
def _noted(log: Path) -> Iterator[None]:
    try:
        yield
    finally:
        note_grown(log)

"""`vlrl eval CONFIG --tasks …`: a model asked by lmms-eval and lm-evaluation-harness, our verdicts beside theirs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import torch

import vlrl.verify  # noqa: F401  (files the verifiers under their names)
from vlrl.config import load_settings
from vlrl.errors import ConfigError
from vlrl.evaluation.harness.answering import Answering
from vlrl.evaluation.harness.harness_settings import HarnessTasks, check_tasks
from vlrl.evaluation.harness.run_tasks import HarnessResult, HarnessRun
from vlrl.evaluation.harness.verdicts_beside import harness_table, verdicts_beside
from vlrl.model.load import load_model
from vlrl.rollout.distributed_engine import check_engine, open_engine
from vlrl.runlog.run_folder import write_atomically
from vlrl.training.monitoring.evaluation_settings import EvaluationSettings, names_benchmarks
from vlrl.training.run_settings import RunSettings


def evaluate_tasks(
    config: Path, overrides: Sequence[str], tasks: str, limit: int | None, folders: Sequence[str]
) -> list[HarnessResult]:
    """Ask, print the table, and write results.json and one file of rows a task to RUN_FOLDER/harness.

    The model is the one that the config's run has trained, where there is one, else the config's own. Raises
    ConfigError before it is loaded.
    """
    settings: EvaluationSettings | RunSettings
    if names_benchmarks(config):
        settings = load_settings(EvaluationSettings, config, overrides)
    else:
        settings = load_settings(RunSettings, config, overrides)
    given = settings.eval.harness if isinstance(settings, RunSettings) else None
    asked = _tasks(tasks, limit, folders, given)
    check_tasks(asked, "--tasks")
    check_engine(settings.engine)
    folder = Path(settings.folder)
    model, trained = settings.model, folder / "model"
    if isinstance(settings, RunSettings):
        if trained.is_dir():
            model = model.model_copy(update={"path": str(trained), "build": None})
        elif model.build is not None:
            raise ConfigError(f"{config}, model", f"{trained} isn't there yet", f"train it first: vlrl run {config}")
    if settings.threads:
        torch.set_num_threads(settings.threads)
    loaded = load_model(model, settings.seed, list, folder / "built_model", settings.engine.check)
    out = folder / "harness"
    out.mkdir(parents=True, exist_ok=True)
    with closing(open_engine(settings.engine, loaded)) as engine:
        print(f"asking {model.path}")
        results = HarnessRun(asked, Answering(loaded, engine, seed=settings.seed)).results(out / "harness.log")
    beside = {one.name: verdicts_beside(one, asked.verifiers.get(one.task)) for one in results}
    for result in results:
        lines = "".join(json.dumps(row.record(), ensure_ascii=False) + "\n" for row in beside[result.name])
        write_atomically(out / f"{result.harness}_{result.task.replace('/', '_')}.jsonl", lines)
    held = {"model": model.path, "tasks": [one.record() for one in results]}
    write_atomically(out / "results.json", json.dumps(held, ensure_ascii=False, indent=1) + "\n")
    print(harness_table(results, beside))
    print(f"rows with both verdicts: {out}")
    return results


def _tasks(tasks: str, limit: int | None, folders: Sequence[str], given: HarnessTasks | None) -> HarnessTasks:
    """The tasks of the command line, with the form in which `eval.harness` of the config asks, where it has one."""
    named = [one.strip() for one in tasks.split(",") if one.strip()]
    values = {} if given is None else given.model_dump()
    values |= {"lmms": tuple(one.removeprefix("lmms:") for one in named if not one.startswith("lm:"))}
    values |= {"lm": tuple(one.removeprefix("lm:") for one in named if one.startswith("lm:"))}
    values |= {"limit": limit} if limit is not None else {}
    values["folders"] = (*values.get("folders", ()), *folders)
    return HarnessTasks(**values)

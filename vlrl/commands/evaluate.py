"""`vlrl eval configs/eval/….yaml`: a model on benchmarks, with protocol hashes beside the figures."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

import vlrl.verify  # noqa: F401  (files the verifiers under their names)
from vlrl.commands.benchmark_page import write_shown
from vlrl.config import load_settings
from vlrl.errors import ConfigError
from vlrl.evaluation.benchmark import Benchmark, BenchmarkResult, load_benchmark, results_table
from vlrl.model.load import LoadedModel, load_model
from vlrl.report.report import write_report
from vlrl.rollout.distributed_engine import check_engine, open_engine
from vlrl.rollout.engine import RolloutEngine
from vlrl.runlog.codecs import episode_row
from vlrl.runlog.run_folder import RunFolder, write_atomically
from vlrl.training.lifecycle.run_claim import claimed
from vlrl.training.lifecycle.run_ending import recorded_ending
from vlrl.training.monitoring.evaluation_settings import EvaluationSettings, with_model


def evaluate_benchmarks(config: Path, overrides: Sequence[str] = (), fresh: bool = False) -> list[dict[str, Any]]:
    """Ask all benchmarks, print the table, write results.json, one file of responses a benchmark, and a report.

    With `fresh` the evaluation that the folder holds is set aside until this one is done. Raises ConfigError or
    DataError before a model is loaded.
    """
    settings = load_settings(EvaluationSettings, config, overrides)
    check_engine(settings.engine)
    benchmarks = [load_benchmark(one) for one in settings.benchmarks]
    asked = [(one.name, one.protocol.hash) for one in benchmarks]
    if twice := [name for name, digest in dict.fromkeys(asked) if asked.count((name, digest)) > 1]:
        raise ConfigError("benchmarks", f"{twice[0]!r} stands there twice, asked in the same way", "give one a `name:`")
    if settings.threads:
        torch.set_num_threads(settings.threads)
    with claimed(Path(settings.folder), "evaluation", fresh) as claim:
        results = _evaluated(settings, benchmarks)
        claim.finish()
    print(results_table(results))
    return results


def _evaluated(settings: EvaluationSettings, benchmarks: Sequence[Benchmark]) -> list[dict[str, Any]]:
    folder = Path(settings.folder)  # a model that can't be used leaves none
    loaded = load_model(
        settings.model, settings.seed, lambda: _texts(benchmarks), folder / "built_model", settings.engine.check
    )
    run = RunFolder(folder, settings.model_dump(mode="json"), sys.argv)
    with recorded_ending(run):
        with closing(open_engine(settings.engine, loaded)) as engine:
            results = [_ask(one, loaded, engine, settings.batch, run) for one in benchmarks]
        run.results({"benchmarks": results})
    print(f"report: {write_report(folder)}")
    return results


def _texts(benchmarks: Sequence[Benchmark]) -> list[str]:
    return [problem.question for one in benchmarks for problem in one.problems]


def _ask(one: Benchmark, loaded: LoadedModel, engine: RolloutEngine, batch: int, run: RunFolder) -> dict[str, Any]:
    benchmark, encoder = with_model(one, loaded)
    result = benchmark.run(encoder, engine, batch)
    write_shown(run, result)
    write_atomically(run.path / f"responses_{benchmark.name}_{benchmark.protocol.hash}.jsonl", response_lines(result))
    return result.record()


def response_lines(result: BenchmarkResult) -> str:
    """One JSON line a response: problem with question, images by digest and gold, run, sample, text, verdict."""
    lines = []
    for run, (rollouts, verdicts) in enumerate(zip(result.rollouts, result.verdicts, strict=True)):
        for problem, row, judged in zip(result.benchmark.problems, rollouts, verdicts, strict=True):
            for sample, (rollout, verdict) in enumerate(zip(row, judged, strict=True)):
                line = {
                    "id": problem.id,
                    "run": run,
                    "sample": sample,
                    "question": problem.question,
                    "images": [image.digest for image in problem.images],
                    "gold": problem.answer,
                    "verifier": problem.verifier,
                    "response": rollout.text,
                    "finish_reason": rollout.finish_reason,
                    "tokens": rollout.num_policy_tokens,
                    "score": verdict.score,
                    "correct": verdict.correct,
                    "answer": verdict.answer,
                    "note": verdict.fault or verdict.note,
                    "fault": verdict.fault,
                    **episode_row(rollout),
                }
                lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    return "".join(lines)

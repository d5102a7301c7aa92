"""`vlrl eval configs/eval/….yaml`: a model on benchmarks, with protocol hashes beside the figures."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

import vlrl.rollout.ray.ray_pool  # files the engines under their names
import vlrl.rollout.vllm.vllm_settings
import vlrl.verify  # noqa: F401  (files the verifiers under their names)
from vlrl.commands.benchmark_page import write_shown
from vlrl.config import Settings, load_settings, read_yaml
from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.images.open_images import check_image
from vlrl.evaluation.benchmark import Benchmark, BenchmarkResult, BenchmarkSettings, load_benchmark, results_table
from vlrl.model.load import LoadedModel, ModelSettings, load_model
from vlrl.model.prompts.encode import Encoder
from vlrl.model.prompts.prompt_check import PromptCheck
from vlrl.registry import component_field
from vlrl.report.report import write_report
from vlrl.rollout.distributed_engine import check_engine
from vlrl.rollout.engine import RolloutEngine
from vlrl.rollout.engine_registry import engines
from vlrl.rollout.transformers.transformers_engine import TransformersEngineSettings
from vlrl.runlog.run_folder import RunFolder, write_atomically
from vlrl.training.lifecycle.run_ending import finish_reason
from vlrl.training.lifecycle.run_place import claimed
from vlrl.types import Problem, content_digest


class EvaluationSettings(Settings):
    """One model, one or more benchmarks. Sampling, seeds and image budget belong to each benchmark's protocol."""

    name: str = Field(min_length=1)
    run_folder: str | None = None
    seed: int = Field(default=0, description="of a small model that is built on the spot")
    model: ModelSettings
    engine: component_field(engines, default="transformers") = Field(default_factory=TransformersEngineSettings)  # type: ignore[valid-type]
    benchmarks: tuple[BenchmarkSettings, ...] = Field(min_length=1)
    batch: int = Field(default=32, ge=1, description="problems that are encoded and asked at a time")
    threads: int | None = Field(default=None, ge=1, description="CPU threads of torch; default: its own choice")

    @property
    def folder(self) -> str:
        """The run folder: `run_folder`, or runs/<name>."""
        return self.run_folder or f"runs/{self.name}"


def names_benchmarks(config: Path) -> bool:
    """Whether a config evaluates benchmarks (it has the key `benchmarks`) rather than a recipe's held-out problems."""
    return "benchmarks" in read_yaml(config)


def evaluate_benchmarks(config: Path, overrides: Sequence[str] = (), fresh: bool = False) -> list[dict[str, Any]]:
    """Ask all benchmarks, print the table, write results.json, one file of responses a benchmark, and a report.

    With `fresh` the evaluation that the folder holds is set aside until this one is done. Raises ConfigError or
    DataError before a model is loaded.
    """
    settings = load_settings(EvaluationSettings, config, overrides)
    check_engine(settings.engine)
    benchmarks = [load_benchmark(one) for one in settings.benchmarks]
    if settings.threads:
        torch.set_num_threads(settings.threads)
    with claimed(Path(settings.folder), "evaluation", fresh) as place:
        results = _evaluated(settings, benchmarks)
        place.finish()
    print(results_table(results))
    return results


def _evaluated(settings: EvaluationSettings, benchmarks: Sequence[Benchmark]) -> list[dict[str, Any]]:
    folder = Path(settings.folder)  # a model that can't be used leaves none
    loaded = load_model(
        settings.model, settings.seed, lambda: _texts(benchmarks), folder / "built_model", settings.engine.check
    )
    run = RunFolder(folder, settings.model_dump(mode="json"), sys.argv)
    with finish_reason(run):
        with closing(settings.engine.open(loaded)) as engine:
            results = [_ask(one, loaded, engine, settings.batch, run) for one in benchmarks]
        run.results({"benchmarks": results})
    print(f"report: {write_report(folder)}")
    return results


def _texts(benchmarks: Sequence[Benchmark]) -> list[str]:
    return [problem.question for one in benchmarks for problem in one.problems]


def _ask(one: Benchmark, loaded: LoadedModel, engine: RolloutEngine, batch: int, run: RunFolder) -> dict[str, Any]:
    benchmark, encoder = with_model(one, loaded)
    result = benchmark.run(encoder.encode, engine, batch)
    write_shown(run, result)
    write_atomically(run.path / f"responses_{benchmark.name}_{benchmark.protocol.hash}.jsonl", response_lines(result))
    return result.record()


def with_model(benchmark: Benchmark, loaded: LoadedModel) -> tuple[Benchmark, Encoder]:
    """The benchmark with the model's chat template in its protocol, and the encoder that the protocol asks for.

    Every image is decoded and every prompt measured here, before the first response. Raises BadRowError with the place
    of a row that can't be asked, where the benchmark stops for it.
    """
    template = content_digest(str(getattr(loaded.processor, "chat_template", "") or ""))[:12]
    protocol = benchmark.protocol.model_copy(update={"chat_template": template})
    limits = {"min_pixels": protocol.min_pixels, "max_pixels": protocol.max_pixels}
    budget = ImageBudget(**{key: value for key, value in limits.items() if value is not None})
    encoder = Encoder(loaded, budget, protocol.system or None)
    fits = PromptCheck(loaded, encoder, budget, longest=protocol.max_tokens)

    def check(problem: Problem) -> None:
        for image in problem.images:
            check_image(image)
        fits(problem)

    return replace(benchmark, protocol=protocol).usable(check), encoder


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
                    "tokens": rollout.num_tokens,
                    "score": verdict.score,
                    "correct": verdict.correct,
                    "answer": verdict.answer,
                    "note": verdict.fault or verdict.note,
                    "fault": verdict.fault,
                }
                lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    return "".join(lines)

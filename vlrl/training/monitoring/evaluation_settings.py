"""What a config of `vlrl eval` says of benchmarks, and a benchmark made ready for one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import Field, model_validator

from vlrl.config import FolderName, FolderPath, Settings, Threads, read_yaml
from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.images.open_images import check_image
from vlrl.evaluation.benchmark import Benchmark, BenchmarkSettings
from vlrl.model.load import LoadedModel, ModelSettings
from vlrl.model.prompts.encode import Encoder
from vlrl.model.prompts.prompt_check import PromptCheck
from vlrl.registry import PluginFiles
from vlrl.rollout.engine_registry import EngineField, EngineSettings, default_engine
from vlrl.rollout.environments.environment import check_plays
from vlrl.types import Problem, content_digest


class EvaluationSettings(Settings):
    """One model, one or more benchmarks. Sampling, seeds and image budget belong to each benchmark's protocol."""

    plugins: PluginFiles = Field(
        default=(), description="Python files that register what these settings name: benchmarks, engines, families …"
    )
    name: FolderName
    run_folder: FolderPath | None = None
    seed: int = Field(default=0, description="of a small model that is built on the spot")
    model: ModelSettings
    engine: EngineField = Field(default_factory=default_engine)
    benchmarks: tuple[BenchmarkSettings, ...] = Field(min_length=1)
    batch: int = Field(default=32, ge=1, description="problems that are encoded and asked at a time")
    threads: Threads | None = Field(default=None, description="CPU threads of torch; default: its own choice")

    @model_validator(mode="after")
    def _the_engine_can(self) -> EvaluationSettings:
        check_played(self.benchmarks, self.engine)
        return self

    @property
    def folder(self) -> str:
        """The run folder: `run_folder`, or runs/<name>."""
        return self.run_folder or f"runs/{self.name}"


def check_played(benchmarks: Sequence[BenchmarkSettings], engine: EngineSettings) -> None:
    """Raises ConfigError for a benchmark whose environment the engine can't play."""
    for number, one in enumerate(benchmarks):
        check_plays(one.environment, engine, f"benchmarks.{number}.environment")


def names_benchmarks(config: Path) -> bool:
    """Whether a config evaluates benchmarks (it has the key `benchmarks`) rather than a recipe's held-out problems."""
    return "benchmarks" in read_yaml(config)


def with_model(benchmark: Benchmark, loaded: LoadedModel) -> tuple[Benchmark, Encoder]:
    """The benchmark with the model's chat template in its protocol, and the encoder that the protocol asks for.

    Every image is decoded and every prompt measured here, before the first response. Raises BadRowError with the place
    of a row that can't be asked, where the benchmark stops for it.
    """
    template = content_digest(loaded.chat_template)[:12]
    protocol = benchmark.protocol.model_copy(update={"chat_template": template})
    limits = {"min_pixels": protocol.min_pixels, "max_pixels": protocol.max_pixels}
    budget = ImageBudget(**{key: value for key, value in limits.items() if value is not None})
    encoder = Encoder(loaded, budget, protocol.system or None, benchmark.environment.tool_schemas())
    fits = PromptCheck(loaded, encoder, budget, longest=protocol.max_tokens)

    def check(problem: Problem) -> None:
        for image in problem.images:
            check_image(image)
        fits(problem)

    return replace(benchmark, protocol=protocol).usable(check), encoder

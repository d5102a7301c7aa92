"""One YAML = one curation: where problems come from, which stages they pass, and the model that is asked."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

import vlrl.curation  # noqa: F401  (files the stages under their names)
from vlrl.code_execution.sandbox_settings import SandboxSettings
from vlrl.config import FolderName, FolderPath, Settings, Threads
from vlrl.curation.selection.hint_tuning import STAGE as HINTS
from vlrl.curation.selection.hint_tuning import HintSettings
from vlrl.curation.selection.long_cot_warmup import STAGE, WarmupSettings
from vlrl.curation.stage import stage_name
from vlrl.curation.stage import stages as registered
from vlrl.data.images.image_budget import ImageBudget
from vlrl.errors import ConfigError
from vlrl.model.load import ModelSettings
from vlrl.registry import PluginFiles, component_field
from vlrl.rollout.engine_registry import EngineField, default_engine, name_of


class CurateSettings(Settings):
    """What `vlrl curate` reads. The stages run in the order they are given."""

    plugins: PluginFiles = Field(
        default=(), description="Python files that register what these settings name: stages, engines, verifiers …"
    )
    name: FolderName
    run_folder: FolderPath | None = None
    seed: int = 0
    data: str = Field(description="a recipe (.yaml) or a problem file (.jsonl)")
    problems: int | None = Field(
        default=None,
        ge=1,
        description="this many are drawn by the recipe's weights; default: every training problem once",
    )
    held_out: int = Field(
        default=400,
        ge=0,
        description="held-out problems a modality and split that a run of this recipe and seed tests on",
    )
    image: ImageBudget | None = Field(default=None, description="image budget; default: the recipe's")
    stages: tuple[component_field(registered), ...] = ()  # type: ignore[valid-type]
    warmup: WarmupSettings | None = None
    hints: HintSettings | None = Field(
        default=None, description="find how much of a worked trace the model needs, and write SFT data; null: don't"
    )
    model: ModelSettings | None = Field(default=None, description="the model that is asked, where a stage asks one")
    engine: EngineField = Field(default_factory=default_engine)
    system_prompt: str | None = None
    batch: int = Field(
        default=32, ge=1, description="problems asked at a time; after each batch the answers are on disk"
    )
    max_fault_rate: float = Field(
        default=0.05, ge=0.0, le=1.0, description="share of faulted verdicts in a stage that stops the run"
    )
    examples: int = Field(default=4, ge=0, description="examples a reason in the report")
    recipe_held_out: float = Field(
        default=0.1, ge=0.0, le=0.4, description="share that the written recipe holds out for validation, and for test"
    )
    sandbox: SandboxSettings = Field(default=SandboxSettings(), description="where programs of a stage run")
    threads: Threads | None = Field(default=None, description="CPU threads of torch; default: its own choice")

    @model_validator(mode="after")
    def _consistent(self) -> CurateSettings:
        if not self.stages and self.warmup is None and self.hints is None:
            raise ConfigError(
                "stages", "nothing is to be done", f"name stages ({', '.join(registered)}), `warmup:` or `hints:`"
            )
        if self.hints is not None and not self.engine.capabilities.partial_rollouts:
            inner = self.engine.inner or self.engine
            raise ConfigError(
                "hints",
                f"begin responses, and engine {name_of(inner)!r} does not go on behind a beginning",
                "engine: transformers, or leave hints out",
            )
        if self.needs_model and self.model is None:
            asking = [stage_name(stage) for stage in self.stages if stage.needs_model] or [
                STAGE if self.hints is None else HINTS
            ]
            raise ConfigError("model", f"is missing, and {asking[0]} asks one", "add `model: {path: …}`")
        names = [stage_name(stage) for stage in self.stages]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError("stages", f"two stages are called {name!r}", "give one of them a `label:`")
        return self

    @property
    def needs_model(self) -> bool:
        """Whether any stage, or the warm-up set, or hints ask a model."""
        return self.warmup is not None or self.hints is not None or any(stage.needs_model for stage in self.stages)

    @property
    def asked(self) -> list[tuple[str, int]]:
        """Template and most tokens of an answer of everything that a model is asked."""
        found = [asks for stage in self.stages if (asks := stage.asks()) is not None]
        return found + [(one.prompt, one.sampling.max_tokens) for one in (self.warmup, self.hints) if one is not None]

    @property
    def folder(self) -> str:
        """The run folder: `run_folder`, or runs/<name>."""
        return self.run_folder or f"runs/{self.name}"

    def as_written(self) -> dict[str, Any]:
        """The settings as run.yaml holds them."""
        return self.model_dump(mode="json")

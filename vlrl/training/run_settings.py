"""One YAML = one run: everything that a run's settings can say, with its defaults."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from pydantic import Field, model_validator

from vlrl import dist
from vlrl.code_execution.sandbox_settings import SandboxSettings
from vlrl.config import PACE, FolderName, FolderPath, Settings, Threads
from vlrl.errors import ConfigError
from vlrl.evaluation.harness.harness_settings import HarnessTasks
from vlrl.model.experts.active_weights import experts_per_token
from vlrl.model.load import ModelSettings
from vlrl.model.training.backends import backends, default_backend
from vlrl.model.training.torch_policy import PolicySettings
from vlrl.registry import PluginFiles, component_field
from vlrl.report.trackers.tracker import TrackerName
from vlrl.reward_models.reward_model_settings import RewardModelSettings
from vlrl.rollout.engine import Sampling
from vlrl.rollout.engine_registry import EngineField, EngineSettings, default_engine, name_of
from vlrl.rollout.environments.environment import check_plays, environments
from vlrl.rollout.environments.single_turn import SingleTurn
from vlrl.training.fixed_set_settings import DistilSettings, DpoSettings, RecordSettings, SftSettings
from vlrl.training.rl.rl_settings import RlSettings
from vlrl.verify.plugins.guarded import JudgingSettings

Stage = Literal["prepare", "sft", "record", "distil", "dpo", "rl", "eval"]  # in the order in which a run takes them
STAGES: tuple[Stage, ...] = get_args(Stage)
LEARNING: tuple[Stage, ...] = ("sft", "distil", "dpo", "rl")  # those that leave a model, in this order, too


class EvalSettings(Settings):
    """Held-out evaluation: `problems` a modality at the end (`test`), `curve_problems` on the way (`validation`)."""

    problems: int = Field(default=400, ge=1)
    curve_problems: int = Field(default=100, ge=1)
    samples: int = Field(default=1, ge=1, json_schema_extra=PACE)
    sampling: Sampling = Sampling()
    split: Literal["test", "validation"] = "test"
    seed: int | None = Field(default=None, description="seed of the held-out draw; default: the run's seed")
    benchmarks: tuple[str, ...] | None = Field(
        default=None,
        description="configs that `vlrl eval` takes; their benchmarks are asked on the training curve too",
        json_schema_extra=PACE,
    )
    harness: HarnessTasks | None = Field(
        default=None,
        description="tasks of lmms-eval and lm-evaluation-harness on the training curve; null: none",
        json_schema_extra=PACE,
    )
    benchmarks_every: int | None = Field(
        default=None, ge=1, description="RL steps between two askings of both", json_schema_extra=PACE
    )

    @model_validator(mode="after")
    def _benchmarks_have_a_pace(self) -> EvalSettings:
        if bool(self.benchmarks or self.harness) != (self.benchmarks_every is not None):
            raise ValueError("benchmarks or harness, and benchmarks_every, belong together: give both or neither")
        return self


class RunSettings(Settings):
    """A whole run. `data` names a recipe file; `stages` are run in order, which is that of `STAGES`."""

    plugins: PluginFiles = Field(
        default=(),
        description="Python files that register parts which these settings name: losses, engines, model families …",
        json_schema_extra=PACE,  # a run remembers what is in them, wherever they lie
    )
    name: FolderName = Field(json_schema_extra=PACE)
    run_folder: FolderPath | None = Field(default=None, json_schema_extra=PACE)
    seed: int = 0
    data: str = Field(json_schema_extra=PACE)  # the same of the recipe
    stages: tuple[Stage, ...] = Field(default=("sft", "rl", "eval"), json_schema_extra=PACE)
    model: ModelSettings
    system_prompt: str | None = None
    engine: EngineField = Field(default_factory=default_engine)
    environment: component_field(environments, default="single_turn") = Field(default_factory=SingleTurn)  # type: ignore[valid-type]
    backend: component_field(backends, default="torch") = Field(  # type: ignore[valid-type]
        default_factory=lambda: default_backend(dist.world()),
        description="who holds weights and makes updates; default: fsdp over several ranks, torch in one process",
    )
    sft: SftSettings = SftSettings()
    record: RecordSettings | None = Field(default=None, description="needed where `record` is among the stages")
    distil: DistilSettings = DistilSettings()
    dpo: DpoSettings = DpoSettings()
    rl: RlSettings = RlSettings()
    eval: EvalSettings = EvalSettings()
    reward_model: RewardModelSettings | None = Field(
        default=None, description="the model behind the verifier `reward_model`; null: none"
    )
    judging: JudgingSettings = Field(default=JudgingSettings(), json_schema_extra=PACE)
    sandbox: SandboxSettings = SandboxSettings()
    tracker: TrackerName = Field(
        default="none", description="where metrics and a few rollouts go besides the run folder", json_schema_extra=PACE
    )
    threads: Threads | None = Field(
        default=None,
        description="CPU threads of torch; default: its own choice. Runs of other numbers differ in last bits",
        json_schema_extra=PACE,
    )
    patience_minutes: float = Field(
        default=60.0,
        gt=0.0,
        description="minutes that a rank waits for the others before it ends with an error",
        json_schema_extra=PACE,
    )

    @model_validator(mode="after")
    def _stages_are_in_order(self) -> RunSettings:
        if not self.stages:
            raise ConfigError("stages", "is empty: nothing would be done", f"name some of {', '.join(STAGES)}")
        taken = [one for one in STAGES if one in self.stages]
        if list(self.stages) != taken:
            raise ConfigError(
                "stages",
                f"are [{', '.join(self.stages)}]; a run takes each once, in the order {', '.join(STAGES)}",
                f"write [{', '.join(taken)}], or chain runs in your order with `pipeline:`",
            )
        return self

    @model_validator(mode="after")
    def _the_backend_can(self) -> RunSettings:
        for stage, policy in self.policies:
            self.backend.check(stage, self.model, policy)
        return self

    @property
    def policies(self) -> list[tuple[Stage, PolicySettings]]:
        """How each of the run's stages trains; the phases of SFT one by one."""
        trained: dict[Stage, list[PolicySettings]] = {
            "sft": [one.policy for one in self.sft.in_order],
            "distil": [self.distil.policy],
            "dpo": [self.dpo.policy],
            "rl": [self.rl.policy],
        }
        return [(stage, policy) for stage in self.stages for policy in trained.get(stage, [])]

    @model_validator(mode="after")
    def _the_engine_can(self) -> RunSettings:
        self._the_engine_plays(self.engine)
        if "rl" not in self.stages:
            return self
        if self.rl.partial:
            self.environment.check_partial()
        engine: EngineSettings = self.engine
        partial, can, name = self.rl.partial, engine.capabilities, name_of(engine.inner or engine)
        if partial and not can.partial_rollouts:
            raise ConfigError(
                "rl.partial",
                f"engine {name!r} does not go on with unfinished responses",
                "leave it out, or engine: transformers",
            )
        if partial and partial.early_exit_below and not can.early_exit:
            raise ConfigError(
                "rl.partial.early_exit_below",
                f"is {partial.early_exit_below}, but engine {name!r} leaves no response early",
                "early_exit_below: 0, so that every response uses its budget, or engine: transformers",
            )
        if self.rl.replay_routing and not can.records_routing:
            raise ConfigError(
                "rl.replay_routing",
                f"is true, but engine {name!r} doesn't say which experts its tokens went to",
                "leave it out, or engine: transformers",
            )
        if self.rl.replay_routing and self.environment.turns_apart:
            raise ConfigError("rl.replay_routing", "is true, but turns begin one by one", "next_turn: together")
        if self.rl.policy.lora is not None:
            engine.check_adapters("rl.policy.lora", self.rl.policy.lora.parts)
        return self

    def check_model(self, config: Any, device: torch.device, context: int, dtype: torch.dtype) -> None:
        """Raises ConfigError, before weights are read, where the engine can't take a model of this configuration, or
        has no experts whose choice could be replayed.
        """
        self.engine.check(config, device, context, dtype)
        if "rl" in self.stages and self.rl.replay_routing and not experts_per_token(config):
            raise ConfigError("rl.replay_routing", f"is true, but {config.model_type!r} has no experts", "leave it out")

    def _the_engine_plays(self, engine: EngineSettings) -> None:
        """Raises ConfigError for an engine that can't go on behind what the environment says."""
        check_plays(self.environment, engine)
        if self.environment.several_turns and "record" in self.stages:
            raise ConfigError(
                "stages",
                "name `record`, which asks single turns, and environment "
                f"{environments.name_of(self.environment)!r} has several",
                "leave one of the two out",
            )

    @model_validator(mode="after")
    def _sets_are_named(self) -> RunSettings:
        if "dpo" in self.stages and self.dpo.pairs is None:
            raise ConfigError("dpo.pairs", "is missing, and `dpo` is among the stages", "name a file of preferences")
        if "record" in self.stages and self.record is None:
            raise ConfigError("record", "is missing, and `record` is among the stages", "say `record: {teacher: …}`")
        if "distil" in self.stages and "record" not in self.stages and self.distil.records is None:
            raise ConfigError(
                "distil.records", "is missing, and nothing records before `distil`", "name a folder of records"
            )
        return self

    @property
    def folder(self) -> str:
        """The run folder: `run_folder`, or runs/<name>."""
        return self.run_folder or f"runs/{self.name}"

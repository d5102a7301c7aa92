"""One YAML = one set of rows and the reward models that learn from them: what `vlrl reward-model` reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from vlrl.config import PACE, FolderName, FolderPath, Settings, Threads, build_settings
from vlrl.data.images.image_budget import ImageBudget
from vlrl.errors import ConfigError
from vlrl.model.load import ModelSettings
from vlrl.reward_models.judged_row import INSTRUCTION
from vlrl.reward_models.make_rows import MakeSettings
from vlrl.reward_models.reward_model_card import RewardModelKind
from vlrl.reward_models.reward_model_settings import RewardModelSettings
from vlrl.rollout.engine import Sampling
from vlrl.rollout.engine_registry import EngineField, default_engine
from vlrl.training.fixed_set_settings import FixedSetSettings, SftSettings
from vlrl.training.rl.rl_settings import RlSettings
from vlrl.training.run_settings import EvalSettings, RunSettings
from vlrl.verify.learned.chat_endpoint import EndpointSettings

ROWS = "rows"


class ChainOfThoughtSettings(Settings):
    """Training of the model that reasons: SFT on worked reasonings, then RL where it is given, with labels as golds.

    max_tokens  of a reply
    eval        problems of the curve, and their sampling but for `max_tokens`; greedy by default
    """

    sft: SftSettings | None = SftSettings(demonstrations="all")
    rl: RlSettings | None = None
    max_tokens: int = Field(default=512, ge=1)
    eval: EvalSettings = EvalSettings(sampling=Sampling(temperature=0.0))  # as it is asked later

    @model_validator(mode="after")
    def _something_trains(self) -> ChainOfThoughtSettings:
        if self.sft is None and self.rl is None:
            raise ConfigError("chain_of_thought", "has neither sft nor rl", "give one of them")
        return self


class JudgingChoice(Settings):
    """How the evaluation asks the models: as `reward_model:` of a run does, but for the folder. Engine and endpoint
    are those of the model that reasons; a served one must be the one that was trained.
    """

    threshold: float = Field(default=0.5, gt=0.0, lt=1.0)
    swap: bool = False
    batch: int = Field(default=64, ge=1)
    micro_batch_tokens: int = Field(default=16_384, ge=1)
    engine: EngineField = Field(default_factory=default_engine)
    endpoint: EndpointSettings | None = None


class RewardModelConfig(Settings):
    """Rows, and the kinds of reward model that are trained on them.

    instruction  text before each question that a judge reads
    image        bounds of an image's pixels
    classic      training of the value head and all that is below it
    """

    name: FolderName
    run_folder: FolderPath | None = None
    seed: int = 0
    make: MakeSettings = MakeSettings()
    instruction: str = INSTRUCTION
    image: ImageBudget = ImageBudget()
    kinds: tuple[RewardModelKind, ...] = ("classic", "chain_of_thought")
    model: ModelSettings
    classic: FixedSetSettings = FixedSetSettings()
    chain_of_thought: ChainOfThoughtSettings = ChainOfThoughtSettings()
    judging: JudgingChoice = JudgingChoice()
    threads: Threads | None = Field(default=None, description="CPU threads of torch; default: its own choice")

    @model_validator(mode="after")
    def _kinds_are_named(self) -> RewardModelConfig:
        if not self.kinds or len(set(self.kinds)) < len(self.kinds):
            raise ConfigError("kinds", f"are {list(self.kinds)}", "name classic, chain_of_thought, or both")
        return self

    @property
    def folder(self) -> Path:
        """Where everything goes: `run_folder`, or runs/<name>."""
        return Path(self.run_folder or f"runs/{self.name}")

    @property
    def rows_folder(self) -> Path:
        """Where the rows lie."""
        return self.folder / ROWS

    @property
    def salt(self) -> str:
        """What marks depend on besides the row; nothing that a policy sees."""
        return f"{self.name} {self.seed}"

    @property
    def made_by(self) -> dict[str, Any]:
        """All that the rows depend on, as rows.json holds it."""
        return {
            "make": self.make.model_dump(mode="json"),
            "seed": self.seed,
            "instruction": self.instruction,
            "salt": self.salt,
            "image": self.image.model_dump(mode="json"),
        }

    def judge_settings(self, kind: RewardModelKind) -> RewardModelSettings:
        """The trained model of a kind, as a run would name it."""
        asked = self.judging
        values: dict[str, Any] = {
            "path": str(self.folder / kind),
            "kind": kind,
            "swap": asked.swap,
            "batch": asked.batch,
        }
        reasons = kind == "chain_of_thought"
        if reasons and asked.endpoint is not None:
            return RewardModelSettings(**values, endpoint=asked.endpoint)
        here = asked.model_dump(exclude={"swap", "batch", "endpoint", *(() if reasons else ("engine",))})
        return RewardModelSettings(**values, **here, device=self.model.device, dtype=self.model.dtype)

    def run_settings(self, kind: RewardModelKind, stages: tuple[str, ...] = ("sft",)) -> RunSettings:
        """A run over the rows' recipe with this config's model. Raises ConfigError as a run's settings do."""
        given = self.chain_of_thought
        sampling = given.eval.sampling.model_copy(update={"max_tokens": given.max_tokens})
        values: Mapping[str, Any] = {
            "name": f"{self.name}_{kind}",
            "run_folder": str(self.folder / kind),
            "seed": self.seed,
            "data": str(self.rows_folder / "recipe.yaml"),
            "stages": stages,
            "model": self.model,
            "system_prompt": "",
            "eval": given.eval.model_copy(update={"sampling": sampling}),
            "threads": self.threads,
            **({"sft": given.sft} if "sft" in stages and given.sft is not None else {}),
            **({"rl": given.rl} if "rl" in stages and given.rl is not None else {}),
        }
        return build_settings(RunSettings, dict(values), f"{kind} of {self.name}")


class ClassicRun(Settings):
    """What a classic reward model's run folder says of it in run.yaml.

    rows  digests of the files of rows, by split
    """

    name: str
    seed: int
    model: ModelSettings
    instruction: str
    image: ImageBudget
    classic: FixedSetSettings
    rows: dict[str, str]
    threads: int | None = Field(default=None, json_schema_extra=PACE)

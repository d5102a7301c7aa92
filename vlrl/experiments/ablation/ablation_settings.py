"""One YAML = one ablation: arms that differ in a few settings, at their own best learning rates, over several seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from vlrl.config import FolderName, FolderPath, Settings, as_arguments, load_settings
from vlrl.errors import ConfigError, did_you_mean
from vlrl.experiments.pipeline.pipeline import Link, PipelineSettings, filled
from vlrl.training.presets import PRESETS
from vlrl.training.run_settings import RunSettings

RATES = tuple(f"rl.policy.optimizer.{key}" for key in ("lr", "adamw_lr", "lr_by_part"))

LENGTHS, ACCURACIES = ("tokens", "length/mean"), ("correct", "accuracy/mean")


class Outcome(Settings):
    """What is compared.

    of        `correct`, `tokens`: of every test problem, so that differences are paired by problem; or a metric of the
              validation curve, e.g. `accuracy/mean`
    decoding  of test problems
    at        share of the budget after which a metric of the curve is read: 0.5 is half time
    """

    of: str = "correct"
    decoding: Literal["sampled", "greedy"] = "sampled"
    at: float = Field(default=1.0, gt=0.0, le=1.0)
    modality: str | None = Field(default=None, description="only test problems of this modality")

    @field_validator("of")
    @classmethod
    def _is_measured(cls, of: str) -> str:
        if of not in ("correct", "tokens") and "/" not in of:
            raise ConfigError(
                "outcomes",
                f"of: {of!r} is neither of test problems nor a metric of the validation curve",
                f"{did_you_mean(of, ('correct', 'tokens', 'accuracy/mean', 'length/mean'))}",
            )
        return of


class Sweep(Settings):
    """Learning rates that every arm tries on seeds of their own; the best by `select` is the arm's rate.

    keys    what is swept: the first gets the values, the others (numbers, or mappings of them) keep their ratio to it;
            what a run leaves null stays null
    """

    keys: tuple[str, ...] = Field(default=RATES, min_length=1)
    values: tuple[float, ...] = Field(min_length=1)
    values_by_arm: dict[str, Annotated[tuple[float, ...], Field(min_length=1)]] = Field(
        default_factory=dict, description="in place of `values`, for arms whose optimizer has rates of another size"
    )
    seeds: tuple[int, ...] = (900,)

    def values_of(self, arm: str) -> tuple[float, ...]:
        """What an arm tries."""
        return self.values_by_arm.get(arm, self.values)

    def at(self, run: RunSettings, rate: float) -> dict[str, Any]:
        """Overrides that give a run this rate. Raises ConfigError for a key that holds no number."""
        held = run.model_dump(mode="json")
        first, *others = (_held_at(held, key) for key in self.keys)
        if not isinstance(first, int | float) or not first:
            raise ConfigError("sweep.keys", f"{self.keys[0]} is {first!r} in the base config", "give it a number there")
        found: dict[str, Any] = {self.keys[0]: rate}
        for key, value in zip(self.keys[1:], others, strict=True):
            if isinstance(value, dict) and value:
                found[key] = {name: rate * (one / first) for name, one in value.items()}
            elif isinstance(value, int | float):
                found[key] = rate * (value / first)
        return found


def _held_at(held: Any, key: str) -> Any:
    for part in key.split("."):
        if not isinstance(held, dict) or part not in held:
            raise ConfigError("sweep.keys", f"{key!r} is no setting of a run", "name dotted settings as in `arms`")
        held = held[part]
    return held


class AblationSettings(Settings):
    """What `vlrl ablate` reads. Everything that decides a figure is fixed here before the first run.

    base          config of one run; an arm is this config with its overrides
    arms          name → dotted overrides
    share         `sft`: the arms of a seed go on from one warm-up of the base config (arms differ in RL only);
                  `nothing`: every arm is a whole run
    before        links of a chain that are made once a seed, after the warm-up: in their settings and the arms',
                  `{name}` is the folder of a link and `{start}` the warm-up's
    test          recipe whose held-out problems every arm's model is tested on, where arms have recipes of their own
    budget        response tokens that each arm's RL samples; `rl.steps` is then only an upper bound
    select        outcome by which the sweep takes a rate: the highest mean
    """

    name: FolderName
    folder: FolderPath | None = None
    base: str
    overrides: dict[str, Any] = Field(default_factory=dict, description="of all arms")
    arms: dict[str, dict[str, Any]] = Field(min_length=2)
    reference: str | None = Field(default=None, description="the arm that others are compared with; default: the first")
    share: Literal["sft", "nothing"] = "sft"
    before: tuple[Link, ...] = ()
    test: str | None = None
    sweep: Sweep | None = None
    seeds: tuple[int, ...] = Field(min_length=1)
    budget: int | None = Field(default=None, ge=1)
    outcomes: dict[str, Outcome] = Field(default_factory=lambda: {"accuracy": Outcome()}, min_length=1)
    select: str = "accuracy"
    against: tuple[str, str] | None = Field(
        default=None, description="two outcomes to draw, a length across and an accuracy up, e.g. [tokens, accuracy]"
    )
    processes: int = Field(default=2, ge=1, description="runs side by side, one CPU thread each")
    expected: str = Field(default="", description="what was expected before it was run; stands in the report")

    @model_validator(mode="after")
    def _names_fit(self) -> AblationSettings:
        if self.reference is not None and self.reference not in self.arms:
            raise ConfigError("reference", f"no arm {self.reference!r}", did_you_mean(self.reference, self.arms))
        if self.select not in self.outcomes:
            raise ConfigError("select", f"no outcome {self.select!r}", did_you_mean(self.select, self.outcomes))
        for outcome, kinds in zip(self.against or (), (LENGTHS, ACCURACIES), strict=False):
            if outcome not in self.outcomes:
                raise ConfigError("against", f"no outcome {outcome!r}", did_you_mean(outcome, self.outcomes))
            if self.outcomes[outcome].of not in kinds:
                said = f"{outcome!r} is of {self.outcomes[outcome].of}"
                raise ConfigError("against", said, f"name an outcome of {' or '.join(kinds)} there")
        if self.sweep and (both := set(self.sweep.seeds) & set(self.seeds)):
            raise ConfigError(
                "sweep.seeds", f"{sorted(both)} are among `seeds`", "choose rates on seeds that are not reported"
            )
        for arm in self.sweep.values_by_arm if self.sweep else ():
            if arm not in self.arms:
                raise ConfigError("sweep.values_by_arm", f"no arm {arm!r}", did_you_mean(arm, self.arms))
        self.chain_of(self.seeds[0])  # whose links refer backwards only
        if len(set(self.seeds)) != len(self.seeds):
            raise ConfigError("seeds", f"{list(self.seeds)} holds one twice", "give different seeds")
        return self

    @property
    def place(self) -> Path:
        """The folder of all its runs."""
        return Path(self.folder or f"runs/ablations/{self.name}")

    def start_of(self, seed: int) -> Path:
        """The folder of a seed's warm-up."""
        return self.place / f"start/{seed}"

    def chain_of(self, seed: int) -> PipelineSettings | None:
        """What is made once for a seed before its arms; None where nothing is."""
        if not self.before:
            return None
        start = {"start": str(self.start_of(seed))}
        links = tuple(
            link.model_copy(update={"set": filled({"seed": seed, **link.set}, start)}) for link in self.before
        )
        return PipelineSettings(name=self.name, run_folder=str(self.place / f"before/{seed}"), pipeline=links)

    def places_of(self, seed: int) -> dict[str, str]:
        """What `{name}` stands for in an arm's settings."""
        chain = self.chain_of(seed)
        made = {} if chain is None else {link.name: str(chain.folder / link.name) for link in chain.pipeline}
        return {**made, "start": str(self.start_of(seed))}

    @property
    def compared_with(self) -> str:
        """The reference arm."""
        return self.reference or next(iter(self.arms))

    def of_arm(self, arm: str, rate: float | None) -> dict[str, Any]:
        """Overrides of one arm, with its learning rate where one was chosen.

        An arm's `rl.preset` brings the whole of its loss and credit: what the base config says of them would go over
        it. `overrides` and the arm's own settings still do.
        """
        held = self.arms[arm]
        preset = PRESETS.get(str(held.get("rl.preset")), {})
        whole = {f"rl.{part}": preset[part] for part in ("credit", "loss") if part in preset}
        budget = {} if self.budget is None else {"rl.response_tokens": self.budget}
        given = {**whole, **self.overrides, **budget, **held}
        if rate is None or self.sweep is None:
            return given
        return {**given, **self.sweep.at(self.run_of(arm), rate)}

    def run_of(self, arm: str) -> RunSettings:
        """An arm as a run of its own, without a rate, a seed or a warm-up to start from. Raises ConfigError."""
        return load_settings(RunSettings, self.base, as_arguments(self.of_arm(arm, None)))

    def of_run(self, arm: str, rate: float | None, seed: int) -> dict[str, Any]:
        """Overrides of one run: the arm's, its seed, the warm-up that it starts from, folders in place of names."""
        start: dict[str, Any] = {}
        if self.share == "sft":
            warm = str(self.start_of(seed) / "model_sft")
            start = {"model.path": warm, "model.build": None, "stages": ["rl", "eval"]}
        overrides: dict[str, Any] = filled({**self.of_arm(arm, rate), "seed": seed, **start}, self.places_of(seed))
        return overrides

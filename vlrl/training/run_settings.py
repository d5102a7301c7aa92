"""One YAML = one run: everything that a run's settings can say, with its defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

import vlrl.credit
import vlrl.losses  # noqa: F401  (files the losses under their names)
from vlrl.config import LENGTH, PACE, Effect, Settings, declared_effect
from vlrl.credit.assign import CreditSettings
from vlrl.credit.rewards.repeat_penalty import RepeatPenalty
from vlrl.curriculum.problem_sampler import ProblemSamplerSettings
from vlrl.data.images.perturbation import check_perturbation
from vlrl.errors import ConfigError
from vlrl.losses.auxiliary import WithAdded, additions
from vlrl.losses.kimi import KimiLoss
from vlrl.losses.loss_registry import UpdateLoss, losses
from vlrl.model.load import ModelSettings
from vlrl.model.training.backends import TorchBackend, backends
from vlrl.model.training.torch_policy import PolicySettings
from vlrl.provenance import needs_of
from vlrl.registry import PluginFiles, component_field
from vlrl.rollout.engine import Sampling
from vlrl.rollout.engine_registry import EngineField, EngineSettings, default_engine, name_of
from vlrl.rollout.environments.environment import environments
from vlrl.rollout.environments.single_turn import SingleTurn
from vlrl.rollout.partial_rollouts import PartialRollouts
from vlrl.training.fixed_set_settings import DistilSettings, DpoSettings, RecordSettings, SftSettings
from vlrl.training.monitoring.engine_agreement import AgreementSettings
from vlrl.training.presets import expand
from vlrl.training.teacher.reference_model import ReferenceModel
from vlrl.types import CreditedGroup
from vlrl.verify.plugins.guarded import JudgingSettings

Stage = Literal["prepare", "sft", "record", "distil", "dpo", "rl", "eval"]  # in the order in which a run takes them
STAGES: tuple[Stage, ...] = get_args(Stage)
LEARNING: tuple[Stage, ...] = ("sft", "distil", "dpo", "rl")  # those that leave a model, in this order, too
ALWAYS = frozenset({"steps", "logprobs", "entropy", "square"})  # needs of credit that any policy meets
FROZEN = ("previous", "reference")  # settings that name frozen models; numbers of tokens under them have these names
MET_BY = {  # settings, and the needs that they meet
    "teacher": {"teacher", "kl_teacher", "teacher_token"},
    "previous": {"previous"},
    "reference": {"reference"},
    "contrast": {"contrast"},
}


class OverSampling(Settings):
    """Draw until there are enough groups to learn from, in at most `max_rounds` rounds; only those are learned from.

    informative  how many are enough; default: `problems_per_step`
    by           `advantage`: groups with an advantage that isn't zero, whatever gives it one; `accuracy`: groups with
                 right and wrong responses (DAPO's dynamic sampling), whatever reward parts make of all-wrong ones
    """

    informative: int | None = Field(default=None, ge=1)
    by: Literal["advantage", "accuracy"] = "advantage"
    max_rounds: int = Field(default=4, ge=1)

    def takes(self, group: CreditedGroup) -> bool:
        """Whether there is something to learn from a group."""
        return group.mixed if self.by == "accuracy" else group.informative


class ContrastSettings(Settings):
    """Problems with images are asked once more with their images perturbed; those responses are never trained on.

    Their tokens are in `tokens/contrast` and count in `rl.response_tokens`.

    perturbation  blank (one colour), blurred, tiles (parts in random places), mismatched (the images of another
                  problem of the step; a problem is not asked where none has others), or one that a plugin registers
    rollouts      responses to a perturbed problem; default: half as many as to the true one
    """

    perturbation: Annotated[str, AfterValidator(check_perturbation)] = "tiles"
    rollouts: int | None = Field(default=None, ge=1)


class RlSettings(Settings):
    """Reinforcement learning by online mirror descent (k1.5 §2.3) or another loss."""

    preset: str | None = Field(default=None, description="an algorithm of training/presets.py; the rest goes over it")
    steps: int = Field(default=100, ge=1, json_schema_extra=LENGTH)
    response_tokens: int | None = Field(
        default=None,
        ge=1,
        description="the stage ends once this many were sampled; `steps` is then an upper bound",
        json_schema_extra=LENGTH,
    )
    problems_per_step: int = Field(default=32, ge=1)
    rollouts_per_problem: int = Field(default=8, ge=1)
    sampling: Sampling = Sampling()
    problem_sampler: ProblemSamplerSettings = ProblemSamplerSettings()
    credit: CreditSettings = CreditSettings()
    teacher: ReferenceModel | None = Field(default=None, description="for token credit that distils")
    previous: ReferenceModel | None = Field(default=None, description="the model of an earlier task, for `retention`")
    reference: ReferenceModel | None = Field(
        default=None,
        description="a frozen model that loss.beta of grpo pulls to, e.g. the run's own model_sft; null: the policy at "
        "the iteration's start",
    )
    continue_credit: str | None = Field(
        default=None,
        description="model folder of an earlier task's RL: parts of credit that remember (ctan) go on from there",
    )
    contrast: ContrastSettings | None = Field(default=None, description="for the reward part `contrast`")
    loss: component_field(losses, default="kimi") = Field(default_factory=KimiLoss)  # type: ignore[valid-type]
    auxiliary: tuple[component_field(additions), ...] = Field(  # type: ignore[valid-type]
        default=(), description="terms that are added to the loss"
    )
    cut_scores_zero: bool = Field(
        default=False,
        description="a response that reaches its limit of tokens scores 0, whatever it says (k1.5 §2.4, long2short RL)",
    )
    updates_per_step: int = Field(default=1, ge=1, description="minibatches that one step's groups are split into")
    epochs_per_step: int = Field(default=1, ge=1, description="passes over one step's groups")
    max_tokens_from_step: dict[int, int] = Field(
        default_factory=dict,
        description="response tokens at most from a step on, e.g. {0: 4096, 100: 32768}, in place of "
        "sampling.max_tokens (k1.5 §2.5: lengths grow in stages); with `partial` they may not shrink",
    )
    skip_uninformative: bool = Field(default=False, description="leave groups out whose advantages are all zero")
    over_sampling: OverSampling | None = None
    partial: PartialRollouts | None = Field(
        default=None, description="cut rollouts over iterations; null: every response is written to its end"
    )
    agreement: AgreementSettings = Field(default=AgreementSettings(), json_schema_extra=PACE)
    policy: PolicySettings = Field(
        default=PolicySettings(), description="reset_optimizer is `each_iteration` with the loss `kimi`, else `never`"
    )
    max_fault_rate: float = Field(
        default=0.05,
        ge=0.0,
        le=1.0,
        description="share of faulted verdicts that stops the run",
        json_schema_extra=PACE,
    )
    validate_every: int = Field(default=25, ge=1, json_schema_extra=PACE)
    checkpoint_every: int = Field(default=50, ge=1, json_schema_extra=PACE)
    export_every: int | None = Field(
        default=None,
        ge=1,
        description="steps between models in Hugging Face format, model_step_<N>/; null: the last alone",
        json_schema_extra=PACE,
    )
    log_groups: int = Field(
        default=8, ge=0, description="groups written to rollouts.jsonl at every logged step", json_schema_extra=PACE
    )
    log_every: int = Field(
        default=10, ge=1, description="steps between groups written to rollouts.jsonl", json_schema_extra=PACE
    )

    def effect_of(self, name: str) -> Effect | None:
        """Validation changes the result where the choice of problems goes by it."""
        if name == "validate_every" and self.problem_sampler.modality_gap is not None:
            return "result"
        return declared_effect(type(self), name)

    @model_validator(mode="before")
    @classmethod
    def _written_out(cls, given: Any) -> Any:
        return expand(given) if isinstance(given, Mapping) else given

    @model_validator(mode="after")
    def _a_group_has_a_baseline(self) -> RlSettings:
        least = self.credit.advantage.least
        if self.rollouts_per_problem < least:
            name = type(self.credit.advantage).__name__
            raise ValueError(
                f"rollouts_per_problem is {self.rollouts_per_problem}, but the baseline of {name} is taken over a "
                f"problem's rollouts: with one the advantage is always zero; give at least {least}"
            )
        baseline, loss = getattr(self.credit.advantage, "tau", None), getattr(self.loss, "tau", None)
        if baseline is not None and loss is not None and baseline != loss:
            raise ValueError(
                f"credit.advantage.tau is {baseline} and loss.tau is {loss}: both are the τ of one objective "
                "(k1.5 eq. 2); give the same number"
            )
        for part in (*self.credit.parts, self.loss, *self.auxiliary):
            if missing := needs_of([part]) - self._given():
                raise ValueError(
                    f"{type(part).__name__} needs {sorted(missing)}, which RL as it is set up has not; "
                    "teacher, previous and contrast are settings of rl"
                )
        if self.reference is not None and not self.loss.reads_reference:
            raise ValueError(
                f"reference is given, and {type(self.loss).__name__} as it is set up pulls to none; take loss: "
                "{name: grpo, beta: …} with beta above 0, or leave it out"
            )
        for name in ("teacher", "previous", "contrast"):
            if getattr(self, name) is not None and not MET_BY[name] & self.needs:
                raise ValueError(f"{name} is given, but no part reads it; leave it out or name the part")
        if self.credit.token_credit and not self.loss.reads_token_credit:
            raise ValueError(f"{type(self.loss).__name__} reads no token credit; take another loss")
        penalised = any(isinstance(one, RepeatPenalty) and one.weight for one in self.credit.shape)
        if penalised and self.sampling.repetition is None:
            raise ValueError(
                "credit.shape has `repeat`, and sampling.repetition is null: nothing ends a response that loops, so "
                "the penalty is never given; give e.g. sampling.repetition: {tokens: 256}, or leave `repeat` out"
            )
        longest = self.sampling.max_tokens
        if any(step < 0 or not 1 <= tokens <= longest for step, tokens in self.max_tokens_from_step.items()):
            raise ValueError(
                f"max_tokens_from_step: {self.max_tokens_from_step} has a step below 0 or a length outside 1 … "
                f"{longest}; the last stage is sampling.max_tokens itself"
            )
        lengths = [self.sampling_at(step).max_tokens for step in sorted({0, *self.max_tokens_from_step})]
        if self.partial and lengths != sorted(lengths):
            raise ValueError(
                f"max_tokens_from_step gives lengths of {', '.join(map(str, lengths))} in turn, and with partial a "
                "response that is begun may not lose what it has of its budget; let them grow, from step 0 on (before "
                f"the first step that is named the length is sampling.max_tokens, {longest}), or leave partial out"
            )
        if self.partial and self.over_sampling:
            raise ValueError(
                "partial and over_sampling are both given: the groups of an iteration with partial rollouts are those "
                "that have ended, none is drawn for more; leave one of them out"
            )
        several = self.updates_per_step * self.epochs_per_step > 1
        if self.skip_uninformative and self.loss.pulls_without_advantage and (several or self.reference is not None):
            raise ValueError(
                "skip_uninformative leaves groups without an advantage out, and "
                f"{type(self.loss).__name__} pulls them, as all others, back to the reference"
                f"{'' if self.reference else ' from the second update of a step on'}: leave it out, "
                f"{'' if self.reference else 'make one update a step, '}or take the pull away (tau or beta 0)"
            )
        if self.sampling.top_p < 1.0:
            raise ValueError(
                f"sampling.top_p is {self.sampling.top_p}: responses would be drawn from the cut distribution, and the "
                "gradient is that of the whole one, so it would be biased; give 1.0 (eval.sampling may have another)"
            )
        if self.sampling.temperature == 0:
            raise ValueError("sampling.temperature is 0: k greedy responses are equal and teach nothing; give e.g. 1.0")
        return self

    def _given(self) -> frozenset[str]:
        """What parts may need and these settings give."""
        return ALWAYS.union(*(needs for name, needs in MET_BY.items() if getattr(self, name) is not None))

    @property
    def needs(self) -> frozenset[str]:
        """What the parts of credit and added losses need besides rollouts and verdicts."""
        reference = frozenset() if self.reference is None else MET_BY["reference"]
        return self.credit.needs | needs_of(self.auxiliary) | reference

    @property
    def groups_wanted(self) -> int:
        """Groups that a step learns from, where this many carry something to learn."""
        more = self.over_sampling
        return self.problems_per_step if more is None or more.informative is None else more.informative

    @property
    def whole_loss(self) -> UpdateLoss:
        """The loss with what is added to it."""
        loss: UpdateLoss = WithAdded(self.loss, self.auxiliary) if self.auxiliary else self.loss
        return loss

    def sampling_at(self, step: int) -> Sampling:
        """The sampling of 0-based `step`: `sampling` with the length of the latest stage that has begun."""
        begun = [start for start in self.max_tokens_from_step if start <= step]
        if not begun:
            return self.sampling
        return self.sampling.model_copy(update={"max_tokens": self.max_tokens_from_step[max(begun)]})


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
    benchmarks_every: int | None = Field(
        default=None, ge=1, description="RL steps between two such askings", json_schema_extra=PACE
    )

    @model_validator(mode="after")
    def _benchmarks_have_a_pace(self) -> EvalSettings:
        if bool(self.benchmarks) != (self.benchmarks_every is not None):
            raise ValueError("benchmarks and benchmarks_every belong together: give both or neither")
        return self


class RunSettings(Settings):
    """A whole run. `data` names a recipe file; `stages` are run in order, which is that of `STAGES`."""

    plugins: PluginFiles = Field(
        default=(),
        description="Python files that register parts which these settings name: losses, engines, model families …",
        json_schema_extra=PACE,  # a run remembers what is in them, wherever they lie
    )
    name: str = Field(min_length=1, json_schema_extra=PACE)
    run_folder: str | None = Field(default=None, json_schema_extra=PACE)
    seed: int = 0
    data: str = Field(json_schema_extra=PACE)  # the same of the recipe
    stages: tuple[Stage, ...] = Field(default=("sft", "rl", "eval"), json_schema_extra=PACE)
    model: ModelSettings
    system_prompt: str | None = None
    engine: EngineField = Field(default_factory=default_engine)
    environment: component_field(environments, default="single_turn") = Field(default_factory=SingleTurn)  # type: ignore[valid-type]
    backend: component_field(backends, default="torch") = Field(default_factory=TorchBackend)  # type: ignore[valid-type]
    sft: SftSettings = SftSettings()
    record: RecordSettings | None = Field(default=None, description="needed where `record` is among the stages")
    distil: DistilSettings = DistilSettings()
    dpo: DpoSettings = DpoSettings()
    rl: RlSettings = RlSettings()
    eval: EvalSettings = EvalSettings()
    judging: JudgingSettings = Field(default=JudgingSettings(), json_schema_extra=PACE)
    tracker: Literal["none", "wandb"] = Field(default="none", json_schema_extra=PACE)
    threads: int | None = Field(
        default=None,
        ge=1,
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
        if "rl" not in self.stages:
            return self
        if self.rl.partial and not self.environment.partial_rollouts:
            raise ConfigError(
                "rl.partial",
                f"the environment {type(self.environment).__name__} writes its responses in one iteration",
                "leave it out, or environment: single_turn",
            )
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
        if self.rl.policy.lora is not None:
            engine.check_adapters("rl.policy.lora", self.rl.policy.lora.parts)
        return self

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

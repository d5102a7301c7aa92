"""What a config says under `rl:`, and which of its settings contradict one another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

import vlrl.credit
import vlrl.losses  # noqa: F401  (files the losses under their names)
from vlrl.config import LENGTH, PACE, Effect, Settings, declared_effect
from vlrl.credit.assign import CreditSettings
from vlrl.credit.rewards.repeat_penalty import RepeatPenalty
from vlrl.curriculum.problem_sampler import ProblemSamplerSettings
from vlrl.data.images.perturbation import check_perturbation
from vlrl.losses.auxiliary import WithAdded, additions
from vlrl.losses.kimi import KimiLoss
from vlrl.losses.loss_registry import UpdateLoss, losses
from vlrl.model.training.torch_policy import PolicySettings
from vlrl.provenance import needs_of
from vlrl.registry import component_field
from vlrl.rollout.engine import Sampling
from vlrl.rollout.partial_rollouts import PartialRollouts
from vlrl.training.monitoring.audit import AuditSettings
from vlrl.training.monitoring.engine_agreement import AgreementSettings
from vlrl.training.presets import expand
from vlrl.training.rl.self_teacher import NAMES, SelfTeacherSettings
from vlrl.training.scheduling.length_head import LengthHeadSettings
from vlrl.training.teacher.reference_model import ReferenceModel
from vlrl.types import ScoredGroup
from vlrl.verify.traces.overthinking import TraceSettings

ALWAYS = frozenset({"steps", "logprobs", "entropy", "square"})  # needs of credit that any policy meets
FROZEN = ("previous", "reference")  # settings that name frozen models; numbers of tokens under them have these names
MET_BY = {  # settings, and the needs that they meet
    "teacher": {"teacher", "kl_teacher", "teacher_token"},
    "previous": {"previous"},
    "reference": {"reference"},
    "contrast": {"contrast"},
    "self_teacher": set(NAMES),
    "general": {"general"},
}
NO_STATISTICS = frozenset({"contrast", "general"})  # needs that are no numbers of tokens


class OverSampling(Settings):
    """Draw until there are enough groups to learn from, in at most `max_rounds` rounds; the others are left out.

    informative  how many are enough; default: `problems_per_step`
    by           `advantage`: groups with an advantage that isn't zero, whatever gives it one; `accuracy`: groups with
                 right and wrong responses (DAPO's dynamic sampling), whatever reward parts make of all-wrong ones
    """

    informative: int | None = Field(default=None, ge=1)
    by: Literal["advantage", "accuracy"] = "advantage"
    max_rounds: int = Field(default=4, ge=1)

    def takes(self, group: ScoredGroup) -> bool:
        """Whether there is something to learn from a group."""
        return group.mixed if self.by == "accuracy" else group.informative


class ContrastSettings(Settings):
    """How problems are asked once more with their images perturbed; those responses are never trained on.

    Their tokens are in `tokens/contrast` and count in `rl.response_tokens`.

    perturbation  blank (one colour), blurred, tiles (parts in random places), mismatched (the images of another
                  problem of the step; a problem is not asked where none has others), frame_order (a video's frames in
                  another order; problems without a video are not asked), or one that a plugin registers
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
    self_teacher: SelfTeacherSettings | None = Field(default=None, description="for the token credit `antisd`")
    general: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="names of the recipe's sources of general problems, for `heal`, the weight and the reward part",
    )
    length_head: LengthHeadSettings | None = Field(
        default=None, description="predicts how long responses become; the engine begins the longest first. null: off"
    )
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
    replay_routing: bool = Field(
        default=False,
        description="of a mixture of experts: updates send each token to the experts that it went to in its rollout",
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
    audit: AuditSettings | None = Field(
        default=None,
        description="judge a share of the rewarded responses again, by another verifier; null: none",
        json_schema_extra=PACE,
    )
    overthinking: TraceSettings | None = Field(
        default=None,
        description="measure how much of each response stands behind its first right answer; `{}` by the defaults",
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
    def _written_out(cls, values: Any) -> Any:
        return expand(values) if isinstance(values, Mapping) else values

    @model_validator(mode="after")
    def _a_group_has_a_baseline(self) -> RlSettings:
        least = self.credit.advantage.least
        if self.rollouts_per_problem < least:
            name = type(self.credit.advantage).__name__
            raise ValueError(
                f"rollouts_per_problem is {self.rollouts_per_problem}, but the baseline of {name} is taken over a "
                f"problem's rollouts: with one the advantage is always zero; give at least {least}"
            )
        return self

    @model_validator(mode="after")
    def _one_tau(self) -> RlSettings:
        baseline, loss = self.credit.advantage.objective_tau, self.loss.objective_tau
        if baseline is not None and loss is not None and baseline != loss:
            raise ValueError(
                f"credit.advantage.tau is {baseline} and loss.tau is {loss}: both are the τ of one objective "
                "(k1.5 eq. 2); give the same number"
            )
        return self

    @model_validator(mode="after")
    def _needs_are_met(self) -> RlSettings:
        for part in (*self.credit.parts, self.loss, *self.auxiliary, *self.problem_sampler.parts):
            if missing := needs_of([part]) - self._given():
                raise ValueError(
                    f"{type(part).__name__} needs {sorted(missing)}, which RL as it is set up has not; "
                    "teacher, previous, contrast and general are settings of rl"
                )
        return self

    @model_validator(mode="after")
    def _a_scaled_pull_is_there(self) -> RlSettings:
        if (utility := self.problem_sampler.utility) is not None:
            first_updates = self.updates_per_step * self.epochs_per_step == 1 and self.reference is None
            utility.check_pull(self.loss, self.credit.advantage, first_updates)
        return self

    @model_validator(mode="after")
    def _what_is_given_is_read(self) -> RlSettings:
        if self.reference is not None and not self.loss.reads_reference:
            raise ValueError(
                f"reference is given, and {type(self.loss).__name__} as it is set up pulls to none; take loss: "
                "{name: grpo, beta: …} with beta above 0, or leave it out"
            )
        for name in ("teacher", "previous", "contrast", "self_teacher", "general"):
            if getattr(self, name) is not None and not MET_BY[name] & self.needs:
                raise ValueError(f"{name} is given, but no part reads it; leave it out or name the part")
        if self.credit.token_credit and not self.loss.reads_token_credit:
            raise ValueError(f"{type(self.loss).__name__} reads no token credit; take another loss")
        return self

    @model_validator(mode="after")
    def _a_penalised_loop_ends(self) -> RlSettings:
        penalised = any(isinstance(part, RepeatPenalty) and part.weight for part in self.credit.shape)
        if penalised and self.sampling.repetition is None:
            raise ValueError(
                "credit.shape has `repeat`, and sampling.repetition is null: nothing ends a response that loops, so "
                "the penalty is never given; give e.g. sampling.repetition: {tokens: 256}, or leave `repeat` out"
            )
        return self

    @model_validator(mode="after")
    def _lengths_hold(self) -> RlSettings:
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
        return self

    @model_validator(mode="after")
    def _partial_draws_no_more(self) -> RlSettings:
        if self.partial and self.over_sampling:
            raise ValueError(
                "partial and over_sampling are both given: the groups of an iteration with partial rollouts are those "
                "that have ended, none is drawn for more; leave one of them out"
            )
        return self

    @model_validator(mode="after")
    def _replayed_rollouts_are_whole(self) -> RlSettings:
        if self.partial and self.replay_routing:
            raise ValueError(
                "partial and replay_routing are both given: what waits for its next iteration is kept without the "
                "experts that it went to, which were an earlier policy's; leave one of them out"
            )
        return self

    @model_validator(mode="after")
    def _skipped_groups_have_no_gradient(self) -> RlSettings:
        several = self.updates_per_step * self.epochs_per_step > 1
        if self.skip_uninformative and self.loss.pulls_without_advantage and (several or self.reference is not None):
            start = "the iteration's start from the second update of a step on"
            raise ValueError(
                "skip_uninformative leaves groups without an advantage out, and "
                f"{type(self.loss).__name__} pulls them, as all others, back to "
                f"{'the reference' if self.reference else start}: "
                "leave it out, "
                f"{'' if self.reference else 'make one update a step, '}or take the pull away (tau or beta 0)"
            )
        return self

    @model_validator(mode="after")
    def _sampling_is_that_of_the_gradient(self) -> RlSettings:
        if self.sampling.top_p < 1.0:
            raise ValueError(
                f"sampling.top_p is {self.sampling.top_p}: responses would be drawn from the cut distribution, and the "
                "gradient is that of the whole one, so it would be biased; give 1.0 (eval.sampling may have another)"
            )
        if self.sampling.temperature == 0:
            raise ValueError("sampling.temperature is 0: k greedy responses are equal and teach nothing; give e.g. 1.0")
        return self

    def _given(self) -> frozenset[str]:
        """Needs of parts that these settings meet."""
        return ALWAYS.union(*(needs for name, needs in MET_BY.items() if getattr(self, name) is not None))

    @property
    def needs(self) -> frozenset[str]:
        """What the parts of credit, added losses and weights of problems need besides rollouts and verdicts."""
        reference = frozenset() if self.reference is None else MET_BY["reference"]
        return self.credit.needs | needs_of((*self.auxiliary, *self.problem_sampler.parts)) | reference

    @property
    def groups_wanted(self) -> int:
        """Number of groups that a step learns from at most."""
        more = self.over_sampling
        return self.problems_per_step if more is None or more.informative is None else more.informative

    @property
    def whole_loss(self) -> UpdateLoss:
        """The loss with its auxiliary terms."""
        loss: UpdateLoss = WithAdded(self.loss, self.auxiliary) if self.auxiliary else self.loss
        return loss

    def sampling_at(self, step: int) -> Sampling:
        """The sampling of 0-based `step`: `sampling` with the length of the latest stage that has begun."""
        begun = [start for start in self.max_tokens_from_step if start <= step]
        if not begun:
            return self.sampling
        return self.sampling.model_copy(update={"max_tokens": self.max_tokens_from_step[max(begun)]})

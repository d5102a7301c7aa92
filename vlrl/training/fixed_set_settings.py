"""What stages that train on a fixed set say: SFT with its phases, distillation from records, DPO."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from vlrl.config import LENGTH, PACE, RESULT, Settings
from vlrl.credit.advantage.advantages import advantages
from vlrl.credit.advantage.fitted import BestOnly, BoltWeights
from vlrl.data.fixed_sets import DemonstrationCount
from vlrl.losses.dpo_loss import DpoLoss
from vlrl.losses.likelihood import LikelihoodLoss
from vlrl.losses.loss_registry import losses
from vlrl.losses.policy_gradient.grpo import GrpoLoss
from vlrl.model.training.torch_policy import PolicySettings
from vlrl.provenance import needs_of
from vlrl.registry import component_field
from vlrl.rollout.engine import Sampling
from vlrl.training.teacher.reference_model import ReferenceModel

STEPS = 300
_LENGTH = {"steps", "epochs"}  # a phase that says one of these has neither from above


class FixedSetSettings(Settings):
    """Training on a fixed set in epochs, with validation and the best checkpoint kept."""

    steps: int = Field(default=STEPS, ge=1, json_schema_extra=LENGTH)
    epochs: float | None = Field(
        default=None, gt=0, description="passes over the set, in place of `steps`", json_schema_extra=LENGTH
    )
    batch: int = Field(default=64, ge=1)
    policy: PolicySettings = PolicySettings()
    validate_every: int = Field(
        default=50, ge=1, description="steps between validations, whose best weights stay", json_schema_extra=RESULT
    )
    checkpoint_every: int = Field(default=500, ge=1, json_schema_extra=PACE)

    @model_validator(mode="after")
    def _one_length(self) -> FixedSetSettings:
        if self.epochs is not None and self.steps != STEPS:
            raise ValueError(
                f"steps is {self.steps} and epochs {self.epochs:g}: both say how long; leave one out (or steps={STEPS})"
            )
        return self

    @model_validator(mode="after")
    def _one_reference(self) -> FixedSetSettings:
        if self.policy.reset_optimizer != "never":
            raise ValueError(
                f"policy.reset_optimizer is {self.policy.reset_optimizer}: a fixed set has no iterations, in which RL "
                "samples again, so nothing would be reset; leave it out, or give it under rl.policy"
            )
        return self

    def steps_over(self, count: int) -> int:
        """Updates on a set of `count` examples; the last batch of the last epoch is a whole one."""
        return self.steps if self.epochs is None else math.ceil(self.epochs * count / self.batch)

    @property
    def length(self) -> str:
        """How long, in words."""
        return f"{self.steps:,} steps" if self.epochs is None else f"{self.epochs:g} epochs"


class SftPhase(FixedSetSettings):
    """Supervised steps on one set of demonstrations, at one schedule of the learning rate."""

    demonstrations: DemonstrationCount = Field(
        default=480, description="how many by the recipe's weights, how many of each source, or `all` that files hold"
    )
    max_tokens: int | None = Field(
        default=None, ge=1, description="prompt and response; longer demonstrations are left out, and counted"
    )


class StoredRollouts(Settings):
    """Rollouts of earlier runs, weighed by their rewards, in place of demonstrations: BOLT without an engine.

    A group's weights are exp(r/β), k in all. β → 0 leaves the best alone, which is `rest`; β → ∞ is supervised learning
    on all of them. A response is never pushed down: offline nothing would say where that ends.
    """

    runs: tuple[str, ...] = Field(min_length=1, description="run folders whose rollouts.jsonl are read")
    from_step: int = Field(default=1, ge=1, description="RL step of those runs from which on groups count")
    weights: component_field(advantages, default="bolt") = Field(default_factory=BoltWeights)  # type: ignore[valid-type]
    loss: component_field(losses, default="likelihood") = Field(default_factory=LikelihoodLoss)  # type: ignore[valid-type]
    temperature: float = Field(default=1.0, gt=0.0, description="that the responses were sampled at")

    @model_validator(mode="after")
    def _nothing_is_pushed_down(self) -> StoredRollouts:
        if not isinstance(self.weights, BoltWeights | BestOnly) or not isinstance(self.loss, LikelihoodLoss):
            raise ValueError(
                "weights are `bolt` or `rest` and the loss is `likelihood`: another advantage pushes stored responses "
                "down, another loss compares with a policy that is gone"
            )
        return self


class SftSettings(SftPhase):
    """Supervised fine-tuning on demonstrations, e.g. a warm-up on a small fixed set.

    `phases` follow one another in place of a single one: each with its own data, length, learning rate and frozen
    parts. What a phase doesn't say is as said above them. A phase begins with a new optimiser at the start of its
    own schedule, so that the rate rises again (k1.5 §2.5.2: 2e-5 → 2e-6 at 32k tokens, then up to 1e-5 → 1e-6 at 128k).
    """

    phases: tuple[SftPhase, ...] = Field(default=(), json_schema_extra=RESULT)
    rollouts: StoredRollouts | None = Field(
        default=None, description="learn from stored rollouts in place of demonstrations; a batch counts groups"
    )

    @model_validator(mode="before")
    @classmethod
    def _written_out(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or not isinstance(given.get("phases"), list | tuple):
            return given
        shared = {key: value for key, value in given.items() if key not in ("phases", "rollouts")}
        written = [
            _over({k: v for k, v in shared.items() if k not in _LENGTH or not _LENGTH & set(one)}, one)
            if isinstance(one, Mapping)
            else one
            for one in given["phases"]
        ]
        return {**given, "phases": written}

    @model_validator(mode="after")
    def _one_set(self) -> SftSettings:
        named = self.demonstrations != SftPhase.model_fields["demonstrations"].default
        if self.rollouts is not None and (self.phases or self.max_tokens is not None or named):
            raise ValueError("rollouts take the place of demonstrations, max_tokens and phases; leave one of them out")
        return self

    @model_validator(mode="after")
    def _adapters_stay(self) -> SftSettings:
        if len({repr(one.policy.lora) for one in self.phases}) > 1:
            raise ValueError(
                "the phases have unlike policy.lora: the best weights of one would not fit another; give one for all"
            )
        return self

    @property
    def in_order(self) -> tuple[SftPhase, ...]:
        """The phases; where none is named, the one that the settings themselves are."""
        return self.phases or (self,)

    @property
    def total_steps(self) -> int | None:
        """Steps of all phases; None where it takes the data to tell."""
        return None if any(one.epochs for one in self.in_order) else sum(one.steps for one in self.in_order)


class DpoSettings(FixedSetSettings):
    """Preference learning on pairs of a problem file (lines with `chosen` and `rejected`), e.g. what curation wrote."""

    pairs: str | None = Field(default=None, description="the file; needed where `dpo` is among the stages")
    loss: DpoLoss = DpoLoss()


class RecordSettings(Settings):
    """Responses of the model as it is, with a teacher's log-probabilities: what `distil` learns from (Lightning OPD).

    problems, rollouts   how many problems of the recipe's mixture, and responses to each
    batch                problems at a time
    micro_batch_tokens   padded tokens that go through model and teacher at once
    """

    teacher: ReferenceModel
    problems: int = Field(default=1024, ge=1)
    rollouts: int = Field(default=1, ge=1)
    batch: int = Field(default=64, ge=1)
    sampling: Sampling = Sampling()
    micro_batch_tokens: int = Field(default=16_384, ge=1, json_schema_extra=PACE)

    @model_validator(mode="after")
    def _responses_are_drawn(self) -> RecordSettings:
        if self.sampling.temperature == 0:
            raise ValueError("sampling.temperature is 0: distillation wants responses drawn by chance; give e.g. 1.0")
        return self


class DistilSettings(FixedSetSettings):
    """On-policy distillation from records of a teacher, without the teacher and without an engine (Lightning OPD).

    Every token of a recorded response has the advantage weight·(log π_T − log π_S): log π_T as recorded, log π_S of the
    policy before the update. The responses stay those of the model that recorded them. One pass is meant; over many
    passes the recorded tokens lose likelihood while the policy comes no nearer to the teacher.

    value      KL(writer‖teacher) of every place, as recorded, is added (vOPD's baseline, here that of the writer): much
               less noise, the same mean. Without it, as published, small sets teach next to nothing
    reference  whose log-probabilities the loss's ratio starts from: the policy before each update (ratios are 1), or
               the writer of the responses, which a clipped loss then keeps the policy near
    """

    records: str | None = Field(default=None, description="folder that `record` wrote; default: the run's own")
    teacher: str | None = Field(
        default=None,
        description="digest that the records' teacher must have, or `any`; default: that of the model that wrote what "
        "this one was supervised on, where that is known",
    )
    weight: float = Field(default=1.0, ge=0.0)
    value: bool = True
    reference: Literal["policy", "writer"] = "policy"
    loss: component_field(losses, default="grpo") = Field(default_factory=lambda: GrpoLoss(aggregate="token"))  # type: ignore[valid-type]

    @model_validator(mode="after")
    def _loss_reads_token_credit(self) -> DistilSettings:
        if not self.loss.reads_token_credit or needs_of([self.loss]):
            raise ValueError(f"{type(self.loss).__name__} reads no token credit; take grpo, cispo, ctpo or likelihood")
        return self


def _over(below: Mapping[str, Any], above: Mapping[str, Any], within: tuple[str, ...] = ()) -> dict[str, Any]:
    """`above` laid over `below`; of a policy and its optimiser, key by key."""
    merged = dict(below)
    for key, value in above.items():
        inside = (*within, key) in (("policy",), ("policy", "optimizer"))
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _over(merged[key], value, (*within, key)) if inside and both else value
    return merged

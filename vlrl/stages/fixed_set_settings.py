"""What stages that train on a fixed set say: SFT with its stretches, DPO."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from vlrl.config import Settings
from vlrl.data.draws import DemonstrationCount
from vlrl.losses.dpo import DpoLoss
from vlrl.model.torch_policy import PolicySettings


class FixedSetSettings(Settings):
    """Training on a fixed set in epochs, with validation and the best checkpoint kept."""

    steps: int = Field(default=300, ge=1)
    batch: int = Field(default=64, ge=1)
    policy: PolicySettings = PolicySettings()
    validate_every: int = Field(default=50, ge=1)
    checkpoint_every: int = Field(default=500, ge=1)


class SftStretch(FixedSetSettings):
    """Supervised steps on one set of demonstrations, at one schedule of the learning rate."""

    demonstrations: DemonstrationCount = Field(
        default=480, description="how many by the recipe's weights, how many of each source, or `all` that files hold"
    )
    max_tokens: int | None = Field(
        default=None, ge=1, description="prompt and response; longer demonstrations are left out, and counted"
    )


class SftSettings(SftStretch):
    """Supervised fine-tuning on demonstrations, e.g. a warm-up on a small fixed set.

    `stretches` follow one another in place of a single one: each with its own data, length, learning rate and frozen
    parts. What a stretch doesn't say is as said above them. A stretch begins with a new optimiser at the start of its
    own schedule, so that the rate rises again (k1.5 §2.5.2: 2e-5 → 2e-6 at 32k tokens, then up to 1e-5 → 1e-6 at 128k).
    """

    stretches: tuple[SftStretch, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _written_out(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or not isinstance(given.get("stretches"), list | tuple):
            return given
        shared = {key: value for key, value in given.items() if key != "stretches"}
        written = [_over(shared, one) if isinstance(one, Mapping) else one for one in given["stretches"]]
        return {**given, "stretches": written}

    @model_validator(mode="after")
    def _adapters_stay(self) -> SftSettings:
        if len({repr(one.policy.lora) for one in self.stretches}) > 1:
            raise ValueError(
                "the stretches have unlike policy.lora: the best weights of one would not fit another; give one for all"
            )
        return self

    @property
    def in_order(self) -> tuple[SftStretch, ...]:
        """The stretches; where none is named, the one that the settings themselves are."""
        return self.stretches or (self,)

    @property
    def total_steps(self) -> int:
        """Steps of all stretches."""
        return sum(one.steps for one in self.in_order)


class DpoSettings(FixedSetSettings):
    """Preference learning on pairs of a problem file (lines with `chosen` and `rejected`), e.g. what curation wrote."""

    pairs: str | None = Field(default=None, description="the file; needed where `dpo` is among the stages")
    loss: DpoLoss = DpoLoss()


def _over(below: Mapping[str, Any], above: Mapping[str, Any], within: tuple[str, ...] = ()) -> dict[str, Any]:
    """`above` laid over `below`; of a policy and its optimiser, key by key."""
    merged = dict(below)
    for key, value in above.items():
        inside = (*within, key) in (("policy",), ("policy", "optimizer"))
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _over(merged[key], value, (*within, key)) if inside and both else value
    return merged

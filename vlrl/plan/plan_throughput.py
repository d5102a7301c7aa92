"""`vlrl plan --measure`: seconds of a step on this device, from a few timed passes of a model of the run's shape."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vlrl.data.images.image_budget import ImageBudget
from vlrl.errors import ConfigError
from vlrl.model.cost import CostModel, Load, Rates
from vlrl.model.device_rates import measured
from vlrl.model.load import random_model
from vlrl.model.prompts.encode import Encoder
from vlrl.model.sizes import Architecture, ParameterCounts
from vlrl.plan.plan_work import SourcePlan, cost_model, step_groups
from vlrl.training.run_settings import RunSettings
from vlrl.types import Problem


@dataclass(frozen=True)
class Pace:
    """What was measured on the device, and the seconds of a step that follow from it."""

    rates: Rates
    rollout_seconds: float
    update_seconds: float


def measure_pace(
    settings: RunSettings,
    arch: Architecture,
    counts: ParameterCounts,
    sources: Sequence[SourcePlan],
    problems: Iterable[Problem],
    budget: ImageBudget,
) -> Pace:
    """Time passes of a model of this shape on the device. Raises ConfigError where its processor isn't here."""
    if arch.processor is None:
        raise ConfigError("--measure", f"needs the processor of {settings.model.path}", "give a folder with its files")
    loaded = random_model(arch.config, arch.processor, settings.model)
    encoded = Encoder(loaded, budget, settings.system_prompt).encode(list(problems))
    cost = cost_model(settings, arch, counts, settings.rl.policy)
    cost = measured(cost, loaded, [image for one in encoded for image in one.images])
    return Pace(cost.rates, *step_seconds(settings, cost, step_groups(settings, arch, sources)))


def step_seconds(settings: RunSettings, cost: CostModel, groups: Sequence[Load]) -> tuple[float, float]:
    """Seconds of one step's rollout and of one training pass, by a cost model with a device's rates.

    A rollout is its work and one call for every token of the longest response, as often as slots are filled again. How
    rows of a pass help each other, and what the optimiser takes, is left out.
    """
    rows = sum(len(group.responses) for group in groups)
    fills = -(-rows // settings.engine.max_num_seqs)
    steps = fills * max(max(group.responses) for group in groups)
    rollout = sum(cost.rollout(group) for group in groups) + steps * cost.rates.call
    return rollout, sum(cost.training(group) for group in groups)


def pace_line(pace: Pace, device: str) -> str:
    """What was measured, and what follows from it, in words."""
    rates = pace.rates
    vision, language = (f"{1e-9 / rate:,.3g} GFLOP/s" if rate else "free" for rate in (rates.vision, rates.language))
    return (
        f"measured on {device}: {vision} in the vision tower, {language} in the language model, "
        f"{rates.call * 1000:.3g} ms a call. By that a rollout takes about {pace.rollout_seconds:,.3g} s "
        f"and a training pass {pace.update_seconds:,.3g} s, responses at their longest."
    )

"""Timed passes give rates that are no less than zero, on a cost model that is otherwise as it was."""

from __future__ import annotations

from dataclasses import replace

from small_models import ask, encode, pixels

from vlrl.model import device_rates
from vlrl.model.cost import Rates, cost_of
from vlrl.model.device_rates import TEXT_TOKENS, measured
from vlrl.model.optimization.parameter_groups import PARTS


def test_the_rates_are_those_of_the_times_that_the_passes_took(loaded, monkeypatch):
    (one,) = encode(loaded, ask(pixels(1), pixels(2, 48, 16), "How many?"))
    cost = cost_of(loaded.config, loaded.model, PARTS, False)
    short = [n for n in TEXT_TOKENS if n <= loaded.context]
    sizes = sorted({image.num_patches for image in one.images})
    truth = Rates(3e-9, 2e-9, 1e-3)
    seconds = [cost.language_flops(n) * truth.language + truth.call for n in short]
    seconds += [cost.vision_flops([n]) * truth.vision + truth.call for n in sizes]
    ran = []

    def clock(work, device):
        work()  # really runs
        ran.append(seconds[len(ran)])
        return ran[-1]

    monkeypatch.setattr(device_rates, "_least_seconds", clock)
    found = measured(cost, loaded, one.images)
    assert len(ran) == len(short) + len(sizes)
    assert abs(found.rates.vision / truth.vision - 1) < 1e-6
    assert abs(found.rates.language / truth.language - 1) < 1e-6
    assert abs(found.rates.call / truth.call - 1) < 1e-6
    assert replace(found, rates=Rates()) == cost


def test_passes_are_timed_for_real(qwen3):
    (one,) = encode(qwen3, ask(pixels(1), "How many?"))
    rates = measured(cost_of(qwen3.config, qwen3.model, PARTS, False), qwen3, one.images).rates
    assert min(rates.vision, rates.language, rates.call) >= 0
    assert max(rates.vision, rates.language, rates.call) > 0

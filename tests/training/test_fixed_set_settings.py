"""How long stages on a fixed set train, and what the phases of SFT take over from above them."""

from __future__ import annotations

import pytest

from vlrl.config import build_settings
from vlrl.errors import ConfigError
from vlrl.training.fixed_set_settings import DistilSettings, RecordSettings, SftSettings


def sft(**values) -> SftSettings:
    return build_settings(SftSettings, values, "sft")


@pytest.mark.parametrize(("epochs", "count", "batch", "steps"), [(2, 10, 4, 5), (1.5, 10, 4, 4), (1, 8, 4, 2)])
def test_epochs_are_steps_over_the_set_rounded_up(epochs, count, batch, steps):
    assert sft(epochs=epochs, batch=batch).steps_over(count) == steps


def test_without_epochs_the_set_does_not_matter():
    assert sft(steps=7).steps_over(10**6) == 7


def test_a_length_is_said_once():
    with pytest.raises(ConfigError, match="both say how long"):
        sft(steps=7, epochs=2)


def test_a_fixed_set_has_no_iterations_to_reset_the_optimizer_at():
    with pytest.raises(ConfigError, match="a fixed set has no iterations"):
        sft(policy={"reset_optimizer": "each_iteration"})


def test_a_phase_has_what_it_says_and_else_what_stands_above_it():
    above = {"batch": 8, "steps": 20, "policy": {"freeze": ["vision"], "optimizer": {"name": "adamw", "lr": 1e-3}}}
    first, second = sft(**above, phases=[{}, {"batch": 4, "epochs": 2, "policy": {"optimizer": {"lr": 1e-4}}}]).in_order
    assert (first.batch, first.steps, first.policy.optimizer.lr) == (8, 20, 1e-3)
    assert (second.batch, second.epochs, second.policy.optimizer.lr) == (4, 2, 1e-4)
    assert second.policy.freeze == ("vision",)
    assert second.steps_over(4) == 2  # its epochs replace the steps from above


def test_steps_of_all_phases_are_known_unless_one_counts_epochs():
    assert sft(phases=[{"steps": 3}, {"steps": 4}]).total_steps == 7
    assert sft(phases=[{"steps": 3}, {"epochs": 1}]).total_steps is None
    assert sft(steps=9).total_steps == 9


def test_phases_share_their_adapters():
    with pytest.raises(ConfigError, match=r"unlike policy\.lora"):
        sft(phases=[{}, {"policy": {"lora": {"rank": 2}}}])


def test_records_are_drawn_by_chance():
    with pytest.raises(ConfigError, match="drawn by chance"):
        build_settings(RecordSettings, {"teacher": {"path": "m"}, "sampling": {"temperature": 0}}, "record")


def test_distillation_takes_no_loss_that_reads_no_token_credit():
    with pytest.raises(ConfigError, match="reads no token credit"):
        build_settings(DistilSettings, {"loss": "sft"}, "distil")

"""RL settings that contradict one another are refused with what would be wrong and what to do."""

from __future__ import annotations

import pytest

from vlrl.config import build_settings
from vlrl.errors import ConfigError
from vlrl.training.rl.rl_settings import RlSettings


def built(**given) -> RlSettings:
    return build_settings(RlSettings, given, "rl")


SKIPS = {"skip_uninformative": True}
PULLS = [{"name": "kimi", "tau": 0.1}, {"name": "grpo", "beta": 0.01}]
FREE = [{"name": "kimi", "tau": 0.0}, {"name": "grpo"}, {"name": "gspo"}, {"name": "cispo"}]


@pytest.mark.parametrize("several", [{"updates_per_step": 2}, {"epochs_per_step": 3}])
@pytest.mark.parametrize("loss", PULLS, ids=str)
def test_groups_that_later_updates_would_pull_back_are_not_skipped(loss, several):
    with pytest.raises(ConfigError, match=r"skip_uninformative[\s\S]*from the second update of a step on"):
        built(loss=loss, **SKIPS, **several)
    assert built(loss=loss, **SKIPS).skip_uninformative
    assert not built(loss=loss, **several).skip_uninformative


@pytest.mark.parametrize("loss", FREE, ids=str)
def test_where_nothing_pulls_them_they_may_be_skipped(loss):
    assert built(loss=loss, updates_per_step=2, **SKIPS).skip_uninformative


def test_a_frozen_reference_pulls_from_the_first_update_on():
    grpo = {"loss": {"name": "grpo", "beta": 0.01}, "reference": {"path": "runs/x/model_sft"}}
    assert "reference" in built(**grpo).needs
    assert "reference" not in built(loss="grpo").needs
    with pytest.raises(ConfigError, match="skip_uninformative"):
        built(**grpo, **SKIPS)


@pytest.mark.parametrize("loss", [{"name": "kimi"}, {"name": "grpo", "beta": 0.0}])
def test_a_frozen_reference_that_no_loss_reads_is_refused(loss):
    with pytest.raises(ConfigError, match=r"reference is given[\s\S]*beta above 0"):
        built(loss=loss, reference={"path": "runs/x/model_sft"})


def test_responses_are_not_drawn_from_a_cut_distribution_that_the_gradient_does_not_know():
    with pytest.raises(ConfigError, match=r"top_p is 0\.9[\s\S]*biased"):
        built(sampling={"top_p": 0.9})

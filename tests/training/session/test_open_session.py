"""What the stages of a run share is opened data first, and the model is stated by its parts."""

from __future__ import annotations

import pytest

from vlrl.config import load_settings
from vlrl.errors import ConfigError, DataError
from vlrl.runlog.run_folder import RunFolder
from vlrl.training.monitoring.progress import Progress
from vlrl.training.run_settings import RunSettings
from vlrl.training.session import open_session as module
from vlrl.training.session.open_session import describe_model, open_session

SMALL = ["eval.problems=4", "eval.curve_problems=4", "threads=1"]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (["data=data_recipes/not_there.yaml"], "not_there"),
        (["sft.demonstrations={not_there: 3}"], "not_there"),
        (["eval.benchmarks=[not_there.yaml]", "eval.benchmarks_every=2"], "not_there"),
    ],
)
def test_a_mistake_in_what_is_asked_is_found_before_the_model_is_loaded(tmp_path, monkeypatch, wrong, named):
    def loaded(*given):
        raise AssertionError("the model is loaded")

    monkeypatch.setattr(module, "load_model", loaded)
    settings = load_settings(RunSettings, "configs/quickstart.yaml", [*SMALL, *wrong])
    with pytest.raises((ConfigError, DataError), match=named):
        open_session(settings, RunFolder(tmp_path, {}), Progress({}))


def test_the_card_states_all_parameters_by_part(qwen3):
    stated = describe_model(qwen3)
    counted = sum(parameter.numel() for parameter in qwen3.model.parameters())
    assert stated["parameters"] == counted == sum(stated["parameters_by_part"].values())
    assert set(stated["parameters_by_part"]) == {"vision", "projector", "language"}
    assert all(stated["parameters_by_part"].values())
    assert stated["vocabulary"] == len(qwen3.tokenizer)
    assert stated["dtype"] == "float32"

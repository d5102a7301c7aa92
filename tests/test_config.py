"""Settings: every mistake is one message with place, value and remedy."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import Field, create_model

from vlrl.config import Settings, apply_overrides, load_settings, read_yaml
from vlrl.errors import ConfigError
from vlrl.registry import Registry, component_field
from vlrl.renamed import RENAMED

losses = Registry("loss")


@losses.register("kimi")
class Kimi(Settings):
    tau: float = 0.1


class Inner(Settings):
    rate: float = Field(default=0.5, gt=0.0, description="above 0")


class Run(Settings):
    steps: int = 3
    name: str
    inner: Inner = Inner()
    loss: component_field(losses) = Kimi()


def load(tmp_path, text, *overrides):
    file = tmp_path / "run.yaml"
    file.write_text(text)
    return load_settings(Run, file, overrides)


def test_a_good_file_loads_and_overrides_win(tmp_path):
    run = load(tmp_path, "name: a\nsteps: 5\n", "steps=7", "inner.rate=1e-4", "loss={name: kimi, tau: 0.2}")
    assert (run.steps, run.inner.rate, run.loss) == (7, 1e-4, Kimi(tau=0.2))


def test_an_override_below_a_component_given_by_its_name_keeps_the_name(tmp_path):
    assert load(tmp_path, "name: a\nloss: kimi\n", "loss.tau=0.2").loss == Kimi(tau=0.2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nstep: 5\n", "step: unknown key 'step'\n.*did you mean 'steps'"),
        ("name: a\ninner: {rat: 5}\n", "inner.rat: unknown key 'rat'\n.*did you mean 'rate'"),
        ("name: a\nloss: {name: kimi, taú: 5}\n", "did you mean 'tau'"),
        ("name: a\nloss: kimmi\n", "did you mean 'kimi'"),
        ("name: a\nsteps: many\n", "steps: .*valid integer.*got 'many'"),
        ("name: a\ninner: {rate: -1}\n", "inner.rate: .*greater than 0, got -1\n.*above 0"),
        ("steps: 5\n", "name: is missing"),
        ("name: a\nname: b\n", "line 2: .*'name' is given twice"),
        ("name: a\ninner: {rate: 1, rate: 2}\n", "'rate' is given twice"),
        ("name: [a\n", "not valid YAML"),
        ("- a\n", "holds list, not settings"),
    ],
)
def test_a_mistake_names_its_place_value_and_remedy(tmp_path, text, message):
    with pytest.raises(ConfigError, match=rf"(?s)run\.yaml.*{message}|(?s:{message})"):
        load(tmp_path, text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: no such file"):
        read_yaml(tmp_path / "none.yaml")


@pytest.mark.parametrize("override", ["steps", "=3", "inner.rate.x=3", "steps.x=1", "steps=[1"])
def test_an_override_that_is_none_is_refused(override):
    with pytest.raises(ConfigError, match="command line"):
        apply_overrides({"steps": 3, "inner": {"rate": 0.5}}, [override])


def test_overrides_leave_the_given_settings_alone():
    given = {"inner": {"rate": 0.5}}
    assert apply_overrides(given, ["inner.rate=1", "new.key=[1, 2]"]) == {"inner": {"rate": 1}, "new": {"key": [1, 2]}}
    assert given == {"inner": {"rate": 0.5}}


def test_variables_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("RUN_NAME", "blue")
    monkeypatch.delenv("NOT_SET", raising=False)
    text = "name: ${RUN_NAME}-${NOT_SET:-red}\nsteps: ${NOT_SET:-4}\n"
    run = load(tmp_path, text)
    assert (run.name, run.steps) == ("blue-red", 4)
    with pytest.raises(ConfigError, match=r"inner\.rate: the environment variable NOT_SET is not set"):
        load(tmp_path, "name: a\ninner: {rate: '${NOT_SET}'}\n")


def test_numbers_with_an_exponent_are_numbers(tmp_path):
    assert read_yaml_of(tmp_path, "a: 1e-4\nb: 1e3\nc: 1.5e-2\nd: e3\n") == {"a": 1e-4, "b": 1e3, "c": 0.015, "d": "e3"}


def read_yaml_of(tmp_path, text):
    file = tmp_path / "some.yaml"
    file.write_text(text)
    return read_yaml(file)


@pytest.mark.parametrize(("old", "new"), [(old, new) for old, names in RENAMED.items() for new in names])
def test_a_settings_former_name_is_refused_with_the_present_one(tmp_path, old, new):
    model = create_model("Renamed", __base__=Settings, **{new: (int, 0)})
    (tmp_path / "run.yaml").write_text(f"{old}: 1\n")
    with pytest.raises(ConfigError, match=f"it is called '{new}' now"):
        load_settings(model, tmp_path / "run.yaml", [])


def test_settings_are_read_without_the_model_classes_of_transformers():
    """They take seconds to load, and a mistake in a config is to be told before."""
    program = "import sys, vlrl.training.run_settings; sys.exit('transformers.modeling_utils' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0

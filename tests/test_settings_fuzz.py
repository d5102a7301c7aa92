"""Whatever stands in a setting: it is taken, or refused with place and value; never another exception."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from vlrl.config import apply_overrides, build_settings, load_settings, read_yaml
from vlrl.curation.curation_settings import CurateSettings
from vlrl.data.recipe import Recipe, load_recipe
from vlrl.errors import ConfigError, VlrlError
from vlrl.training.monitoring.evaluation_settings import EvaluationSettings
from vlrl.training.run_settings import RunSettings

VALUES = (
    *(None, True, "yes", "", [], {}, -1, 0, -3.5, 1e-300, 1e308, 10**30, float("nan"), float("inf"), "x" * 50, "\x00"),
    *([None], [[1]], [1, "a"], {"name": None}, {"name": "nope"}, {"a": 1}, {1: 2}, b"x", date(2020, 1, 1), 0j),
)


ADAMW = ("sft.policy.optimizer.name=adamw", "rl.policy.optimizer.name=adamw")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def with_value(settings: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = place = copy.deepcopy(settings)
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


def wrong_places(model: Any, settings: dict[str, Any], every: int = 1) -> list[str]:
    """Places and values that neither settings nor a ConfigError come of."""
    found = []
    for number, path in enumerate(places(settings)):
        for value in VALUES[number % every :: every]:
            try:
                build_settings(model, with_value(settings, path, value), "f.yaml").model_dump(mode="json")
            except VlrlError:
                continue
            except Exception as error:
                found.append(f"{'.'.join(map(str, path))} = {value!r}: {type(error).__name__}: {error}")
    return found


def resolved(model: Any, config: str, *overrides: str) -> dict[str, Any]:
    held: dict[str, Any] = load_settings(model, config, overrides).model_dump(mode="json")
    return held


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["rl.preset=dapo", "rl.loss=null", "rl.credit=null", "engine=vllm"],
        [
            "engine={name: ray}",
            "rl.partial={budget: 8}",
            "rl.over_sampling=null",
            "rl.problem_sampler.weights=[prioritised]",
        ],
        [
            "sft.phases=[{steps: 3}, {epochs: 2}]",
            "backend=deepspeed",
            "sft.policy.optimizer.name=adamw",
            "rl.policy.optimizer.name=adamw",
        ],
    ],
    ids=["quickstart", "preset", "pool", "phases"],
)
def test_any_value_of_a_run(overrides):
    settings = resolved(RunSettings, "configs/quickstart.yaml", *overrides)
    assert not wrong_places(RunSettings, settings, 2 if overrides else 1)


def test_any_value_of_a_recipe(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"question": "?", "answer": "1"}\n')
    recipe = load_recipe("data_recipes/quickstart.yaml").model_dump(mode="json")
    file = {
        "name": "own",
        "kind": "file",
        "path": str(tmp_path / "rows.jsonl"),
        "modality": "real",
        "verifier": "number",
    }
    built = build_settings(Recipe, {"sources": [*recipe["sources"][:2], file]}, "r.yaml").model_dump(mode="json")
    assert not wrong_places(Recipe, built, 2)


@pytest.mark.parametrize(("model", "config"), [(CurateSettings, "curate"), (EvaluationSettings, "eval")])
def test_any_value_of_other_commands(model, config):
    import pathlib

    first = sorted(pathlib.Path(f"configs/{config}").glob("*.yaml"))[0]
    assert not wrong_places(model, read_yaml(first))


@pytest.mark.parametrize(
    ("override", "place"),
    [
        ("rl.loss=null", "loss"),
        ("engine=null", "engine"),
        ("rl.steps=yes", "steps"),
        ("rl.sampling.temperature=no", "temperature"),
        ("stages=[]", "stages"),
        ("sft.demonstrations=0", "demonstrations"),
        ("sft.demonstrations=-3", "demonstrations"),
        ("rl.preset=dapo", "rl.loss"),
        ("stages.7=eval", "'7'"),
        ("stages.first=eval", "'first'"),
    ],
)
def test_what_a_stranger_typed_is_refused_by_its_name(override, place):
    with pytest.raises(ConfigError) as error:
        load_settings(RunSettings, "configs/quickstart.yaml", ["stages=[rl]", override])
    assert place in str(error.value)


def test_overrides_reach_items_of_lists_and_add_one():
    held = {"sources": [{"weight": 1}, {"weight": 2}], "stages": ["sft"]}
    changed = apply_overrides(held, ["sources.0.weight=5", "sources[1].weight=6", "stages[1]=rl"])
    assert changed == {"sources": [{"weight": 5}, {"weight": 6}], "stages": ["sft", "rl"]}
    assert held["stages"] == ["sft"]
    recipe = load_recipe("data_recipes/quickstart.yaml", ["sources.0.weight=7"])
    assert recipe.sources[0].weight == 7


def test_merge_keys_and_anchors_are_read_and_own_keys_win(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("base: &b {lr: 1.0, name: adamw}\nrl: {<<: *b, lr: 2.0}\nboth: {<<: [{a: 1}, {a: 2, c: 3}]}\n")
    assert read_yaml(path)["rl"] == {"lr": 2.0, "name": "adamw"}
    assert read_yaml(path)["both"] == {"a": 1, "c": 3}
    path.write_text("rl: {lr: 1, lr: 2}\n")
    with pytest.raises(ConfigError, match="twice"):
        read_yaml(path)


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "a: 2020-13-45\n", "{[1]: 2}\n", "a: !!python/name:os.system\n"])
def test_odd_yaml_is_one_message(tmp_path, text):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"c\.yaml"):
        read_yaml(path)


def test_a_file_that_is_no_text_is_one_message(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_bytes(b"name: caf\xe9\n")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_yaml(path)


def test_a_weight_that_would_never_give_a_problem_is_refused():
    with pytest.raises(ConfigError, match="millionth"):
        load_recipe("data_recipes/quickstart.yaml", ["sources.0.weight=1.0e-12"])

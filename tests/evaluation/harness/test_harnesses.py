"""Both harnesses ask our engine: responses and figures equal those of their own wrappers on the same folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vlrl.errors import ConfigError
from vlrl.evaluation.harness import harness_settings
from vlrl.evaluation.harness.harness_settings import HarnessTasks, check_tasks

ROOT = Path(__file__).parent.parent.parent.parent
HARNESSES = ROOT / ".venv" / "harness"  # scripts/setup test puts them there, apart from the environment's versions
TASKS = ["vlrl_one", "vlrl_two", "vlrl_words", "vlrl_choice", "vlrl_write", "vlrl_perplexity"]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What both said of six tasks: one process, since what they need is older than what is here."""
    if not (HARNESSES / "lm_eval").is_dir():
        reason = f"{HARNESSES} is missing; scripts/setup test makes it"
        pytest.fail(reason) if os.environ.get("VLRL_REQUIRE_SUITES") else pytest.skip(reason)
    here = tmp_path_factory.mktemp("harness")
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), str(HARNESSES)])
    environment = {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "HF_HOME": str(here / "hf")}
    script = Path(__file__).parent / "asked_by_harnesses.py"
    done = subprocess.run(
        [sys.executable, str(script), str(here), str(ROOT)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads((here / "said.json").read_text())
    return found


def values(held: Any) -> list[Any]:
    return [one for part in held for one in values(part)] if isinstance(held, list) else [held]


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_figures_and_responses_are_those_of_the_harness_with_its_own_wrapper(said, task):
    ours, theirs = said[task]["figures"]
    assert ours
    assert ours == pytest.approx(theirs, rel=1e-4)
    here, there = (values(one) for one in said[task]["resps"])
    assert len(here) == len(there) >= 6
    for mine, other in zip(here, there, strict=True):
        assert mine == (pytest.approx(other, abs=1e-4) if isinstance(other, float) else other)


@pytest.mark.slow
def test_the_tasks_tell_images_and_texts_apart(said):
    one, two, words = (said[name]["resps"][0] for name in TASKS[:3])
    assert len({json.dumps(row) for row in one}) > 1
    assert one != two
    assert one != words


@pytest.mark.slow
def test_lmms_eval_finds_the_model_by_its_name_and_gets_the_same_responses(said):
    assert said["by_name"]["manifest"] == "vlrl.evaluation.harness.lmms_model.VlrlLmms"
    assert said["by_name"]["resps"] == said["vlrl_one"]["resps"][0]


@pytest.mark.slow
def test_asking_leaves_the_random_numbers_of_a_run_as_they_were(said):
    assert said["random state of lmms"]
    assert said["random state of lm"]


@pytest.mark.slow
def test_both_harnesses_stand_on_the_curve_of_a_run_in_its_card_and_its_report(said):
    run = said["run"]
    evals = [line for line in run["metrics"] if line["phase"] == "eval"]
    assert [line["step"] for line in evals] == [1, 2]
    for line in evals:
        assert {"harness/lmms vlrl_one exact_match", "harness/lm vlrl_choice acc"} <= line.keys()
    assert {one["task"]: one["n"] for one in run["card"]} == {"vlrl_one": 2, "vlrl_choice": 2}
    assert run["charts"] >= 1


@pytest.mark.slow
def test_vlrl_eval_asks_the_trained_model_and_writes_both_verdicts(said):
    run = said["run"]
    assert run["results"]["model"].endswith("run/model")
    assert [(one["harness"], one["task"], one["n"]) for one in run["results"]["tasks"]] == [
        ("lmms-eval", "vlrl_words", 3),
        ("lm-evaluation-harness", "vlrl_write", 3),
    ]
    assert [(row["row"], row["gold"], row["verifier"], row["metric"]) for row in run["rows"]] == [
        (n, str(n), "number", "exact_match") for n in range(3)
    ]
    assert all(row["differs"] == (row["ours"] != row["theirs"]) for row in run["rows"])


def test_a_missing_harness_a_missing_folder_and_ranks_are_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setitem(harness_settings.LIBRARY, "lm", "no_such_library")
    with pytest.raises(ConfigError, match="is not installed"):
        check_tasks(HarnessTasks(lm=["mmlu"]))
    with pytest.raises(ConfigError, match="is no folder"):
        check_tasks(HarnessTasks(lm=["mmlu"], folders=[str(tmp_path / "none")]))
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="2 processes"):
        check_tasks(HarnessTasks(lm=["mmlu"]))
    with pytest.raises(ConfigError, match="names no task"):
        HarnessTasks()

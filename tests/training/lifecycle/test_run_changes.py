"""What a run may go on with: settings declare whether the result depends on them, how long it takes, or its pace."""

from __future__ import annotations

import json
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel
from resumed_runs import CONFIG, lines, overrides

import vlrl.training.run_settings  # noqa: F401  (all settings classes of a run)
from vlrl.config import Effect, Settings, declared_effect, load_settings
from vlrl.errors import RunError
from vlrl.runlog.run_folder import RunFolder
from vlrl.training.lifecycle.run_changes import changes, effects
from vlrl.training.lifecycle.run_state import RunState
from vlrl.training.run import start_run
from vlrl.training.run_settings import RunSettings

PACE = {  # what is declared to leave the result alone; a field that joins is to be thought about here
    "ClassicRun": "threads",
    "RewardModelSettings": "batch micro_batch_tokens device sleeps",
    "EndpointSettings": "url api_key_variable timeout_seconds retries pause_seconds concurrency",
    "RunSettings": "plugins name run_folder data stages judging tracker threads patience_minutes",
    "SandboxSettings": "isolation url interface boxes",
    "RlSettings": "agreement audit overthinking max_fault_rate validate_every checkpoint_every "
    "export_every log_groups log_every",
    "EvalSettings": "samples benchmarks harness benchmarks_every",
    "EpisodeSettings": "tool_seconds workers",
    "FixedSetSettings": "checkpoint_every",
    "RecordSettings": "micro_batch_tokens",
    "PolicySettings": "micro_batch_tokens micro_batch_mib pack_sequences",
    "ModelSettings": "device attention gradient_checkpointing feature_store_mib",
    "TransformersEngineSettings": "max_num_seqs max_num_batched_tokens drop_share cuda_graphs",
    "VllmEngineSettings": "max_num_seqs max_num_batched_tokens block_tokens cache_gib tensor_parallel_size "
    "memory_share eager sleep restarts",
    "RayPoolSettings": "actors address cpus_per_actor gpus_per_actor resources_per_actor pieces_per_actor tries "
    "start_timeout_seconds shard_mib object_store_gib resize_file",
}
LENGTH = {"RlSettings": "steps response_tokens", "FixedSetSettings": "steps epochs"}


def classes(of: type[BaseModel] = Settings) -> set[type[BaseModel]]:
    return {one for sub in of.__subclasses__() for one in (sub, *classes(sub)) if one.__module__.startswith("vlrl.")}


def expected(model: type[BaseModel], table: dict[str, str]) -> set[str]:
    return {name for one in model.__mro__ for name in table.get(one.__name__, "").split() if one is not Settings}


def test_every_field_of_every_settings_class_says_what_it_changes():
    assert len(classes()) > 80
    for model in classes():
        declared = {name: declared_effect(model, name) for name in model.model_fields}
        assert set(declared.values()) <= {None, *get_args(Effect)}, model
        for effect, table in (("pace", PACE), ("length", LENGTH)):
            found = {name for name, held in declared.items() if held == effect}
            assert found == expected(model, table) & set(model.model_fields), f"{model.__name__}: {effect}"


def a_run(folder, *more) -> RunSettings:
    return load_settings(RunSettings, CONFIG, [f"run_folder={folder}", *more])


def began(folder, *more) -> None:
    RunFolder(folder, a_run(folder, *more).model_dump(mode="json"), [])


def test_effects_reach_into_blocks_lists_and_components(tmp_path):
    found = effects(a_run(tmp_path, "engine={name: ray, engine: vllm}", "rl.problem_sampler.modality_gap={}"))
    assert found["engine.engine.cache_gib"] == "pace"
    assert found["engine.actors"] == "pace"
    assert found["engine.engine"] == "result"
    assert found["rl.agreement.probe_every"] == "pace"
    assert found["rl.policy.micro_batch_tokens"] == "pace"
    assert found["rl.validate_every"] == "result", "the choice of problems goes by it"
    assert found["sft.validate_every"] == "result", "its best weights stay"


@pytest.mark.parametrize(
    "changed",
    [
        ["rl.policy.micro_batch_tokens=512", "sft.policy.micro_batch_mib=100", "model.gradient_checkpointing=true"],
        ["rl.validate_every=7", "rl.log_every=3", "rl.log_groups=1", "rl.checkpoint_every=9", "eval.samples=3"],
        ["engine.max_num_seqs=7", "engine.max_num_batched_tokens=512", "threads=1", "stages=[sft]", "name=other"],
        ["rl.steps=300"],
        ["sft.steps=77", "rl.response_tokens=100000"],
    ],
)
def test_pace_and_length_may_change(tmp_path, changed):
    began(tmp_path)
    assert {one.key for one in RunState(tmp_path, a_run(tmp_path, *changed)).changes} == {
        key for key, _ in (one.split("=") for one in changed)
    } - {"stages"} | ({"stages.1", "stages.2"} if "stages=[sft]" in changed else set()) - (
        {"threads"} if a_run(tmp_path).threads == 1 else set()
    )


def test_other_stages_are_no_change_that_is_said(tmp_path):
    began(tmp_path, "stages=[rl]")
    assert not [line for line in RunState(tmp_path, a_run(tmp_path)).said() if "stages" in line]


def test_every_change_of_the_result_is_named_at_once_with_both_values(tmp_path):
    began(tmp_path)
    other = ["rl.policy.optimizer.lr=0.5", "rl.credit.advantage=grpo", "seed=9", "rl.log_every=3", "model.context=99"]
    with pytest.raises(RunError) as error:
        RunState(tmp_path, a_run(tmp_path, *other))
    said = str(error.value)
    assert all(key in said for key in ("rl.policy.optimizer.lr", "rl.credit.advantage.name", "seed", "model.context"))
    assert "→ 0.5" in said
    assert "→ 9" in said
    assert "log_every" not in said


def test_a_settings_file_with_unknown_keys_is_refused_by_their_name(tmp_path):
    began(tmp_path)
    held = yaml.safe_load((tmp_path / "run.yaml").read_text())
    held["rl"]["old_switch"] = True
    assert [one.key for one in changes(held, a_run(tmp_path)) if one.effect == "result"] == ["rl.old_switch"]


def finished(folder, *stages) -> None:
    state = {"finished": list(stages), "results": {stage: {} for stage in stages}, "seconds": {}}
    (folder / "state.json").write_text(json.dumps(state))


def test_a_finished_stage_is_opened_again_by_a_greater_length_and_by_nothing_else(tmp_path):
    began(tmp_path)
    finished(tmp_path, "sft", "rl", "eval")
    state = RunState(tmp_path, a_run(tmp_path, "rl.steps=1000"))
    assert state.finished == ["sft"]
    assert set(state.results) == {"sft", "eval"}
    state.take_changes()
    assert json.loads((tmp_path / "state.json").read_text())["finished"] == ["sft"]
    assert RunState(tmp_path, a_run(tmp_path, "rl.log_every=3")).finished == ["sft"]


@pytest.mark.parametrize(("change", "why"), [("rl.steps=1", "done"), ("sft.steps=900", "'rl' has begun")])
def test_a_length_that_comes_too_late_is_refused(tmp_path, change, why):
    began(tmp_path)
    finished(tmp_path, "sft", "rl", "eval")
    with pytest.raises(RunError, match=why):
        RunState(tmp_path, a_run(tmp_path, change))


@pytest.mark.slow
def test_a_finished_run_that_is_lengthened_ends_as_a_run_of_that_length(tmp_path):
    constant = ["rl.checkpoint_every=100", "rl.validate_every=2", "rl.log_every=1"]
    start_run(CONFIG, [*overrides(tmp_path / "whole"), *constant])
    start_run(CONFIG, [*overrides(tmp_path / "two"), *constant, "rl.steps=4"])
    start_run(CONFIG, [*overrides(tmp_path / "two"), *constant, "rl.policy.micro_batch_tokens=4096"])
    pair = [[r for r in lines(tmp_path / name) if r["phase"] == "rl"] for name in ("whole", "two")]
    assert [r["step"] for r in pair[1]] == [1, 2, 3, 4, 5, 6]
    for whole, two in zip(*pair, strict=True):
        assert whole["reward/mean"] == pytest.approx(two["reward/mean"])
    card = json.loads((tmp_path / "two" / "run_card.json").read_text())
    assert {one["setting"]: one["to"] for one in card["sessions"][1]["changed"]} == {
        "rl.steps": 6,
        "rl.policy.micro_batch_tokens": 4096,
    }

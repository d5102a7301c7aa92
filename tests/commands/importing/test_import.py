"""Configs of other trainers, three of each: what they say as our settings, every key accounted for, and a plan."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image as PillowImage
from typer.testing import CliRunner

from vlrl.cli import app
from vlrl.commands.importing.assemble import Translated
from vlrl.commands.importing.foreign_file import read_foreign
from vlrl.commands.importing.grammar import Same, When, grammar_for
from vlrl.commands.importing.import_command import run_import, translate
from vlrl.commands.importing.trainers import TRAINERS
from vlrl.commands.importing.written import check
from vlrl.config import load_settings
from vlrl.data.recipe import load_recipe
from vlrl.errors import ConfigError
from vlrl.model.training.backends import FsdpBackend
from vlrl.training.run_settings import RunSettings

CONFIGS = Path(__file__).parent / "configs"
FILES = sorted(
    str(file.relative_to(CONFIGS)) for file in CONFIGS.rglob("*.*") if file.suffix in (".sh", ".py", ".yaml")
)
GRPO = {"name": "grpo", "clip_low": 0.2}
# file: (settings of the run, settings of the first source, keys without a counterpart, keys for the user to decide)
FACTS: dict[str, tuple[dict[str, Any], dict[str, Any], set[str], set[str]]] = {
    "easyr1/config.yaml": (
        {
            "rl.problems_per_step": 512,
            "rl.rollouts_per_problem": 5,
            "rl.updates_per_step": 4,
            "rl.loss": {**GRPO, "clip_high": 0.3, "beta": 0.01, "aggregate": "token"},
            "rl.reference.path": "some/Text-7B",
            "model.context": 4096,
            "engine": {
                "name": "vllm",
                "memory_share": 0.6,
                "eager": False,
                "sleep": "release",
                "tensor_parallel_size": 2,
            },
            "backend": {"name": "deepspeed", "stage": 3, "offload_optimizer": True},
            "eval.sampling": {"temperature": 0.6, "top_p": 0.95, "max_tokens": 2048},
        },
        {"path": "some/math", "split": "train", "test_path": "some/math", "layout": "easyr1", "modality": "text"},
        {"worker.actor.clip_ratio_dual"},
        {"trainer.total_epochs", "worker.actor.model.model_path", "worker.reward.reward_function"},
    ),
    "easyr1/geometry_cispo.sh": (
        {
            "rl.loss": {"name": "cispo", "clip_low": 0.2, "clip_high": 0.3, "aggregate": "token"},
            "rl.reference": None,
            "model.path": "Qwen/Qwen2.5-VL-7B-Instruct",
            "name": "geometry_cispo",
            "tracker": "wandb",
        },
        {
            "modality": "real",
            "path": "rows/geometry3k",
            "prompt_template": "{question} Think first, then put the answer in \\boxed{}.",
        },
        {"algorithm.kl_coef"},
        {"trainer.total_epochs", "worker.reward.reward_function"},
    ),
    "easyr1/dapo.sh": (
        {
            "rl.updates_per_step": 16,
            "rl.over_sampling": {"by": "accuracy", "max_rounds": 10},
            "rl.credit.shape": [{"name": "overlong", "weight": 1.0, "margin_rate": 0.2}],
            "rl.loss": {**GRPO, "clip_high": 0.28, "beta": 0.0, "aggregate": "token"},
            "rl.policy.optimizer.warmup_steps": 10,
            "rl.policy.optimizer.weight_decay": 0.1,
            "eval.samples": 16,
            "engine.max_num_batched_tokens": 22528,
        },
        {"path": "train.jsonl", "validation_path": "validation.jsonl", "on_bad_row": "skip"},
        {"worker.actor.clip_ratio_dual"},
        {"trainer.total_epochs", "worker.reward.reward_function"},
    ),
    "easyr1/lora.sh": (
        {
            "rl.steps": 120,
            "rl.policy.lora": {"rank": 64, "alpha": 64.0, "parts": ["vision", "projector", "language"]},
            "rl.policy.optimizer.lr": 1e-5,
            "backend": None,
        },
        {"prompt_template": None},
        {"worker.actor.clip_ratio_dual"},
        {"worker.reward.reward_function"},
    ),
    "verl/geometry.sh": (
        {
            "rl.updates_per_step": 4,
            "rl.loss": {**GRPO, "clip_high": 0.2, "beta": 0.01, "aggregate": "token"},
            "rl.policy.lora": {"rank": 16, "alpha": 32.0, "parts": ["language"]},
            "rl.policy.freeze": ["vision", "projector"],
            "rl.checkpoint_every": 20,
            "rl.validate_every": 5,
            "engine": {"name": "vllm", "memory_share": 0.6, "tensor_parallel_size": 2},
            "backend": {"name": "fsdp"},
            "eval.sampling.temperature": 0,
        },
        {"layout": "verl", "path": "${HOME}/data/geo3k/train.parquet", "on_bad_row": "skip"},
        {"actor_rollout_ref.actor.clip_ratio_c"},
        {"trainer.total_epochs"},
    ),
    "verl/dapo.sh": (
        {
            "rl.steps": 300,
            "rl.updates_per_step": 16,
            "rl.over_sampling": {"by": "accuracy", "max_rounds": 10},
            "rl.credit.shape": [{"name": "overlong", "weight": 1.0, "margin_rate": 0.2}],
            "rl.sampling.max_tokens": 20480,
            "rl.policy.micro_batch_tokens": 22528,
            "model.path": "${HOME}/verl/models/Qwen2.5-VL-32B",
            "backend.offload_optimizer": True,
        },
        {"path": "${HOME}/verl/data/dapo.parquet", "validation_path": "${HOME}/verl/data/aime.parquet"},
        {
            "actor_rollout_ref.actor.clip_ratio_c",
            "data.truncation",
            "actor_rollout_ref.actor.ulysses_sequence_parallel_size",
        },
        set(),
    ),
    "verl/rloo.sh": (
        {
            "rl.credit.advantage": "rloo",
            "rl.loss": {**GRPO, "clip_high": 0.2, "beta": 0.0, "aggregate": "token"},
            "rl.validate_every": None,
            "engine.name": "vllm",
            "backend": {"name": "fsdp"},
        },
        {"name": "train_1", "path": "train.parquet", "validation_path": "test.parquet"},
        {
            "actor_rollout_ref.actor.clip_ratio_c",
            "actor_rollout_ref.rollout.name",
            "actor_rollout_ref.actor.megatron.tensor_model_parallel_size",
            "algorithm.use_kl_in_reward",
            "algorithm.kl_penalty",
            "algorithm.kl_ctrl.kl_coef",
        },
        {"trainer.total_epochs"},
    ),
    "trl/gspo.sh": (
        {
            "rl.problems_per_step": 64,
            "rl.updates_per_step": 4,
            "rl.loss": {"name": "gspo", "clip_low": 3e-4, "clip_high": 4e-4},
            "rl.policy.lora.modules": ["q_proj", "v_proj"],
            "rl.policy.optimizer.schedule": "linear",
            "rl.policy.optimizer.final_share": 0.0,
            "backend": {"name": "deepspeed", "stage": 3},
            "engine.name": "transformers",
        },
        {"layout": "trl", "path": "some/multimodal-open-r1-8k"},
        set(),
        {"num_train_epochs"},
    ),
    "trl/recipe.yaml": (
        {
            "rl.problems_per_step": 16,
            "rl.updates_per_step": 1,
            "rl.credit.shape": [{"name": "format", "form": "think_answer", "weight": 0.5}],
            "rl.loss": {**GRPO, "clip_high": 0.2, "beta": 0.0, "aggregate": "token"},
            "rl.policy.optimizer.final_share": 0.1,
            "rl.sampling.temperature": 0.7,
            "seed": 42,
        },
        {
            "subset": "default",
            "system_prompt": "Solve the problem step by step:\n<think> first </think>, then the answer.",
        },
        {"push_to_hub", "hub_model_id"},
        {"num_train_epochs", "per_device_train_batch_size", "reward_funcs", "warmup_ratio"},
    ),
    "trl/train.py": (
        {
            "rl.steps": 200,
            "rl.epochs_per_step": 2,
            "rl.credit": {"advantage": "mean", "weigh": ["overlong_filter"]},
            "rl.loss": {**GRPO, "clip_high": 0.2, "beta": 0.04, "aggregate": "sum", "length": 512},
            "rl.policy.lora.rank": 32,
            "model.path": "Qwen/Qwen3-VL-4B-Instruct",
            "name": "dr_grpo",
        },
        {"split": "train"},
        {"GRPOConfig.optim", "GRPOConfig.generation_kwargs", "LoraConfig.lora_dropout"},
        {
            "GRPOConfig.per_device_train_batch_size",
            "GRPOTrainer.reward_funcs",
            "GRPOConfig.save_steps",
            "load_dataset.path",
        },
    ),
    "ms_swift/chartqa.sh": (
        {
            "rl.problems_per_step": 1,
            "rl.loss": {**GRPO, "clip_high": 0.2, "beta": 0.04, "aggregate": "sequence"},
            "rl.credit.shape": [{"name": "format", "form": "think_answer", "weight": 1.0}],
            "rl.sampling": {"temperature": 1.0, "max_tokens": 1024},
            "rl.policy.freeze": ["vision", "projector"],
            "rl.policy.optimizer.betas": [0.9, 0.95],
        },
        {"system_prompt": "Think between <think> and </think>, then answer between <answer> and </answer>.\n"},
        {"top_p"},
        {"num_train_epochs", "warmup_ratio"},
    ),
    "ms_swift/gspo.sh": (
        {
            "rl.problems_per_step": 32,
            "rl.rollouts_per_problem": 16,
            "rl.updates_per_step": 4,
            "rl.steps": 313,
            "rl.policy.optimizer.warmup_steps": 16,
            "rl.policy.freeze": ["projector"],
            "rl.policy.lora": None,
            "rl.checkpoint_every": 250,
            "rl.loss": {"name": "gspo", "clip_low": 3e-4, "clip_high": 4e-4},
            "backend": {"name": "deepspeed", "stage": 3, "offload_optimizer": True},
        },
        {"path": "rows.jsonl"},
        {"vllm_mode", "vllm_server_host", "vllm_server_port"},
        set(),
    ),
    "ms_swift/reinforce.yaml": (
        {
            "rl.credit.advantage": {"name": "reinforce_plus_plus", "baseline": "group"},
            "rl.over_sampling": {"by": "accuracy", "max_rounds": 3},
            "rl.loss.beta": 0.0,
            "rl.loss.clip_high": 0.28,
            "rl.reference": None,
        },
        {"path": "some/clevr"},
        {"kl_in_reward", "beta"},
        {"num_train_epochs", "external_plugins", "report_to"},
    ),
}


@cache
def translated(name: str) -> Translated:
    return translate(CONFIGS / name, "recipe.yaml")


def at(values: Any, place: str) -> Any:
    for part in place.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def test_three_or_more_of_each_are_tried():
    assert set(FACTS) == set(FILES)
    assert all(sum(file.startswith(name) for file in FILES) >= 3 for name in ("easyr1", "verl", "trl", "ms_swift"))


@pytest.mark.parametrize("name", FILES)
def test_a_config_means_here_what_it_means_there(name):
    run, source, lacking, undecided = FACTS[name]
    found = translated(name)
    assert {place: at(found.run, place) for place in run} == run
    assert {place: found.recipe["sources"][0].get(place) for place in source} == source
    entries = found.meaning.entries
    assert {entry.key for entry in entries if entry.status == "no counterpart"} == lacking
    assert {entry.key for entry in entries if entry.status == "to decide"} == undecided


@pytest.mark.parametrize("name", FILES)
def test_every_key_is_translated_makes_no_difference_or_is_listed_with_a_reason(name):
    found, foreign = translated(name).meaning, read_foreign(CONFIGS / name)
    keys = [entry.key for entry in found.entries]
    assert set(foreign.keys) | set(foreign.unread) <= set(keys)
    assert len(keys) == len(set(keys))
    assert all(entry.ours or entry.note for entry in found.entries)


@pytest.mark.parametrize("name", FILES)
def test_the_trainer_is_known_by_its_keys(name):
    assert grammar_for(read_foreign(CONFIGS / name), TRAINERS, None).name == name.partition("/")[0].replace("_", "-")


@pytest.mark.parametrize("name", FILES)
def test_our_own_classes_take_what_comes_out(name):
    assert isinstance(check(translated(name), Path("run.yaml"), Path("recipe.yaml")), list)


@pytest.mark.parametrize("grammar", TRAINERS.values(), ids=lambda grammar: grammar.name)
def test_a_default_is_among_the_keys_and_a_switch_is_one(grammar):
    for key in [*grammar.defaults, *grammar.also.values()]:
        assert grammar.rule(key) is not None, key
    for rule in grammar.keys.values():
        assert not isinstance(rule, When) or rule.switch in grammar.keys
        assert isinstance(rule, When) or not isinstance(rule, Same) or rule.why


def test_a_key_that_nobody_knows_is_listed(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "actor_rollout_ref: {model: {path: some/VL}, actor: {novel_trick: 3}}\nalgorithm: {adv_estimator: gae}\n"
    )
    found = translate(file, "recipe.yaml")
    lacking = {entry.key: entry.note for entry in found.meaning.entries if entry.status == "no counterpart"}
    assert "isn't among the keys of verl" in lacking["actor_rollout_ref.actor.novel_trick"]
    assert lacking["algorithm.adv_estimator"].endswith("GRPO's stands in the config")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("seed: 1\nlearning_rate: 2\n", "doesn't say which trainer"),
        ("- 1\n", "not settings"),
        ("a: [1\n", "can't be read"),
        ("", "not settings"),
    ],
)
def test_what_is_no_config_of_a_trainer_is_refused(text, problem, tmp_path):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ConfigError, match=problem):
        translate(tmp_path / "mine.yaml", "recipe.yaml")


def test_files_that_are_there_are_not_overwritten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("precious")
    with pytest.raises(ConfigError, match="is there already"):
        run_import(CONFIGS / "verl/rloo.sh", None, Path("mine.yaml"), None, None, False)
    assert (tmp_path / "mine.yaml").read_text() == "precious"
    assert not (tmp_path / "mine_recipe.yaml").exists()


def write_rows(file: Path, row: dict[str, Any], start: int) -> None:
    """40 rows, each with an image of its own."""
    rows = []
    for number in range(start, start + 40):
        PillowImage.new("RGB", (48, 48), (number, 80, 120)).save(file.parent / f"{number}.png")
        shown = {"images": [f"{number}.png"]} if "images" in row else {"image": f"{number}.png"}
        rows.append({**row, **shown})
    if file.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    else:
        file.write_text("".join(json.dumps(one) + "\n" for one in rows))


ROWS = {  # a row of each trainer's, as its data preparation writes it
    "easyr1/dapo.sh": ("train.jsonl", {"problem": "How many?", "answer": "7", "images": ["a.png"]}),
    "verl/rloo.sh": (
        "train.parquet",
        {"prompt": [{"role": "user", "content": "<image>How many?"}], "images": ["a.png"],
         "reward_model": {"style": "rule", "ground_truth": "7"}},
    ),
    "ms_swift/gspo.sh": ("rows.jsonl", {"query": "<image>How many?", "solution": "7", "images": ["a.png"]}),
    "trl/recipe.yaml": ("train.jsonl", {"problem": "How many?", "solution": "7", "image": "a.png"}),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_the_commands_that_are_named_run_on_rows_of_that_trainer(name, tmp_path, monkeypatch):
    """`vlrl import`, then `vlrl plan` of a small model on rows in the trainer's own layout."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(CONFIGS / name.partition("/")[0], tmp_path / "theirs")
    file, row = ROWS[name]
    names = {file, "more.parquet", "test.parquet"} if file.endswith("parquet") else {file, "validation.jsonl"}
    for number, one in enumerate(sorted(names)):
        write_rows(tmp_path / one, row, 50 * number)
    script = tmp_path / "theirs" / name.partition("/")[2]
    script.write_text(script.read_text().replace("some/maths", "train.jsonl"))
    said = CliRunner().invoke(app, ["import", str(script), "--out", "mine.yaml", "--rows", "8", "--keys"])
    assert said.exit_code == 0, said.output
    recipe = Path(yaml.safe_load(Path("mine.yaml").read_text())["data"])
    recipe.write_text(recipe.read_text().replace("verifier: math", "verifier: number"))  # without its worker processes
    assert load_recipe(recipe).sources
    small = ["model={build: tiny-qwen3-vl, shape: {max_pixels: 16384}}", "rl.reference=null", "rl.loss.beta=0"]
    small += ["engine=transformers", "backend=torch", "rl.problems_per_step=2", "rl.rollouts_per_problem=2"]
    small += [
        "rl.updates_per_step=1",
        "rl.sampling.max_tokens=16",
        "eval.sampling.max_tokens=16",
        "rl.policy.lora=null",
    ]
    if "gspo" in name or "rloo" in name:
        small.remove("rl.loss.beta=0")
    assert load_settings(RunSettings, "mine.yaml", small).rl.problems_per_step == 2
    planned = CliRunner().invoke(app, ["plan", "mine.yaml", *small])
    assert planned.exit_code == 0, planned.output or planned.exception
    if "rloo" in name:  # shards of its own, as the config came out
        shards = [*(one for one in small if one != "backend=torch"), "engine.name=transformers"]
        assert isinstance(load_settings(RunSettings, "mine.yaml", shards).backend, FsdpBackend)
        planned = CliRunner().invoke(app, ["plan", "mine.yaml", *shards, "--ranks", "2"])
        assert planned.exit_code == 0, planned.output or planned.exception


SHARDING = {  # what a script says of sharding: (flags, backend on 8 ranks)
    "--fsdp full_shard": {"name": "fsdp"},
    "--fsdp fsdp2": {"name": "fsdp"},
    "--deepspeed zero2": {"name": "deepspeed", "stage": 2},
    "--deepspeed zero3": {"name": "deepspeed", "stage": 3},
    "--deepspeed zero1": {"name": "deepspeed", "stage": 2},
    "--deepspeed zero3_offload": {"name": "deepspeed", "stage": 3, "offload_optimizer": True},
    "--deepspeed zero0": None,
    "": None,
}


@pytest.mark.parametrize("flags", SHARDING)
@pytest.mark.parametrize("ranks", [1, 8])
def test_zero_stays_zero_and_other_shards_are_ours(flags, ranks, tmp_path):
    (tmp_path / "mine.sh").write_text(f"swift rlhf --rlhf_type grpo --model Qwen/Qwen2.5-VL-7B-Instruct {flags}\n")
    found = translate(tmp_path / "mine.sh", "recipe.yaml", ranks=ranks)
    assert found.run.get("backend") == (SHARDING[flags] if ranks > 1 else None)
    assert not {entry.key for entry in found.meaning.entries if entry.status == "to decide"} & {"fsdp", "deepspeed"}


@pytest.mark.parametrize(("ranks", "group", "size"), [(8, 4, 4), (8, 1, None), (8, 3, None), (2, 4, None)])
def test_a_group_of_ranks_is_one_engine_where_they_are_a_multiple_of_it(ranks, group, size, tmp_path):
    (tmp_path / "mine.sh").write_text(
        "swift rlhf --rlhf_type grpo --model Qwen/Qwen2.5-VL-7B-Instruct --use_vllm true "
        f"--vllm_mode colocate --vllm_tensor_parallel_size {group}\n"
    )
    found = translate(tmp_path / "mine.sh", "recipe.yaml", ranks=ranks)
    assert found.run["engine"].get("tensor_parallel_size") == size
    (entry,) = [entry for entry in found.meaning.entries if entry.key == "vllm_tensor_parallel_size"]
    assert (entry.status == "no counterpart") == (size is None and group > 1)


@pytest.mark.parametrize(
    ("file", "backend"),
    [("fsdp2.yaml", {"name": "fsdp"}), ("zero3.yaml", {"name": "deepspeed", "stage": 3}), ("cluster.yaml", None)],
)
def test_accelerates_file_is_known_by_its_name_or_for_the_user_to_decide(file, backend, tmp_path):
    (tmp_path / "mine.sh").write_text(
        f"accelerate launch --config_file {file} --num_processes 8 grpo_trainer.py --beta 0\n"
    )
    found = translate(tmp_path / "mine.sh", "recipe.yaml", "trl")
    assert found.run.get("backend") == backend
    undecided = {entry.key for entry in found.meaning.entries if entry.status == "to decide"}
    assert ("launcher.config_file" in undecided) == (backend is None)

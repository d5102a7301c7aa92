"""What `vlrl plan` counts of a run's reward model: all of it while it judges, nothing besides of one that sleeps."""

from __future__ import annotations

import pytest
import torch

from vlrl.errors import ConfigError
from vlrl.model.cost import CostModel
from vlrl.model.families.tiny_parts import TinyShape
from vlrl.model.load import ModelSettings
from vlrl.model.memory import RolloutLoad, cache_bytes
from vlrl.model.sizes import count_parameters, find_architecture
from vlrl.model.tiny import build_tiny
from vlrl.plan.plan import make_plan
from vlrl.plan.plan_reward_model import judge_memory
from vlrl.plan.plan_work import judge_work
from vlrl.reward_models.reward_model_settings import RewardModelSettings

WEIGHTS = "weights of reward model"
GIB = 2**30


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    """A folder of a model that follows instructions, and the bytes of its weights in float32."""
    folder = build_tiny(
        "tiny-qwen3-vl", ["What is 3+4?"] * 50, tmp_path_factory.mktemp("judge"), 0, TinyShape(text_layers=5)
    )
    return folder, 4 * count_parameters(find_architecture(ModelSettings(path=str(folder)), list).config).total


def settings(judge, **values) -> RewardModelSettings:
    return RewardModelSettings(path=str(judge[0]), kind="chain_of_thought", **values)


def test_a_judge_in_the_trainer_is_in_every_phase_and_writes_in_one_of_its_own(images_config, judge):
    common = ["model.device=cpu", "stages=[sft, rl, eval]"]
    found = make_plan(images_config, [*common, f"reward_model={{path: {judge[0]}, kind: chain_of_thought}}"])
    alone = make_plan(images_config, common)
    new = set(found.memory) - set(alone.memory)
    assert new == {"sft validation verdicts", "rl rollout verdicts", "rl validation verdicts", "eval verdicts"}
    assert {parts[WEIGHTS] for parts in found.memory.values()} == {judge[1]}
    for name, parts in alone.memory.items():
        assert found.memory[name] == parts | {WEIGHTS: judge[1]}
    assert found.memory["rl rollout verdicts"]["reward model: keys and values"] > 0
    assert "keys and values" not in found.memory["rl rollout verdicts"], "the policy doesn't write meanwhile"


def test_keys_and_values_of_all_replies_that_are_written_together(judge):
    """28 tokens of prompt, 2·(100 / 2) of answer and reference: 8 prompts of 128 in two orders, 20 tokens of reply."""
    asked = settings(judge, batch=4, swap=True, max_answer_chars=100, max_tokens=20)
    found = judge_memory(asked, torch.device("cpu"), GIB, 28).judging
    cost = CostModel(find_architecture(asked.model(), list).config, {}, 4)
    assert found["reward model: keys and values"] == cache_bytes(cost, RolloutLoad(8, 8, 128, 20))


@pytest.mark.parametrize("engine", ["transformers", "vllm"])
def test_a_judge_that_sleeps_takes_nothing_of_a_gpu_between_two_calls(judge, engine):
    def held(device: str, **values):
        return judge_memory(settings(judge, engine=engine, context=512, **values), torch.device(device), 80 * GIB, 28)

    assert not held("cuda").asleep
    awake = held("cuda", sleeps=False)
    assert sum(awake.asleep.values()) >= judge[1]
    assert awake.asleep.items() <= awake.judging.items()
    assert awake.judging == held("cuda").judging
    on_cpu = held("cpu")
    assert sum(on_cpu.asleep.values()) >= judge[1] * (2 if engine == "vllm" else 1), "vLLM's own copy, and the source"


def test_a_served_one_takes_nothing_and_a_folder_that_is_gone_is_refused(images_config):
    served = RewardModelSettings(endpoint={"url": "http://localhost:1/v1", "model": "judge"})
    assert not judge_memory(served, torch.device("cpu"), GIB, 28).judging
    given = "reward_model={endpoint: {url: http://localhost:1/v1, model: judge, concurrency: 3}, swap: true}"
    rl = "rl={problems_per_step: 4, rollouts_per_problem: 2}"
    (line,) = judge_work(make_plan(images_config, ["stages=[rl]", rl, given]).settings)
    assert line.startswith(
        "judging: at most 16 questions a step and round to the reward model at http://localhost:1/v1, 3"
    )
    with pytest.raises(ConfigError) as error:
        make_plan(images_config, ["reward_model={path: /nowhere}"])
    assert error.value.place == "reward_model.path"

"""What `vlrl plan` counts in every stage, by hand: other models, best weights and the engine where each of them lives.

Layers of the small model: 3 of width 96, with 3 heads of 32 for queries and as many for keys, 256 in the middle. A
token has 6·96 + 3·32·(3 + 3) + 4·256 = 2,176 values a layer, without gradients 2·96 + 3·256 = 960 in one layer at a
time, and 2·3·3·32 float32 numbers of keys and values. The longest prompt has 28 tokens, and 40 tokens of a response
need room for 64.
"""

from __future__ import annotations

import pytest

import vlrl.plan.plan as planning
from vlrl.errors import ConfigError
from vlrl.model.families.tiny_parts import TinyShape
from vlrl.model.load import ModelSettings
from vlrl.model.sizes import count_parameters, find_architecture
from vlrl.model.tiny import build_tiny
from vlrl.plan.plan import make_plan, trained_in
from vlrl.training.run_settings import STAGES

LAYERS, VALUES, READ, NUMBERS, PROMPT, LENGTH, ROOM = 3, 2176, 960, 2 * 3 * 3 * 32, 28, 40, 64
ASKED = 10  # validation problems
POLICY = "{freeze: [vision, projector]}"
COMMON = [
    "model.device=cpu",
    "model.feature_store_mib=3",
    f"eval={{problems: 20, samples: 2, curve_problems: {ASKED}, sampling: {{max_tokens: {LENGTH}}}}}",
]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """A folder of another size, and its number of weights."""
    folder = build_tiny(
        "tiny-qwen3-vl", ["What is 3+4?"] * 50, tmp_path_factory.mktemp("teacher"), 0, TinyShape(text_layers=5)
    )
    return folder, count_parameters(find_architecture(ModelSettings(path=str(folder)), list).config).total


@pytest.fixture
def plan(images_config):
    """`plan("sft", …)`: the plan of these stages with these settings besides."""
    return lambda stages, *more: make_plan(images_config, [*COMMON, f"stages=[{stages}]", *more])


@pytest.fixture
def notes(images_config):
    """`notes("rl", …, ranks=2)`: what the plan of these stages over so many ranks warns of."""

    def of(stages, *more, ranks=1):
        found = make_plan(images_config, [*COMMON, f"stages=[{stages}]", *more], ranks=ranks)
        return " ".join(planning.warnings_of(found))

    return of


def part_of_all(found, *names):
    """Bytes of these parts by phase."""
    return {phase: tuple(parts.get(name, 0) for name in names) for phase, parts in found.memory.items()}


def wave(found, prompts, rows):
    """Keys and values, logits, packed weights, and the pass that read the prompts, while so many rows are written."""
    vocabulary = found.architecture.text.vocab_size
    return {
        "keys and values": 4 * NUMBERS * (prompts * PROMPT + rows * ROOM),
        "reading": 4 * (READ + NUMBERS) * prompts * PROMPT,
        "logits": 3 * 4 * vocabulary * rows,
        "packed weights": 4 * found.counts.by_part["language"],
    }


FEATURES = {"features of images": 3 * 2**20}


@pytest.mark.parametrize(
    ("stage", "responses", "more"),
    [("sft", 1, ()), ("distil", 1, ("distil.records=somewhere",)), ("dpo", 2, ("dpo.pairs=pairs.jsonl",))],
)
def test_a_stage_on_a_fixed_set_holds_its_update_and_the_best_weights(plan, stage, responses, more):
    found = plan(stage, f"{stage}={{batch: 4, policy: {POLICY}}}", *more)
    weights, trained = 4 * found.counts.total, found.counts.by_part["language"]
    held = {
        "weights": weights,
        "float32 copies": 0,
        "optimizer state": 8 * trained,
        "best weights": weights,
        **FEATURES,
    }
    assert found.memory == {
        f"{stage} update": {
            **held,
            "gradients": 4 * trained,
            "activations": 4 * (PROMPT + responses * LENGTH) * LAYERS * VALUES * 4,
            "logits": 3 * 4 * found.architecture.text.vocab_size * 4 * responses * LENGTH,
        },
        f"{stage} validation": {**held, **wave(found, ASKED, ASKED)},
    }


def test_a_pair_is_never_parted(plan):
    found = plan("dpo", "dpo={pairs: p.jsonl, batch: 4, policy: {freeze: [vision, projector], micro_batch_tokens: 1}}")
    assert found.memory["dpo update"]["activations"] == (PROMPT + 2 * LENGTH) * LAYERS * VALUES * 4


def test_recording_holds_the_model_and_its_teacher(plan, teacher):
    folder, size = teacher
    record = (
        f"{{teacher: {{path: {folder}, dtype: bfloat16}}, batch: 4, rollouts: 2, sampling: {{max_tokens: {LENGTH}}}}}"
    )
    found = plan("record", f"record={record}")
    both = {
        "weights": 4 * found.counts.total,
        "weights of teacher": 2 * size,
        "features of teacher": 2**30,  # its own store, by default
        **FEATURES,
    }
    assert found.memory == {
        "record rollout": {**both, **wave(found, 4, 8)},
        "record reading": {
            **both,
            "activations": 4 * (PROMPT + 2 * LENGTH) * READ * 4,
            "logits": 3 * 4 * found.architecture.text.vocab_size * 4 * 2 * LENGTH,
        },
    }


def test_rl_holds_its_teacher_and_the_earlier_model_all_the_time(plan, teacher):
    folder, size = teacher
    rl = "{problems_per_step: 4, rollouts_per_problem: 2, sampling: {max_tokens: 40}, loss: grpo, policy: " + POLICY
    others = (
        f", teacher: {{path: {folder}}}, previous: {{path: {folder}, dtype: bfloat16}}, "
        "credit: {token_credit: [opd], shape: [{name: retention, weight: 0.5}]}"
    )
    found = plan("rl", f"rl={rl}{others}}}")
    names = ("weights", "weights of teacher", "weights of previous", "features of teacher", "best weights")
    every = (4 * found.counts.total, 4 * size, 2 * size, 2**30, 0)
    assert part_of_all(found, *names) == dict.fromkeys(
        ("rl rollout", "rl judging", "rl update", "rl validation"), every
    )
    assert found.memory["rl judging"]["activations"] == 4 * (PROMPT + 2 * LENGTH) * READ * 4
    alone = plan("rl", f"rl={rl}}}")
    assert alone.memory["rl rollout"] | wave(alone, 4, 8) == alone.memory["rl rollout"]
    more = sum(every[1:4]) + 2**30
    assert sum(found.memory["rl rollout"].values()) == sum(alone.memory["rl rollout"].values()) + more
    assert "rl judging" not in alone.memory, "nothing is read there"


def test_evaluation_and_preparation_alone(plan):
    found = plan("eval")
    assert found.memory == {"eval": {"weights": 4 * found.counts.total, **wave(found, 20, 40), **FEATURES}}
    assert plan("prepare").peak_bytes == 0, "no model is loaded"


def test_every_stage_of_a_run_has_its_phases_and_its_line(plan, teacher):
    more = (
        "dpo.pairs=p.jsonl",
        f"record={{teacher: {{path: {teacher[0]}}}}}",
        "sft.phases=[{steps: 2}, {steps: 3}]",
    )
    found = plan(", ".join(STAGES), *more)
    assert list(found.memory) == [
        *("sft update 1", "sft validation 1", "sft update 2", "sft validation 2", "record rollout", "record reading"),
        *("distil update", "distil validation", "dpo update", "dpo validation"),
        *("rl rollout", "rl update", "rl validation", "eval"),
    ]
    assert list(dict.fromkeys(stage for stage, _ in planning.run_work(found.settings, 28, found.work))) == list(STAGES)


def test_parts_are_trained_in_all_stages_that_train_them(plan):
    found = plan(
        "sft, distil, dpo, rl",
        *("dpo.pairs=p.jsonl", "distil.records=x", "dpo.policy={freeze: [vision, projector], lora: {rank: 2}}"),
        "rl.policy={freeze: [vision]}",
    )
    assert trained_in("vision", found.settings) == ["sft", "distil"]
    assert trained_in("projector", found.settings) == ["sft", "distil", "rl"]
    assert trained_in("language", found.settings) == ["sft", "distil", "dpo (adapters)", "rl"]


STAGED = {
    "sft": (),
    "distil": ("distil.records=x",),
    "dpo": ("dpo.pairs=p.jsonl",),
    "rl": (),
}


@pytest.mark.parametrize("stage", STAGED)
def test_an_engine_of_its_own_is_in_every_phase_in_which_it_lives(plan, stage):
    memory = {
        sleep: part_of_all(
            plan(stage, *STAGED[stage], f"engine={{name: vllm, cache_gib: 0.5, sleep: {sleep}}}"),
            *("engine's weights", "keys and values"),
        )
        for sleep in ("stay", "restart")
    }
    beside = (4 * plan(stage, *STAGED[stage]).counts.total, 2**29)
    assert memory["stay"] == dict.fromkeys(memory["stay"], beside)
    assert memory["restart"] == memory["stay"] | {f"{stage} update": (0, 0)}


def test_an_engine_of_its_own_stays_awake_while_responses_are_read(plan, teacher):
    engine = "engine={name: vllm, cache_gib: 0.5, sleep: restart}"
    for found in (plan("eval", engine), plan("record", engine, f"record={{teacher: {{path: {teacher[0]}}}}}")):
        beside = (4 * found.counts.total, 2**29)
        assert set(part_of_all(found, "engine's weights", "keys and values").values()) == {beside}


def test_an_engine_of_its_own_is_given_merged_weights_of_adapted_layers_and_keeps_none(plan):
    found = plan("rl", "engine={name: vllm, cache_gib: 0.5, sleep: restart}", "rl.policy={lora: {rank: 2}}")
    merged = 4 * found.counts.matrices_by_part["language"]
    held = part_of_all(found, "merged weights")
    assert held == {phase: (0 if phase == "rl update" else merged,) for phase in found.memory}
    assert "merged weights" not in plan("rl", "rl.policy={lora: {rank: 2}}").memory["rl update"]


def test_actors_of_a_pool_are_counted_in_every_stage(plan):
    found = plan("sft, eval", "engine={name: ray, actors: 3}")
    asleep = 3 * 4 * found.counts.total
    writing = {rows: asleep + 3 * sum(wave(found, rows[0], rows[1]).values()) for rows in ((10, 10), (20, 40))}
    actors = {phase: parts["actors"] for phase, parts in found.memory.items()}
    assert actors == {"sft update": asleep, "sft validation": writing[10, 10], "eval": writing[20, 40]}


def test_a_teacher_that_is_missing_is_named_and_one_that_the_run_makes_has_its_size(plan, images_config):
    credit = "credit: {shape: [{name: retention, weight: 0.5}]}"
    with pytest.raises(ConfigError, match=r"rl\.previous\.path: .*no such folder"):
        plan("rl", f"rl={{previous: {{path: ./nowhere}}, {credit}}}")
    made = images_config.parent / "run" / "model_sft"
    found = plan("sft, rl", f"rl={{previous: {{path: {made}}}, {credit}}}")
    assert found.memory["rl update"]["weights of previous"] == 4 * found.counts.total


def test_an_update_holds_no_more_rows_than_it_takes(plan):
    rl = "problems_per_step: 8, rollouts_per_problem: 2, sampling: {max_tokens: 40}"
    held = [
        plan("rl", f"rl={{{rl}, updates_per_step: {n}, policy: {POLICY}}}").memory["rl update"]["activations"]
        for n in (1, 4)
    ]
    assert held == [rows * (PROMPT + 2 * LENGTH) * LAYERS * VALUES * 4 for rows in (8, 2)]


def test_groups_that_wait_for_a_later_iteration_are_written_beside_the_new_ones(plan):
    rl = "problems_per_step: 4, rollouts_per_problem: 2, sampling: {max_tokens: 40}, loss: grpo"
    found = plan("rl", f"rl={{{rl}, partial: {{budget: 10}}}}")  # four iterations
    held = found.memory["rl rollout"]
    begun = wave(found, 16, 32) | {"reading": 4 * (READ + NUMBERS) * 16 * (PROMPT + 2 * LENGTH)}
    assert held | begun == held
    small = plan("rl", f"rl={{{rl}, partial: {{budget: 10}}}}", "engine.max_num_batched_tokens=30").memory["rl rollout"]
    assert small["reading"] == 4 * (READ + NUMBERS) * (PROMPT + LENGTH), "a longer response is read alone"


def test_several_ranks_hold_shards_where_no_backend_is_named_and_zero_3_starts_with_two_whole_copies(images_config):
    plans = {
        backend: make_plan(images_config, [*COMMON, *more], ranks=4)
        for backend, more in {
            "fsdp": (),
            "torch": ("backend=torch",),
            "zero 3": ("backend={name: deepspeed, stage: 3}",),
        }.items()
    }
    counts = plans["fsdp"].counts
    share = -(-counts.total // 4)
    update = plans["fsdp"].memory["rl update"]
    assert (update["weights"], update["gradients"], update["optimizer state"]) == (4 * share, 4 * share, 8 * share)
    assert update["gathered weights"] == 4 * (counts.ends + 2 * counts.largest_layer)
    assert counts.ends + counts.largest_layer < counts.total
    assert plans["torch"].memory["rl update"]["weights"] == 4 * counts.total
    assert plans["zero 3"].memory["start"] == {"weights": 4 * counts.total, "copy to be sharded": 4 * counts.total}
    assert "start" not in plans["fsdp"].memory
    alone = make_plan(images_config, COMMON)
    assert alone.memory["rl update"]["weights"] == 4 * counts.total


def test_what_vllm_over_several_ranks_and_a_long_context_would_stop_at_is_noted(notes):
    vllm = "engine={name: vllm, cache_gib: 0.001}"  # 2,048 tokens of context take 4.5 MiB
    assert "GiB for keys and values" in notes("rl", vllm)
    assert "GiB for keys and values" in notes("rl", "engine={name: ray, engine: {name: vllm, cache_gib: 0.001}}")
    assert "GiB for keys and values" not in notes("rl", vllm, "model.context=400")
    assert "GiB for keys and values" not in notes("rl", vllm.replace("}", ", sleep: release}")), "not for a CPU"
    pair = "engine={name: vllm, tensor_parallel_size: 2}"
    even = "model.shape={text_width: 128, key_value_heads: 2}"  # four heads; else there are three
    assert "tensor_parallel_size" in notes("rl", pair)
    assert "tensor_parallel_size" in notes(
        "rl", f"engine={{name: ray, engine: {pair.removeprefix('engine=')}}}", ranks=4
    )
    assert "tensor_parallel_size" not in notes("rl", pair, even, ranks=4)
    assert "num_attention_heads 3" in notes("rl", pair, ranks=4)
    assert "share its memory" in notes("rl", ranks=4)
    assert "lower eval.sampling.max_tokens" in notes("rl", "eval.sampling.max_tokens=4096")

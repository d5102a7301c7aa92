"""Partial rollouts: nothing is written twice, groups wait until all have ended, and a checkpoint loses none of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import torch
from small_models import BUDGET, ask, pixels

from vlrl.errors import EngineError
from vlrl.model.prompts.encode import Encoder
from vlrl.rollout.collector import collect
from vlrl.rollout.engine import Sampling
from vlrl.rollout.partial_rollouts import PartialRollouts, RolloutBuffer
from vlrl.rollout.transformers.transformers_engine import TransformersEngine, TransformersEngineSettings
from vlrl.seeding import derive_seed
from vlrl.types import Image

SAMPLING = Sampling(max_tokens=24)
ROUNDS = [
    [ask("3+4=?"), ask(pixels(1), "How many?")],
    [ask("left", pixels(2), "red")],
    [ask("blue"), ask("red green")],
    *([[]] * 8),
]


def seed_of(step):
    return derive_seed(0, "rl", step)


def serve_all(loaded, settings, resume_at=None, rows=5):
    """Groups by problem in the end, what every iteration said, and the tokens that the engine wrote."""
    encode = Encoder(loaded, BUDGET).encode
    engine = TransformersEngine(loaded, TransformersEngineSettings(max_num_seqs=rows, drop_share=0.0))
    buffer, found, said = RolloutBuffer(), {}, []
    for step, problems in enumerate(ROUNDS):
        engine.version = step
        if step == resume_at:
            state = buffer.state_dict()
            buffer = RolloutBuffer()
            buffer.load_state_dict(state)
        ended, metrics = buffer.serve(encode, engine, problems, SAMPLING, 3, seed_of(step), settings, step)
        said.append(metrics)
        for one in ended:
            assert one.problem.id not in found
            found[one.problem.id] = one
    assert not buffer.waiting
    return found, said, engine.tokens_written


@pytest.mark.parametrize("early_exit_below", [0.0, 0.9])
def test_groups_over_several_iterations_are_those_of_one_long_call_and_no_token_is_written_twice(
    qwen3, early_exit_below
):
    found, said, written = serve_all(qwen3, PartialRollouts(budget=5, early_exit_below=early_exit_below))
    whole = {}
    for step, problems in enumerate(ROUNDS[:3]):
        engine = TransformersEngine(qwen3)
        for one in collect(Encoder(qwen3, BUDGET).encode, engine, problems, SAMPLING, 3, seed_of(step)):
            whole[one.problem.id] = one
    assert {i: [r.token_ids for r in g.rollouts] for i, g in found.items()} == {
        i: [r.token_ids for r in g.rollouts] for i, g in whole.items()
    }
    assert {r.finish_reason for g in found.values() for r in g.rollouts} <= {"stop", "length"}
    tokens = sum(r.num_tokens for g in found.values() for r in g.rollouts)
    assert written == tokens == sum(m["tokens/written"] for m in said)
    segments = [s for g in found.values() for r in g.rollouts for s in r.segments]
    assert max(len(s.token_ids) for s in segments) <= 5
    assert len({s.policy_version for s in segments}) > 3


def test_metrics_tell_ages_staleness_and_what_was_continued(qwen3):
    found, said, _ = serve_all(qwen3, PartialRollouts(budget=5, early_exit_below=0.0), rows=64)
    assert said[0]["rollout/tokens_continued"] == 0
    assert said[0]["rollout/unfinished"] > 0
    by_version = Counter()
    for group in found.values():
        for rollout in group.rollouts:
            for number, segment in enumerate(rollout.segments):
                by_version[segment.policy_version, number > 0] += len(segment.token_ids)
    for step, metrics in enumerate(said):
        assert metrics["tokens/written"] == by_version[step, True] + by_version[step, False]
        assert metrics["rollout/tokens_continued"] == by_version[step, True]
    assert sum(m["rollout/groups_ended"] for m in said) == 5
    ages = [m["rollout/group_age_max"] for m in said if "rollout/group_age_max" in m]
    assert max(ages) == 4  # 24 tokens in fives take five iterations
    assert max(m.get("rollout/staleness_mean", 0) for m in said) > 1


@pytest.mark.parametrize("step", [1, 2, 4])
def test_a_resumed_buffer_goes_on_as_if_nothing_had_happened(qwen3, step):
    settings = PartialRollouts(budget=5)
    found, said, _ = serve_all(qwen3, settings)
    again, told, _ = serve_all(qwen3, settings, resume_at=step)
    assert found == again
    assert said == told


def test_the_state_can_be_a_checkpoint_and_keeps_problems_and_images_whole(qwen3, tmp_path):
    image = tmp_path / "one.png"
    pixels(7).save(image)
    problem = ask(pixels(1), "How many?")
    told = replace(problem.images[0], source_text="seven cards")
    problem = replace(
        problem, prompt=(told, *problem.prompt[1:]), metadata={"choices": ("a", "b"), "tolerance": 0.5}, tags=("count",)
    )
    on_disk = replace(problem, prompt=(Image.from_file(str(image)), *problem.prompt[1:]), twin="other", difficulty=0.5)
    buffer = RolloutBuffer()
    engine = TransformersEngine(qwen3)
    settings = PartialRollouts(budget=2, early_exit_below=0.0)
    buffer.serve(Encoder(qwen3, BUDGET).encode, engine, [problem, on_disk], SAMPLING, 2, 0, settings, 3)
    assert len(buffer.waiting) == 2
    torch.save(buffer.state_dict(), tmp_path / "buffer.pt")
    loaded = RolloutBuffer()
    loaded.load_state_dict(torch.load(tmp_path / "buffer.pt", weights_only=True))
    assert [replace(one, encoded=None) for one in buffer.waiting] == loaded.waiting
    assert [one.problem.id for one in loaded.waiting] == [problem.id, on_disk.id]
    assert loaded.waiting[0].problem.images[0].read_bytes() == problem.images[0].read_bytes()
    assert loaded.waiting[0].problem.images[0].source_text == "seven cards"


def test_a_checkpoint_that_names_the_content_once_a_group_is_read_too(qwen3):
    buffer, loaded = RolloutBuffer(), RolloutBuffer()
    engine, settings = TransformersEngine(qwen3), PartialRollouts(budget=2)
    buffer.serve(Encoder(qwen3, BUDGET).encode, engine, [ask("blue")], SAMPLING, 2, 0, settings, 0)
    state = buffer.state_dict()
    for rollout in state["waiting"][0]["rollouts"]:
        del rollout["content_hash"]
    loaded.load_state_dict(state)
    assert loaded.waiting == [replace(one, encoded=None) for one in buffer.waiting]
    assert loaded.waiting[0].content_hash


def test_a_image_that_changed_between_save_and_resume_is_refused(qwen3, tmp_path):
    image = tmp_path / "one.png"
    pixels(7).save(image)
    problem = replace(ask("How many?"), prompt=(Image.from_file(str(image)), *ask("How many?").prompt))
    encode, engine, settings = Encoder(qwen3, BUDGET).encode, TransformersEngine(qwen3), PartialRollouts(budget=2)
    buffer, resumed = RolloutBuffer(), RolloutBuffer()
    buffer.serve(encode, engine, [problem, ask("blue")], SAMPLING, 2, 0, settings, 0)
    resumed.load_state_dict(buffer.state_dict())
    assert resumed.state_dict() == buffer.state_dict()  # a second checkpoint before the next call loses no hash
    pixels(8).save(image)
    buffer.serve(encode, engine, [], SAMPLING, 2, 0, settings, 1)  # what is encoded already isn't read again
    with pytest.raises(EngineError, match=rf"problem {problem.id}, begun before the resume: encoded again its content"):
        resumed.serve(encode, engine, [], SAMPLING, 2, 0, settings, 1)

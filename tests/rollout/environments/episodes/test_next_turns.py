"""Turns that begin as soon as the one before them was answered, while other episodes still wait for their tools."""

from __future__ import annotations

from dataclasses import replace

import pytest
from episode_cases import roomy
from small_models import BUDGET, ask, pixels

from vlrl.errors import ConfigError, EngineError
from vlrl.model.prompts.encode import Encoder
from vlrl.rollout.engine import Sampling
from vlrl.rollout.engine_registry import engines
from vlrl.rollout.environments.calls.call_formats import WrittenCall, call_formats
from vlrl.rollout.environments.environment import check_plays, environments
from vlrl.rollout.transformers.transformers_engine import TransformersEngine, TransformersEngineSettings

WORLD = """
import threading
from PIL import Image

OTHER_IS_DONE = threading.Event()
ORDER = []

class Pair:
    def reset(self, question, answer, **row):
        self.name, self.turns = answer, 0

    def act(self) -> list:
        \"\"\"Act.\"\"\"
        self.turns += 1
        if self.name == "slow" and self.turns == 1 and not OTHER_IS_DONE.wait(60):
            raise SystemExit("the other's last turn never came")
        if self.name == "fast" and self.turns == 3:
            OTHER_IS_DONE.set()
        ORDER.append((self.name, self.turns))
        image = Image.new("RGB", (32, 16 * self.turns), (40 * self.turns, 0, 0))
        return [{"type": "text", "text": f"turn {self.turns}"}, {"type": "image", "image": image}]

    def get_reward(self) -> float:
        return 1.0
"""
PROBLEMS = [ask(pixels(1), "red?", answer="slow"), ask("3+4=?", answer="fast")]
SAMPLING = Sampling(max_tokens=600, stop=tuple("abcdefghijklmnopqrstuvwxyz0123456789"))  # ends a turn


@pytest.fixture
def built(tmp_path, temporarily):
    """An environment whose every turn is a call."""
    temporarily(call_formats, always=lambda text: [WrittenCall("act", {})])
    (tmp_path / "pair.py").write_text(WORLD)

    def build(**settings):
        given = {"name": "class", "path": f"{tmp_path / 'pair.py'}:Pair", "call_format": "always", "turns": 4}
        return environments.build(
            {"tool_seconds": 50, "over_limit": "zero", "describe_tools": False, **given, **settings}
        )

    return build


@pytest.fixture(scope="module")
def model(loaded_models):
    return roomy(loaded_models["tiny-qwen3-vl"])


def played(model, environment, k=1, problems=PROBLEMS, **engine):
    writes = TransformersEngine(model, TransformersEngineSettings(**engine))
    return environment.roll_out(Encoder(model, BUDGET), writes, problems, SAMPLING, k, 7)


def test_a_slow_tool_delays_its_own_episode_alone(model, built):
    """The slow one waits for the third turn of the other: were turns to begin together, that would never come."""
    slow, fast = (group.rollouts[0].episode for group in played(model, built(next_turn="as_answered")))
    assert (slow.verdict, fast.verdict) == (None, None), "no fault: four turns are the limit"
    assert (slow.turns, fast.turns) == (4, 4)


def test_turns_that_begin_together_wait_for_the_slowest_tool(model, built):
    late = built(tool_seconds=0.2)
    assert "no answer within 0.2 s" in played(model, late)[0].rollouts[0].episode.verdict.fault


@pytest.mark.parametrize("slots", [16, 2])
def test_the_tokens_are_those_of_turns_that_begin_together(model, built, slots):
    """Images behind the prompt, three episodes of each problem, more of them than slots, and one that has ended."""
    problems = [replace(one, answer="fast") for one in PROBLEMS]
    together = played(model, built(), 3, problems)
    apart = played(model, built(next_turn="as_answered"), 3, problems, max_num_seqs=slots)
    for expected, found in zip(together, apart, strict=True):
        for one, other in zip(expected.rollouts, found.rollouts, strict=True):
            assert [s.token_ids for s in one.segments] == [s.token_ids for s in other.segments]
            assert [s.author for s in one.segments] == [s.author for s in other.segments]
            assert one.sampler_logprobs == pytest.approx(other.sampler_logprobs, abs=1e-5)
            assert (one.text, one.finish_reason, one.content_hash) == (
                other.text,
                other.finish_reason,
                other.content_hash,
            )
            assert one.episode == other.episode
            assert len(one.images) == 3
            assert not any(image.patches.is_inference() for image in other.encoded_images), "they are trained on"


def test_what_it_does_not_go_with_is_refused(model, built):
    apart = built(next_turn="as_answered")
    with pytest.raises(ConfigError, match=r"rl\.partial"):
        apart.check_partial()
    with pytest.raises(ConfigError, match=r"environment\.next_turn"):
        built(next_turn="as_answered", on_boundary=["prune_failed_calls"])
    pool = engines.build({"name": "ray", "actors": 1})
    with pytest.raises(ConfigError, match=r"environment\.next_turn: engine 'transformers' writes all turns together"):
        check_plays(apart, pool)
    check_plays(apart, engines.build("transformers"))

    class Together:
        def generate(self, requests):
            raise AssertionError("isn't asked")

    with pytest.raises(EngineError, match="Together"):
        apart.roll_out(Encoder(model, BUDGET), Together(), PROBLEMS, SAMPLING, 1, 7)

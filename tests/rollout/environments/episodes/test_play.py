"""Episodes from prompt to verdict: tools answer, limits hold, faults are faults; a single turn is the simplest one."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from episode_cases import roomy, said
from small_models import BUDGET, as_image, ask, pixels

from vlrl.errors import EngineError, RunError
from vlrl.model.batch.example import read_rollouts
from vlrl.model.prompts.encode import Encoder
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.environments.calls.call_formats import WrittenCall, call_formats
from vlrl.rollout.environments.environment import environments
from vlrl.rollout.environments.episodes.class_environment import ClassEnvironment
from vlrl.rollout.environments.episodes.episode_environment import EpisodeEnvironment
from vlrl.rollout.environments.episodes.episode_group import new_groups
from vlrl.rollout.environments.episodes.play import Play
from vlrl.rollout.environments.episodes.scripted_turns import ScriptedTurns
from vlrl.rollout.environments.single_turn import SingleTurn
from vlrl.rollout.transformers.transformers_engine import TransformersEngine
from vlrl.types import Image

COUNTER = '''
from PIL import Image

class Counter:
    """Counts up to the answer. As TRL's users write it: no base class, no import of ours."""

    def __init__(self, step: int = 1) -> None:
        self.step_size = step

    def reset(self, answer, **row):
        self.value, self.goal, self.row = 0, int(answer), row
        return " Count on."

    def add(self, times: int = 1) -> str:
        """Count on.

        Args:
            times: How often.
        """
        if times < 0:
            raise ValueError("only upwards")
        self.value += times * self.step_size
        return f"now {self.value}"

    def look(self) -> list:
        """Show the number."""
        image = Image.new("RGB", (32, 32), (self.value, 0, 0))
        return [{"type": "text", "text": "here"}, {"type": "image", "image": image}]

    def get_reward(self) -> float:
        return 1.0 if self.value == self.goal else 0.25

    def _helper(self):
        pass
'''


def call(name: str, **arguments: Any) -> str:
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    path = tmp_path_factory.mktemp("world") / "counter.py"
    path.write_text(COUNTER)
    return f"{path}:Counter"


@pytest.fixture(scope="module")
def model(loaded_models):
    return roomy(loaded_models["tiny-qwen3-vl"])


def play(environment: EpisodeEnvironment, model: Any, *scripts: list[str], problem: Any = None, **sampling: Any) -> Any:
    """One episode for each script, and the verdicts."""
    encoder = Encoder(model, BUDGET, tools=environment.tool_schemas())
    problems = [problem or ask(pixels(1), "red?", answer="3")] * len(scripts)
    engine = ScriptedTurns(model, scripts)
    played = Play(new_groups(problems, 1, range(len(scripts))), environment, environment.world, environment.row)
    groups = played.whole(encoder, engine, Sampling(**{"max_tokens": 900, **sampling}))
    return [group.rollouts[0] for group in groups], [verdicts[0] for verdicts in environment.verdicts(groups)]


def test_a_class_as_trl_has_them_plays_without_a_change(model, world):
    environment = ClassEnvironment(path=world)
    assert sorted(environment.schemas()) == ["add", "look"]
    rollouts, verdicts = play(
        environment, model, [call("add", times=2), call("add"), "3"], [call("add"), call("look"), "1"], ["none"]
    )
    assert [verdict.score for verdict in verdicts] == [1.0, 0.25, 0.25]
    assert [verdict.correct for verdict in verdicts] == [True, False, False]
    said = [[s.text for s in r.segments if s.author == "observation"] for r in rollouts]
    assert said == [["now 2", "now 3"], ["now 1", "here<image>"], []]
    assert [r.text for r in rollouts] == ["3", "1", "none"]
    assert [[c.outcome for c in r.episode.calls] for r in rollouts] == [["done", "done"], ["done", "done"], []]
    assert [r.episode.turns for r in rollouts] == [3, 3, 1]
    assert [len(r.images) for r in rollouts] == [0, 1, 0]


def test_reset_adds_to_the_prompt_and_constructor_arguments_arrive(model, world):
    environment = ClassEnvironment(path=world, arguments={"step": 3}, describe_tools=False)
    encoder, problem = Encoder(model, BUDGET), ask("red?", answer="3")
    (group,) = environment.scripted(encoder, model, [problem], [[call("add"), "3"]])
    written = model.tokenizer.decode(group.encoded.token_ids)
    assert "red? Count on." in written
    assert group.problem is problem
    assert environment.verdicts([group])[0][0].correct


def test_what_a_tool_refuses_goes_to_the_policy_and_is_counted(model, world):
    turns = [call("add", times=-1), call("nothing"), call("add", times="two"), "<tool_call>{", call("add", more=1), "0"]
    (rollout,), _ = play(ClassEnvironment(path=world, turns=9), model, turns)
    assert [c.outcome for c in rollout.episode.calls] == ["failed", "invalid", "invalid", "invalid", "invalid"]
    said = [s.text for s in rollout.segments if s.author == "observation"]
    assert said[0] == "error: only upwards"
    assert "no tool 'nothing'" in said[1]
    assert "times is no integer" in said[2]
    assert "no </tool_call>" in said[3]
    assert "no argument 'more'" in said[4]


@pytest.mark.parametrize(("over_limit", "left_out"), [("no_gradient", True), ("zero", False)])
def test_an_episode_over_a_limit_has_no_part_in_the_update_or_no_score(model, world, over_limit, left_out):
    environment = ClassEnvironment(path=world, turns=2, tokens_per_turn=60, over_limit=over_limit)
    rollouts, verdicts = play(environment, model, [call("add")], ["x 3 " * 50], [call("add"), "1"])
    assert [r.episode.over_limit for r in rollouts] == ["2 turns", "60 tokens of a turn", None]
    assert [v.left_out is not None for v in verdicts] == [left_out, left_out, False]
    assert [v.score for v in verdicts] == [0.0, 0.0, 0.25]
    assert [r.finish_reason for r in rollouts] == ["length", "length", "stop"]
    assert rollouts[0].segments[-1].author == "policy", "no result behind the last turn"


def test_an_episode_that_is_over_is_not_written_on_while_its_groups_others_are(model, world):
    """k episodes are one request: the first talks too long, the second plays three turns."""

    class Each(ScriptedTurns):
        def _write(self, request, index):
            return super()._write(replace(request, seed=index), index)

    environment = ClassEnvironment(path=world, tokens_per_turn=80)
    groups = new_groups([ask("red?", answer="3")], 2, [0])
    played = Play(groups, environment, environment.world, environment.row)
    engine = Each(model, [["x 3 " * 90], [call("add"), call("add", times=2), "3"]])
    (group,) = played.whole(Encoder(model, BUDGET), engine, Sampling(max_tokens=600))
    long, other = group.rollouts
    assert [len(s.token_ids) for s in long.segments] == [80]
    assert (long.episode.turns, long.finish_reason) == (1, "length")
    assert (other.episode.turns, other.text) == (3, "3")


def test_a_result_that_does_not_fit_is_dropped_whole(model, world):
    """With its images: the episode ends, over its limit, with the policy's turn."""
    script = [call("look"), call("look"), "0"]
    (whole,), _ = play(ClassEnvironment(path=world), model, script)
    stop = sum(len(s.token_ids) for s in whole.segments[:4])  # the second result would be the last token that fits
    (cut,), (verdict,) = play(ClassEnvironment(path=world), model, script, max_tokens=stop)
    assert len(whole.images) == 2
    assert [s.author for s in cut.segments] == ["policy", "observation", "policy"]
    assert len(cut.images) == 1
    assert cut.episode.over_limit == "tokens of an episode"
    assert verdict.left_out is not None
    (fits,), _ = play(ClassEnvironment(path=world), model, script, max_tokens=stop + 1)
    assert len(fits.images) == 2


def test_images_over_their_limits_are_not_shown_and_the_policy_is_told(model, world):
    environment = ClassEnvironment(path=world, image={"per_turn": 1, "per_episode": 2})
    two = call("look") + call("look")
    (rollout,), _ = play(environment, model, [two, call("look"), call("look"), "0"])
    assert [c.outcome for c in rollout.episode.calls] == ["done", "dropped", "done", "dropped"]
    assert len(rollout.images) == 2
    said = [s.text for s in rollout.segments if s.author == "observation"]
    assert "the result holds 1 images, 0 more may be shown" in said[0]


BROKEN = '''
import sys, time

class Broken:
    def reset(self, **row):
        if self.kind == "reset": raise RuntimeError("no world")

    def __init__(self, kind): self.kind = kind

    def act(self) -> str:
        """Act."""
        if self.kind == "hang": time.sleep(60)
        if self.kind == "exit": sys.exit(3)
        if self.kind == "object": return object()
        if self.kind == "huge": return "x" * 50_000_000
        return "fine"

    def get_reward(self):
        if self.kind == "raise": raise RuntimeError("no judge")
        return {"none": None, "nan": float("nan"), "two": 2.0}.get(self.kind, 0.5)
'''


@pytest.mark.parametrize("kind", ["reset", "hang", "exit", "object", "none", "nan", "two", "raise"])
def test_what_breaks_in_the_environment_is_a_fault_and_never_a_zero(model, tmp_path, kind):
    (tmp_path / "broken.py").write_text(BROKEN)
    environment = ClassEnvironment(
        path=f"{tmp_path / 'broken.py'}:Broken", arguments={"kind": kind}, tool_seconds=0.3, describe_tools=False
    )
    began = time.monotonic()
    (rollout,), (verdict,) = play(environment, model, [call("act"), "3"])
    assert time.monotonic() - began < 3
    assert verdict.fault is not None
    assert rollout.num_policy_tokens > 0


def test_a_result_of_fifty_megabytes_is_dropped_and_the_policy_told(model, tmp_path):
    (tmp_path / "broken.py").write_text(BROKEN)
    path = f"{tmp_path / 'broken.py'}:Broken"
    (rollout,), _ = play(ClassEnvironment(path=path, arguments={"kind": "huge"}), model, [call("act"), "3"])
    assert [c.outcome for c in rollout.episode.calls] == ["dropped"]
    assert rollout.num_tokens < 300


def test_episodes_of_one_problem_share_their_prompt_and_reset_may_not_part_them(model, tmp_path):
    (tmp_path / "parting.py").write_text(
        "import itertools\nCOUNT = itertools.count()\n"
        "class Parting:\n    def reset(self):\n        return str(next(COUNT))\n"
    )
    environment = ClassEnvironment(path=f"{tmp_path / 'parting.py'}:Parting")
    engine = TransformersEngine(model)
    with pytest.raises(RunError, match="reset gave its episodes different observations"):
        environment.roll_out(Encoder(model, BUDGET), engine, [ask("red?")], Sampling(max_tokens=8), 2, 0)


def test_turns_that_a_stop_string_ends_get_their_end_token_from_the_environment(model, temporarily):
    """With the engine itself: any letter ends a turn, and any turn is a call."""
    look = WrittenCall("image_zoom_in_tool", {"bbox_2d": [0, 0, 500, 500]})
    temporarily(call_formats, always=lambda text: [look])
    environment = environments.build({"name": "tools", "call_format": "always", "turns": 3, "describe_tools": False})
    letters = tuple("abcdefghijklmnopqrstuvwxyz0123456789")
    engine, encoder = TransformersEngine(model), Encoder(model, BUDGET)
    groups = environment.roll_out(
        encoder, engine, [ask(pixels(1), "red?")], Sampling(max_tokens=300, stop=letters), 4, 3
    )
    rollouts = groups[0].rollouts
    assert any(len(r.images) == 2 for r in rollouts)
    for rollout in rollouts:
        for turn, answer in zip(rollout.segments[::2], rollout.segments[1::2], strict=False):
            ended = turn.token_ids[-1] in model.stop_ids
            assert ended or turn.text[-1] in letters
            assert (answer.token_ids[0] in model.stop_ids) != ended
    (mine,) = TorchPolicy(model, PolicySettings()).logprobs([read_rollouts(groups[0].encoded, rollouts)], 1.0)
    for rollout, values in zip(rollouts, mine, strict=True):
        assert rollout.sampler_logprobs == pytest.approx(values, abs=1e-5)


def test_an_episode_that_draws_on_its_images_changes_no_other(model, tmp_path):
    (tmp_path / "drawing.py").write_text(
        "class Drawing:\n"
        "    def reset(self, images, tags):\n"
        "        self.seen = images[0].getpixel((0, 0)) == (255, 0, 0), tags\n"
        "        images[0].putpixel((0, 0), (255, 0, 0)); tags.append('seen')\n"
        "    def get_reward(self):\n"
        "        return float(not self.seen[0] and len(self.seen[1]) == 1)\n"
    )
    environment = ClassEnvironment(path=f"{tmp_path / 'drawing.py'}:Drawing")
    problem = replace(ask(pixels(1), "red?"), metadata={"tags": []})
    played = Play(new_groups([problem], 3, [0]), environment, environment.world, environment.row)
    (group,) = played.whole(Encoder(model, BUDGET), ScriptedTurns(model, [["3"]]), Sampling(max_tokens=9))
    assert [verdict.correct for verdict in environment.verdicts([group])[0]] == [True] * 3
    assert problem.metadata == {"tags": []}


def test_without_a_call_an_episode_is_a_single_turn(model, world):
    """The same tokens, log-probabilities and content as `collect` gives, and the verifier's verdict."""
    environment = environments.build({"name": "tools", "describe_tools": False})
    problems = [ask(pixels(1), "red?"), ask("3+4=?")]
    engine, encoder, sampling = TransformersEngine(model), Encoder(model, BUDGET), Sampling(max_tokens=12)
    plain = SingleTurn().roll_out(encoder, engine, problems, sampling, 3, 5)
    played = environment.roll_out(encoder, engine, problems, sampling, 3, 5)
    for one, other in zip(plain, played, strict=True):
        for a, b in zip(one.rollouts, other.rollouts, strict=True):
            assert (a.token_ids, a.sampler_logprobs, a.text, a.content_hash) == (
                b.token_ids,
                b.sampler_logprobs,
                b.text,
                b.content_hash,
            )
    assert [[v.score for v in of_group] for of_group in SingleTurn().verdicts(plain)] == [
        [v.score for v in of_group] for of_group in SingleTurn().verdicts(played)
    ]


def test_an_engine_that_read_another_crop_is_refused(model, world):
    class Blind(ScriptedTurns):
        """Reads another image than the one that the tool returned."""

        def generate(self, requests):
            other = Encoder(model, BUDGET).encode([ask(pixels(99), "red?")])[0].images
            written = super().generate(requests)
            return [
                tuple(
                    replace(r, content_hash=q.encoded.hash_again(other)) if q.observed(j) else r
                    for j, r in enumerate(rollouts)
                )
                for q, rollouts in zip(requests, written, strict=True)
            ]

    environment = ClassEnvironment(path=world)
    groups = new_groups([ask("red?", answer="3")], 1, [0])
    played = Play(groups, environment, environment.world, environment.row)
    with pytest.raises(EngineError, match="with 1 images of observations"):
        played.whole(Encoder(model, BUDGET), Blind(model, [[call("look"), "0"]]), Sampling(max_tokens=400))


def test_the_same_image_in_several_episodes_is_encoded_once(model, world):
    engine = TransformersEngine(replace(model, store=None))
    encoder = Encoder(model, BUDGET)
    problem = ask(pixels(1), "red?")
    (encoded,) = encoder([problem])
    segments = encoder.observe([said("0", as_image(pixels(7)), True)] * 3)
    assert len({s.encoded_images[0].digest for s in segments}) == 1
    (begun,) = engine.generate([Request(encoded, 3, Sampling(max_tokens=200), 0, new_tokens=3)])
    before = engine.tower.images_seen
    resumed = tuple(
        replace(r, segments=(*r.segments, s), finish_reason="unfinished") for r, s in zip(begun, segments, strict=True)
    )
    engine.generate([Request(encoded, 3, Sampling(max_tokens=200), 0, resume_from=resumed, new_tokens=3)])
    assert engine.tower.images_seen - before == 2, "the prompt's image and the tool's"


def test_results_of_tools_are_kept_as_images_of_the_episode(model, world):
    (rollout,), _ = play(ClassEnvironment(path=world), model, [call("look"), "0"])
    assert all(isinstance(image, Image) for image in rollout.images)
    assert rollout.encoded_images[0].digest.startswith(rollout.images[0].digest)

"""Episodes cut over iterations: in a turn or between two they go on as if nobody had cut, after a resume, too."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from episode_cases import roomy
from small_models import BUDGET, ask, pixels

from vlrl.errors import ConfigError, EngineError, RunError
from vlrl.model.batch.example import read_rollouts
from vlrl.model.prompts.encode import Encoder
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.rollout.engine import Sampling
from vlrl.rollout.environments.calls.call_formats import WrittenCall, call_formats
from vlrl.rollout.environments.environment import environments
from vlrl.rollout.partial_rollouts import PartialRollouts
from vlrl.rollout.transformers.transformers_engine import TransformersEngine
from vlrl.seeding import derive_seed

PLUGIN = '''
import itertools
from PIL import Image

COUNT = itertools.count()

class Dim:
    """What it shows depends on every call before."""

    def reset(self, answer):
        self.seen = 0
        return " Look."

    def look(self, at: int) -> list:
        """Look.

        Args:
            at: Where.
        """
        self.seen += at
        if self.seen % 5 == 4:
            raise ValueError("too dark")
        return [{"type": "image", "image": Image.new("RGB", (32, 32), (at % 256, 9 * self.seen % 256, 0))}]

    def get_reward(self) -> float:
        return self.seen % 5 / 4

class Moody(Dim):
    def look(self, at: int) -> str:
        """Look.

        Args:
            at: Where.
        """
        return f"no {next(COUNT)}"
'''
HOOKS = [{"name": "resample_turns", "threshold": 0.5, "tries": 1}, {"name": "end_thinking", "every": 3, "threshold": 9}]
SAMPLING = Sampling(max_tokens=220, stop=tuple("bcdfghjkmnpqtuvwxyz"))
STEPS = 16


@pytest.fixture(scope="module")
def model(loaded_models):
    return roomy(loaded_models["tiny-qwen3-vl"])


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    path = tmp_path_factory.mktemp("partial") / "dim.py"
    path.write_text(PLUGIN)
    calls = lambda text: [WrittenCall("look", {"at": len(text)})] if len(text) % 4 != 3 else []  # noqa: E731

    def build(kind="Dim", **more):
        settings = {"name": "class", "path": f"{path}:{kind}", "turns": 4, "tokens_per_turn": 12, "over_limit": "zero"}
        return environments.build({**settings, "call_format": "by_length", "describe_tools": False, **more})

    with call_formats.temporarily(by_length=calls):
        yield build


def problems():
    return [ask(pixels(1), "red?"), ask("3+4=?")]


def played(model, environment, settings, resume_at=(), folder=None):
    """Groups by problem, and what every iteration said; each is written by another version of the same weights."""
    encoder, engine, buffer = Encoder(model, BUDGET), TransformersEngine(model), environment.buffer()
    found, said = {}, []
    for step in range(STEPS):
        if step in resume_at:
            torch.save(buffer.state_dict(), folder / "buffer.pt")
            buffer.close()
            buffer = environment.buffer()
            buffer.load_state_dict(torch.load(folder / "buffer.pt", weights_only=True))
        engine.version = step
        drawn = problems()[step : step + 1]
        seed = derive_seed(0, "rl", step)
        ended, metrics = buffer.serve(encoder, engine, drawn, SAMPLING, 3, seed, settings, step)
        found |= {group.problem.id: group for group in ended}
        said.append(metrics)
    assert not buffer.waiting
    return found, said


def conversation(group):
    """Tokens by author and turn, whatever the cuts; and all that is known besides."""
    return [
        (
            [(r.token_ids, r.text, r.finish_reason, r.content_hash)],
            [s.author for s in r.segments for _ in s.token_ids],
            [image.digest for image in r.images],
            r.episode,
        )
        for r in group.rollouts
    ]


@pytest.mark.parametrize(("hooks", "early"), [((), 0.0), (HOOKS, 0.6)], ids=["nobody looks", "with hooks, left early"])
def test_cut_episodes_are_those_of_one_long_call_and_a_resume_changes_no_bit(model, built, hooks, early, tmp_path):
    environment = built(on_boundary=hooks)
    settings = PartialRollouts(budget=5, early_exit_below=early)
    found, said = played(model, environment, settings)
    again, told = played(model, environment, settings, (1, 2, 4), tmp_path)
    assert (again, told) == (found, said)
    encoder, engine = Encoder(model, BUDGET), TransformersEngine(model)
    versions, turns = set(), 0
    for step, problem in enumerate(problems()):
        (whole,) = environment.roll_out(encoder, engine, [problem], SAMPLING, 3, derive_seed(0, "rl", step))
        group = found[problem.id]
        assert conversation(group) == conversation(whole)
        assert environment.verdicts([group]) == environment.verdicts([whole])
        (mine,) = TorchPolicy(model, PolicySettings()).logprobs([read_rollouts(group.encoded, group.rollouts)], 1.0)
        for rollout, values in zip(group.rollouts, mine, strict=True):
            assert rollout.sampler_logprobs == pytest.approx(values, abs=1e-5)
            versions |= {s.policy_version for s in rollout.segments}
            turns = max(turns, rollout.episode.turns)
    rollouts = [r for group in found.values() for r in group.rollouts]
    assert len(versions) > 3
    assert turns > 2
    assert any(r.images for r in rollouts)
    assert any(a.author == b.author for r in rollouts for a, b in pairwise(r.segments)), "cut in a turn"
    assert sum(m["tokens/written"] for m in said) == sum(r.num_written_tokens for r in rollouts)
    assert bool(hooks) == any(r.episode.rewrites for r in rollouts)


def test_an_environment_that_says_something_else_when_told_the_same_is_refused_in_the_first_iterations(model, built):
    environment = built("Moody")
    with pytest.raises(
        RunError, match=r"environment class, problem .*, episode \d: told again .* at turn 1[\s\S]*seed column"
    ):
        played(model, environment, PartialRollouts(budget=5, early_exit_below=0.0))


def test_one_that_changed_between_save_and_resume_is_refused(model, built, tmp_path):
    first, other = built(), built(image={"min_pixels": 4096, "max_pixels": 4096})
    settings = PartialRollouts(budget=13, early_exit_below=0.0)
    buffer, resumed = first.buffer(), other.buffer()
    encoder, engine = Encoder(model, BUDGET), TransformersEngine(model)
    for step in range(3):
        buffer.serve(encoder, engine, problems()[step:1], SAMPLING, 3, 1, settings, step)
        if any(r.images for group in buffer.waiting for r in group.rollouts):
            break
    state = buffer.state_dict()
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state, "a second checkpoint before the next call loses nothing"
    with pytest.raises(EngineError, match="an image of a tool, read again, is"):
        resumed.serve(encoder, engine, [], SAMPLING, 3, 1, settings, 1)
    buffer.close()


def test_a_server_that_all_episodes_share_is_refused():
    pytest.importorskip("mcp")
    shared = {"name": "mcp", "command": ["python", "server.py"]}
    with pytest.raises(ConfigError, match=r"rl\.partial.*one server for all episodes[\s\S]*server_per_episode: true"):
        environments.build(shared).check_partial()
    environments.build({**shared, "server_per_episode": True}).check_partial()

"""Hooks at boundaries: what they drop is gone everywhere, what they put in has no weight, going on changes nothing."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from small_models import BUDGET, ask, pixels

from vlrl.credit.tokens.token_weights import own_tokens
from vlrl.credit.tokens.turn_credit import GroupInGroup, turns_of
from vlrl.errors import ConfigError, RunError
from vlrl.model.batch.example import read_rollouts
from vlrl.model.prompts.encode import Encoder
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.rollout.boundaries.boundary import BoundaryHook, Continue, Inject, Resample, Stop, boundary_hooks
from vlrl.rollout.boundaries.edited_rollout import merged, without
from vlrl.rollout.boundaries.rewriting import Rewritten
from vlrl.rollout.engine import Request, Sampling, check_request
from vlrl.rollout.environments.calls.call_formats import WrittenCall, call_formats
from vlrl.rollout.environments.environment import environments
from vlrl.rollout.environments.episodes.episode_settings import EpisodeSettings
from vlrl.rollout.transformers.transformers_engine import TransformersEngine
from vlrl.types import Rollout, Segment

PLUGIN = '''
from PIL import Image

class Picky:
    def reset(self, **row):
        self.calls = 0

    def look(self, at: int) -> list:
        """Look.

        Args:
            at: Where.
        """
        self.calls += 1
        if self.calls % 3:
            raise ValueError("not there")
        return [{"type": "image", "image": Image.new("RGB", (32, 32), (at % 256, 9 * at % 256, self.calls))}]

    def get_reward(self) -> float:
        return 0.5
'''


class GoesOn(BoundaryHook):
    """Looks everywhere, does nothing."""

    @property
    def token_interval(self):
        return 2

    @property
    def step_words(self):
        return ("e", "1", "red")

    def on_boundary(self, at):
        assert at.rollout.num_tokens > 0
        return Continue()


class Endless(BoundaryHook):
    def on_boundary(self, at):
        return Resample() if at.kind == "turn" else Continue()


class StopsAtOnce(BoundaryHook):
    def on_boundary(self, at):
        return Stop("seen enough") if at.kind == "turn" else Continue()


class LeadsOn(BoundaryHook):
    """Behind each observation, and once behind the end of the first turn."""

    def on_boundary(self, at):
        if at.kind == "answer" or (at.kind == "turn" and at.turn == 0 and len(at.turn_segments) == 1):
            return Inject("so ")
        return Continue()


@pytest.fixture(scope="module")
def model(loaded_models):
    return replace(loaded_models["tiny-qwen3-vl"], context=1000)


@pytest.fixture(scope="module")
def played(model, tmp_path_factory):
    """Plays episodes with these hooks, with random weights: every turn is a call, of which two in three fail."""
    path = tmp_path_factory.mktemp("picky") / "picky.py"
    path.write_text(PLUGIN)
    engine, encoder = TransformersEngine(model), Encoder(model, BUDGET)

    def play(*hooks, k=4, seed=3, **settings):
        given = {"name": "class", "path": f"{path}:Picky", "call_format": "always", "turns": 4, "tokens_per_turn": 12}
        more = {"describe_tools": False, "on_boundary": hooks, "over_limit": "zero"}
        looks = lambda text: [WrittenCall("look", {"at": len(text)})]  # noqa: E731
        extra = {"always": looks}
        with (
            call_formats.temporarily(**extra),
            boundary_hooks.temporarily(goes_on=GoesOn, endless=Endless, stops_at_once=StopsAtOnce, leads_on=LeadsOn),
        ):
            environment = environments.build({**given, **more, **settings})
            sampling = Sampling(max_tokens=220, stop=tuple("bcdfghjkmnpqtuvwxyz"))
            (group,) = environment.roll_out(encoder, engine, [ask(pixels(1), "red?")], sampling, k, seed)
        check(model, group)
        return group.rollouts

    return play


def check(model, group):
    """Log-probabilities of what is left are the trainer's, and nothing else has one."""
    (mine,) = TorchPolicy(model, PolicySettings()).logprobs([read_rollouts(group.encoded, group.rollouts)], 1.0)
    own = own_tokens(group.rollouts) or [[1.0] * r.num_tokens for r in group.rollouts]
    for rollout, values, weights in zip(group.rollouts, mine, own, strict=True):
        assert rollout.sampler_logprobs == pytest.approx(values, abs=1e-5)
        for segment in rollout.segments:
            assert segment.author == "policy" or not any(segment.sampler_logprobs)
        authors = [s.author for s in rollout.segments for _ in s.token_ids]
        assert [weight > 0 for weight in weights] == [author == "policy" for author in authors]
        images = rollout.encoded_images
        assert rollout.content_hash == group.encoded.hash_again(images)
        assert rollout.episode.turns == len(turns_of(rollout)) == rollout.num_observations + 1
        assert all(call.turn < rollout.episode.turns for call in rollout.episode.calls)
        assert len(GroupInGroup().states(rollout)) == rollout.episode.turns


def plain(rollouts):
    return [[(s.author, s.token_ids, s.sampler_logprobs, s.text) for s in r.segments] for r in rollouts]


NEUTRAL = (
    {"name": "resample_turns", "threshold": 0.0},
    {"name": "end_thinking", "threshold": 0.0},
    {"name": "prune_failed_calls", "after_success": False, "stuck": 0},
    {"name": "induced_answers", "tries": 0},
)


def test_neutral_settings_change_nothing_to_the_last_bit(played):
    one, other = played(), played(*NEUTRAL)
    assert plain(one) == plain(other)
    assert [r.episode for r in one] == [r.episode for r in other]
    assert any(r.images for r in one)


def test_hooks_that_only_look_change_no_token(played):
    one, other = played(), played("goes_on")
    for a, b in zip(one, other, strict=True):
        assert [(s.author, s.token_ids) for s in a.segments] == [(s.author, s.token_ids) for s in b.segments]
        assert a.sampler_logprobs == pytest.approx(b.sampler_logprobs, abs=1e-5)
        assert (a.text, a.episode.calls) == (b.text, b.episode.calls)


def test_turns_are_written_again_with_other_randomness_and_the_same_each_time(played):
    hook = {"name": "resample_turns", "threshold": 99.0, "tries": 2}
    before, once, twice = played(), played(hook), played(hook)
    assert plain(once) == plain(twice)
    assert [r.episode for r in once] == [r.episode for r in twice]
    for a, b in zip(before, once, strict=True):
        assert a.segments[0] == b.segments[0], "the first turn has none to be compared with"
        if len(a.segments) > 2:
            assert a.segments[2].token_ids != b.segments[2].token_ids
            assert b.episode.rewrites["resample"] == 2 * (b.episode.turns - 1)
            assert b.episode.discarded_tokens >= b.episode.rewrites["resample"]
    assert any(r.episode.rewrites for r in once)


@pytest.mark.parametrize("stuck", [0, 2])
def test_failed_calls_are_dropped_with_what_was_said_of_them(played, stuck):
    hook = {"name": "prune_failed_calls", "stuck": stuck, "again": 1, "after_success": not stuck}
    before, after = played(turns=6), played(hook, turns=6)
    assert any(r.episode.discarded_calls for r in after)
    for a, b in zip(before, after, strict=True):
        if not b.episode.discarded_calls:
            continue
        assert b.episode.discarded_tokens > 0
        first = b.segments[0]
        if stuck:  # two failed, so the episode begins again
            assert b.episode.rewrites == {"truncate": b.episode.rewrites["truncate"]}
            assert first.token_ids != a.segments[0].token_ids
        else:  # the third was written behind two that are gone
            assert (first.author, first.token_ids) == ("forced", a.segments[4].token_ids)
            assert b.episode.calls[0].outcome == "done"
            assert b.images[0].digest == a.images[0].digest


def test_an_answer_that_is_not_sure_was_never_asked_for(played):
    hook = {"name": "induced_answers", "words": ["a", "o", "1"], "text": "5 9", "tokens": 3, "confidence": 2.0}
    before, after = played(tokens_per_turn=30), played(hook, tokens_per_turn=30)
    assert sum(r.episode.rewrites.get("inject", 0) for r in after) > 0
    for a, b in zip(before, after, strict=True):
        assert b.episode.rewrites.get("inject", 0) == b.episode.rewrites.get("truncate", 0)
        assert [(s.author, s.token_ids) for s in a.segments] == [(s.author, s.token_ids) for s in b.segments]


def test_an_answer_that_is_sure_ends_the_turn_and_the_text_that_led_to_it_has_no_weight(played):
    hook = {"name": "induced_answers", "words": ["a", "o", "1"], "text": "5 9", "tokens": 20, "confidence": 1e-9}
    after = played(hook, tokens_per_turn=60)
    led = [s for r in after for s in r.segments if s.author == "forced"]
    assert led
    assert {s.text for s in led} == {"5 9"}
    assert all("5 9" in "".join(s.text for s in r.segments) for r in after if r.episode.rewrites)
    assert not any(r.episode.discarded_tokens for r in after if r.episode.rewrites.get("truncate", 0) == 0)


def test_text_is_put_behind_turns_and_observations(played):
    rollouts = played("leads_on", tokens_per_turn=30)
    texts = [[(s.author, s.text) for s in r.segments] for r in rollouts]
    for rollout, parts in zip(rollouts, texts, strict=True):
        for (author, _), (following, text) in pairwise(parts):
            if author == "observation":
                assert (following, text) == ("forced", "so ")
        if rollout.episode.rewrites.get("inject") and len(parts) > 2:
            assert parts[1] == ("forced", "so ")
    assert any(r.episode.turns > 1 for r in rollouts)


def test_thinking_is_ended_once_it_changes_no_more(played):
    hook = {"name": "end_thinking", "every": 3, "threshold": 99.0, "text": "so"}
    rollouts = played(hook, tokens_per_turn=30)
    turns = [t for r in rollouts for t in [[s for s in r.segments if s.author != "observation"]]]
    forced = [s for turn in turns for s in turn if s.author == "forced"]
    assert forced
    assert {s.text for s in forced} == {"so"}


def test_a_hook_ends_an_episode_before_its_tools_are_called(played):
    for rollout in played("stops_at_once"):
        assert (rollout.episode.turns, rollout.episode.calls, rollout.finish_reason) == (1, (), "stop")
        assert rollout.episode.stopped == "seen enough"


def test_a_hook_without_an_end_is_refused(played):
    with pytest.raises(RunError, match="Endless rewrote one turn 64 times"):
        played("endless", tokens_per_turn=1, k=1)


def test_an_unknown_hook_is_refused_by_name():
    with pytest.raises(ConfigError, match="unknown boundary hook 'resample'"):
        environments.build({"name": "tools", "on_boundary": ["resample"]})


def test_no_token_is_drawn_by_a_number_that_is_known():
    state = Rewritten()
    state.injected()
    assert state.attempt == 1
    state.dropped()
    assert state.attempt == 0, "nothing of the first attempt was dropped"
    state.injected()
    assert state.attempt == 2
    state.dropped()
    state.dropped()
    assert state.attempt == 3, "0, 1 and 2 have lost tokens"


def test_an_attempt_has_its_own_randomness_and_the_first_is_as_before():
    request = Request(None, 2, Sampling(), 7)
    again = replace(request, attempts=(0, 1))
    assert again.seed_of(0) == request.seed_of(0)
    assert again.seed_of(1) != request.seed_of(1)
    assert len({again.seed_of(1), again.seed_of(1, 4), request.seed_of(1, 1)}) == 3


@pytest.mark.parametrize(
    "wrong", [{"attempts": (0,)}, {"attempts": (0, -1)}, {"new_tokens": (1,)}, {"new_tokens": (1, 0)}]
)
def test_numbers_that_are_not_one_for_each_response_are_refused(wrong):
    from vlrl.errors import EngineError

    with pytest.raises(EngineError, match=next(iter(wrong))):
        check_request(0, Request(None, 2, Sampling(), 7, **wrong))


def test_tokens_are_dropped_by_place_and_what_stands_behind_is_forced():
    seen = Segment((9, 9), (0.0, 0.0), 0, "observation")
    whole = Rollout((Segment((1, 2), (-1.0, -2.0), 0), seen, Segment((3, 4), (-3.0, -4.0), 0)), "x", "stop")
    assert without(whole, 5).segments == (*whole.segments[:2], Segment((3,), (-3.0,), 0))
    cut = without(whole, 0, 4)
    assert cut.segments == (Segment((3, 4), (0.0, 0.0), 0, "forced"),)
    assert without(whole, 6).segments == whole.segments
    for first, last in ((1, 3), (3, None), (2, 3)):
        with pytest.raises(RunError, match="an observation stands at 2 to 4"):
            without(whole, first, last)
    with pytest.raises(RunError, match="of 6"):
        without(whole, 5, 9)


def test_neighbours_of_one_version_are_one_segment():
    parts = (Segment((1,), (-1.0,), 0), Segment((2,), (-2.0,), 0), Segment((3,), (-3.0,), 1))
    assert merged(parts) == (Segment((1, 2), (-1.0, -2.0), 0), parts[2])


def test_settings_of_episodes_name_hooks():
    assert EpisodeSettings.model_fields["on_boundary"].default == ()

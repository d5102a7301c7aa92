"""The groups of one step: which are trained on, in how many rounds they are drawn, and credit that is given once."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import pytest
from scoring_cases import runtime_of
from small_models import ask, fresh

from vlrl.config import build_settings
from vlrl.errors import ConfigError, VerifierFaultError
from vlrl.model.training.torch_policy import TorchPolicy
from vlrl.rollout.environments.single_turn import SingleTurn
from vlrl.training.rl.clock import Clock
from vlrl.training.rl.collect_step import StepCollector
from vlrl.training.rl.rl_settings import OverSampling, RlSettings
from vlrl.training.session.open_session import Session
from vlrl.training.session.run_context import RunContext
from vlrl.types import Verdict

RIGHT, WRONG = "<answer>7</answer>", "<answer>3 and 4</answer>"
ALL_WRONG = (WRONG, WRONG + " red green blue left right red green blue left right")  # of unlike lengths
MIXED, MOSTLY = (RIGHT, WRONG), (RIGHT, RIGHT, RIGHT, WRONG)


def collected(loaded, rounds, **given):
    """One step over scripted rounds of problems with these responses; also the scorer and what was observed."""
    problems = [[ask(f"{r} {i} 3+4=?") for i in range(len(texts))] for r, texts in enumerate(rounds)]
    script = {p.id: t for ps, ts in zip(problems, rounds, strict=True) for p, t in zip(ps, ts, strict=True)}
    given = {
        "problems_per_step": len(rounds[0]),
        "rollouts_per_problem": 4,
        "sampling": {"max_tokens": 40},
        "over_sampling": {"max_rounds": len(rounds)},
    } | given
    settings, model = build_settings(RlSettings, given, "rl"), runtime_of(loaded, script)
    coming, seen = iter(problems), []
    mixture = SimpleNamespace(draw=lambda *rest: next(coming))
    sampler = SimpleNamespace(at=lambda step: None, observe=lambda groups: seen.append([g.pass_rate for g in groups]))
    context = RunContext(SimpleNamespace(rl=settings, seed=0, environment=SingleTurn()), None, None)
    collector = StepCollector(Session(context, None, mixture, sampler, model, None, None), None)
    batch = collector.collect(0, Fraction(0), Clock())
    if settings.over_sampling is not None:
        assert not batch.skipped, "the informative groups themselves are the batch"
    else:
        assert sorted(map(id, [*batch.groups, *batch.skipped])) == sorted(map(id, batch.drawn))
    return batch.groups, batch.drawn, collector.scorer, seen


OVERLONG = {"credit": {"advantage": "grpo", "shape": [{"name": "overlong", "margin_rate": 1.0, "weight": 1.0}]}}


def test_an_all_wrong_group_that_a_reward_part_tells_apart_is_not_what_dapo_draws_for(qwen3):
    """By advantage the first round is enough; by accuracy a second one is drawn, and only mixed groups are kept."""
    rounds = [[ALL_WRONG, MIXED], [MIXED, ALL_WRONG]]
    kept, drawn, _, _ = collected(qwen3, rounds, **OVERLONG)
    assert (len(drawn), [g.pass_rate for g in kept]) == (2, [0.0, 0.5])
    kept, drawn, _, _ = collected(qwen3, rounds, over_sampling={"by": "accuracy", "max_rounds": 2}, **OVERLONG)
    assert drawn[0].informative
    assert not drawn[0].mixed
    assert (len(drawn), [g.pass_rate for g in kept]) == (4, [0.5, 0.5])


def test_rounds_end_once_there_are_as_many_groups_as_wanted_and_no_more_are_kept(qwen3):
    kept, drawn, _, seen = collected(qwen3, [[MIXED, MOSTLY], [MIXED, MIXED]], over_sampling={"informative": 1})
    assert (len(kept), len(drawn)) == (1, 2)
    assert seen == [[0.5, 0.75]]
    kept, drawn, _, seen = collected(qwen3, [[MIXED, ALL_WRONG], [ALL_WRONG, MOSTLY], [MIXED, MIXED]])
    assert (len(kept), len(drawn)) == (2, 4)
    assert seen == [[0.5, 0.0], [0.0, 0.75]]  # each round once, as it came


@pytest.mark.parametrize("advantage", [{"name": "ctan", "decay": 0.5}, "reinforce_plus_plus"])
def test_credit_is_given_once_a_step_over_the_groups_of_all_rounds(qwen3, advantage):
    """Two rounds give the advantages, and leave the memory, of one round with all their groups."""
    rounds = [[MIXED, ALL_WRONG], [MOSTLY, ALL_WRONG]]
    settings = {"credit": {"advantage": advantage}, "over_sampling": {"informative": 2, "max_rounds": 2}}
    if advantage == "reinforce_plus_plus":
        settings["over_sampling"]["by"] = "accuracy"
    _, in_two, scorer, _ = collected(qwen3, rounds, **settings)
    _, in_one, whole, _ = collected(qwen3, [rounds[0] + rounds[1]], **settings)
    assert len(in_two) == 4
    assert [g.advantages for g in in_two] == [g.advantages for g in in_one]
    assert scorer.state_dict() == whole.state_dict()


def test_dapo_draws_until_as_many_mixed_groups_as_problems_a_step():
    settings = build_settings(RlSettings, {"preset": "dapo", "problems_per_step": 5}, "rl")
    assert settings.over_sampling == OverSampling(by="accuracy")
    assert settings.groups_wanted == 5
    more = build_settings(RlSettings, {"preset": "dapo", "over_sampling": {"informative": 9}}, "rl")
    assert (more.groups_wanted, more.over_sampling.by) == (9, "accuracy")
    assert build_settings(RlSettings, {"preset": "dapo", "over_sampling": None}, "rl").over_sampling is None
    with pytest.raises(ConfigError, match="partial and over_sampling"):
        build_settings(RlSettings, {"preset": "dapo", "partial": {"budget": 4}}, "rl")


NO_MORE = {"over_sampling": None}


def test_without_over_sampling_one_round_is_drawn_and_all_of_it_is_trained_on(qwen3):
    kept, drawn, _, seen = collected(qwen3, [[MIXED, ALL_WRONG], [MIXED, MIXED]], **NO_MORE)
    assert kept == drawn
    assert seen == [[0.5, 0.0]]


def test_groups_without_an_advantage_are_skipped_where_the_setting_says_so_and_stay_among_those_drawn(qwen3):
    kept, drawn, _, _ = collected(qwen3, [[ALL_WRONG, MIXED]], skip_uninformative=True, **NO_MORE)
    assert (len(kept), len(drawn)) == (1, 2)
    assert kept[0] is drawn[1]


def test_a_step_whose_verifier_breaks_too_often_ends_the_run(qwen3, monkeypatch):
    """A quarter of the verdicts are faults: allowed at a bound of one in four, too many below."""
    broken = iter([True, False, False, False] * 2)
    whole = SingleTurn.verdicts

    def verdicts(self, groups):
        return [
            tuple(Verdict.broken("no") if next(broken) else verdict for verdict in of_group)
            for of_group in whole(self, groups)
        ]

    monkeypatch.setattr(SingleTurn, "verdicts", verdicts)
    kept, _, _, _ = collected(qwen3, [[MIXED]], max_fault_rate=0.25, **NO_MORE)
    assert kept[0].judged == (False, True, True, True)
    with pytest.raises(VerifierFaultError):
        collected(qwen3, [[MIXED]], max_fault_rate=0.2, **NO_MORE)


def test_a_length_head_changes_no_response_and_is_kept_in_the_checkpoint(model_folders):
    """One step with it and one without: the same groups; what it learned is a part of the checkpoint."""
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    problems = [ask(f"{i} 3+4=?") for i in range(4)]
    script = {p.id: (RIGHT, WRONG) if i % 2 else ALL_WRONG for i, p in enumerate(problems)}
    mixture = SimpleNamespace(draw=lambda *rest: problems)
    sampler = SimpleNamespace(at=lambda step: None, observe=lambda groups: None)
    found = []
    for head in (None, {"gamma": 0.9}):
        settings = build_settings(RlSettings, {"sampling": {"max_tokens": 40}, "length_head": head}, "rl")
        context = RunContext(SimpleNamespace(rl=settings, seed=0, environment=SingleTurn()), None, None)
        session = Session(context, None, mixture, sampler, runtime_of(loaded, script), None, None)
        collector = StepCollector(session, TorchPolicy(loaded, settings.policy))
        found.append((collector.collect(0, Fraction(0), Clock()), collector.parts))
    (plain, without), (batch, parts) = found
    assert batch.drawn == plain.drawn
    assert set(parts) - set(without) == {"length_head"}
    assert "length_head/loss" not in plain.metrics
    before = parts["length_head"].state_dict()["head"]
    assert float(before["weight"].norm()) > 0
    assert batch.metrics["length_head/loss"] > 0

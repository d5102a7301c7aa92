"""Sources that the policy learns from get more, dead ones their floor; the pull of the loss goes the other way."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from vlrl.curriculum.problem_sampler import ProblemSampler, ProblemSamplerSettings
from vlrl.curriculum.task_utility import TaskUtilities, TaskUtility
from vlrl.data.mixture import Mixture
from vlrl.data.recipe import Recipe
from vlrl.errors import ConfigError
from vlrl.training.rl.rl_settings import RlSettings
from vlrl.types import Group, Problem, ScoredGroup, Text, Verdict

NAMES = ("a", "b", "dead")


def group(source: str, pass_rate: float) -> ScoredGroup:
    problem = Problem((Text("?"),), "7", "number", "text", "tests", source)
    verdicts = tuple(Verdict.right() if j < round(20 * pass_rate) else Verdict.wrong("") for j in range(20))
    return ScoredGroup.of(Group(problem, ()), verdicts)


def utilities(**given) -> TaskUtilities:
    return TaskUtilities(TaskUtility(**given), NAMES)


def mixture(*weights: float) -> Mixture:
    sources = [
        {"name": name, "kind": "domain", "domain": "arithmetic", "weight": weight}
        for name, weight in zip(NAMES, weights, strict=True)
    ]
    return Mixture(Recipe.model_validate({"sources": sources}), 0)


def sampler(held: Mixture, **given) -> ProblemSampler:
    return ProblemSampler(ProblemSamplerSettings(utility=TaskUtility(**given)), held)


def counts(held: Mixture, chooser: ProblemSampler, number: int) -> Counter:
    return Counter(problem.source for problem in held.draw(number, chooser=chooser))


def test_utility_is_a_moving_average_of_4p_times_one_less_p_and_its_trend():
    """By hand: potentials ½ (mean of 1 and 0), then 0; the average falls from ½ to ⅜, the trend from 0 to −1/32."""
    held = utilities(memory=0.75, trend=2.0)
    assert held.utility("a") == 1.0, "never tried"
    held.observe([group("a", 0.5), group("a", 0.0)])
    assert held.utility("a") == 0.5
    held.observe([group("a", 1.0), group("b", 0.25)])
    assert held.utility("a") == pytest.approx(3 / 8 - 2 / 32)
    assert held.utility("b") == pytest.approx(0.75)
    for _ in range(9):
        held.observe([group("a", 0.0)])
    assert held.utility("a") == 0.0, "a falling average's forecast is cut at nothing"


def test_what_rises_is_worth_more_than_what_falls_at_one_average():
    held = utilities(memory=0.5)
    for rising, falling in ((0.0, 0.5), (0.5, 0.0)):
        held.observe([group("a", rising), group("b", falling)])
    state = held.state_dict()
    state["averages"]["b"] = state["averages"]["a"]
    held.load_state_dict(state)
    flat = utilities(memory=0.5, trend=0.0)
    flat.load_state_dict(state)
    assert held.utility("a") > flat.utility("a") == flat.utility("b") > held.utility("b")


def test_a_group_that_could_not_be_judged_says_nothing_of_its_source():
    held = utilities()
    broken = group("a", 0.0)
    held.observe([ScoredGroup.of(broken, (Verdict.broken("no"),) * 20)])
    assert held.metrics() == {}


def test_a_dead_source_gets_the_floor_of_its_share_and_others_share_the_rest_by_utility():
    """Recipe ½, ¼, ¼; utilities 1, ½, 0, of weighted mean ⅝: factors .2 + .8·(8/5, 4/5, 0), so 74, 21, 5 of 100."""
    held = mixture(2, 1, 1)
    chooser = sampler(held, floor=0.2, trend=0.0, memory=0.0)
    assert counts(held, chooser, 40) == {"a": 20, "b": 10, "dead": 10}
    chooser.observe([group("a", 0.5), group("b", 0.5), group("b", 0.0), group("dead", 0.0), group("dead", 1.0)])
    assert counts(held, chooser, 100) == {"a": 74, "b": 21, "dead": 5}
    chooser.observe([group(name, 0.0) for name in NAMES])
    assert counts(held, chooser, 40) == {"a": 20, "b": 10, "dead": 10}, "nobody learns: the recipe's shares"


def test_a_floor_of_one_draws_and_pulls_as_without_utility():
    plain, held = mixture(2, 1, 1), mixture(2, 1, 1)
    chooser = sampler(held, floor=1.0, pull=True)
    for _ in range(3):
        assert [p.id for p in held.draw(8, chooser=chooser)] == [p.id for p in plain.draw(8)]
        chooser.observe([group("a", 0.5), group("b", 0.3), group("dead", 0.0)])
    assert held.state_dict() == plain.state_dict()
    assert chooser.pulls == dict.fromkeys(NAMES, 1.0)
    assert sampler(held, floor=0.5).pulls is None
    assert ProblemSampler(ProblemSamplerSettings(), held).pulls is None


def test_the_pull_goes_as_one_over_utility_and_has_mean_one():
    """Utilities 1, ½, 0 of mean ½; factors .2 + .8·(2, 1, 0) = 1.8, 1, .2; their inverses over the inverses' mean."""
    held = utilities(floor=0.2, memory=0.0, trend=0.0, pull=True)
    held.observe([group("a", 0.5), group("b", 0.5), group("b", 0.0), group("dead", 0.0)])
    found = held.pulls()
    inverse = [1 / 1.8, 1.0, 5.0]
    assert [found[name] for name in NAMES] == pytest.approx([3 * value / sum(inverse) for value in inverse])
    assert sum(found.values()) == pytest.approx(3.0)
    assert held.metrics()["pull/dead"] == found["dead"]


def test_a_resumed_run_draws_and_pulls_as_the_one_that_went_on():
    held = mixture(2, 1, 1)
    chooser = sampler(held, pull=True)
    for rates in ((0.5, 0.2, 0.0), (0.7, 0.4, 0.0), (0.8, 0.5, 0.1)):
        held.draw(7, chooser=chooser)
        chooser.observe([group(name, rate) for name, rate in zip(NAMES, rates, strict=True)])
    resumed = mixture(2, 1, 1)
    again = sampler(resumed, pull=True)
    resumed.load_state_dict(json.loads(json.dumps(held.state_dict())))
    again.load_state_dict(json.loads(json.dumps(chooser.state_dict())))
    for _ in range(2):
        assert [p.id for p in resumed.draw(9, chooser=again)] == [p.id for p in held.draw(9, chooser=chooser)]
        assert again.pulls == chooser.pulls
        for one in (again, chooser):
            one.observe([group("a", 0.9), group("b", 0.6)])
    assert again.metrics() == chooser.metrics()


def test_one_source_has_nothing_to_be_compared_with():
    alone = Mixture(Recipe.model_validate({"sources": [{"name": "a", "kind": "domain", "domain": "arithmetic"}]}), 0)
    with pytest.raises(ConfigError, match=r"utility[\s\S]*compares sources, the recipe has \['a'\]"):
        sampler(alone)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"loss": {"name": "kimi", "tau": 0.0}, "updates_per_step": 2}, "has none"),
        ({"loss": "gspo", "updates_per_step": 2}, "has none"),
        ({"loss": "kimi"}, "zero in the first update"),
        ({"loss": {"name": "grpo", "beta": 0.1}}, "zero in the first update"),
        (
            {"loss": "kimi", "updates_per_step": 2, "credit": {"advantage": {"name": "log_partition", "tau": 0.1}}},
            "one τ for all",
        ),
    ],
)
def test_a_scaled_pull_that_would_have_no_effect_is_refused(given, said):
    with pytest.raises(ValueError, match=said):
        RlSettings(problem_sampler={"utility": {"pull": True}}, **given)
    RlSettings(problem_sampler={"utility": {}}, **given)


def test_a_pull_that_is_there_may_be_scaled():
    scaled = {"problem_sampler": {"utility": {"pull": True}}}
    RlSettings(loss="kimi", epochs_per_step=2, **scaled)
    RlSettings(loss={"name": "grpo", "beta": 0.1}, reference={"path": "runs/x/model_sft"}, **scaled)

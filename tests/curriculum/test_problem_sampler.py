"""Weights choose inside a source's share, by hand and by frequency; success is kept, budgets and gaps change shares."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

import pytest
from scipy.stats import chisquare

from vlrl.curriculum.problem_sampler import ProblemSampler, ProblemSamplerSettings
from vlrl.curriculum.problem_weights import (
    ByEntropyAndAccuracy,
    Candidate,
    EasyToHard,
    Prioritised,
    Uniform,
    WarmupThenHard,
    problem_weights,
)
from vlrl.data.mixture import Mixture
from vlrl.data.recipe import Recipe
from vlrl.errors import ConfigError, DataError
from vlrl.scenes.domain import domain
from vlrl.seeding import stream
from vlrl.types import Draft, Group, Rollout, ScoredGroup, Segment, Verdict


@domain("drawing_test_numbers", family="tests", modality="text")
@dataclass(frozen=True)
class Numbers:
    """Many different questions."""

    verifier = "number"

    def draw(self, rng, difficulty):
        number = int(rng.integers(10**9))
        return Draft(f"{number}+0=?", str(number), thought=f"{number}")


def endless(name: str, weight: float = 1.0, **more) -> dict:
    return {"name": name, "kind": "domain", "domain": "drawing_test_numbers", "weight": weight, **more}


def rendered(name: str, of: str, weight: float = 1.0) -> dict:
    return {"name": name, "kind": "rendered", "of": of, "weight": weight}


def recipe(*sources: dict) -> Recipe:
    return Recipe.model_validate({"sources": sources})


def rows_recipe(tmp_path, count: int, labelled: bool = False, streaming: bool = False) -> Recipe:
    file = tmp_path / "rows.jsonl"
    rows = [{"question": f"{i}?", "answer": str(i), "hard": i / count} for i in range(count)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = {"name": "rows", "kind": "file", "path": str(file), "modality": "text", "verifier": "number"}
    columns = {"difficulty": "hard"} if labelled else {}
    return recipe({**source, "held_out": 0.0, "columns": columns, "streaming": streaming})


def scored(problem, pass_rate: float, k: int = 20) -> ScoredGroup:
    verdicts = tuple(Verdict.right() if j < round(k * pass_rate) else Verdict.wrong("") for j in range(k))
    return ScoredGroup.of(Group(problem, ()), verdicts)


def sampler(mixture: Mixture, *parts, **more) -> ProblemSampler:
    return ProblemSampler(ProblemSamplerSettings(weights=parts, **more), mixture)


def test_weights_by_hand():
    hard, easy, new = Candidate(0.8, 0.25), Candidate(0.2, 1.0), Candidate(0.5, None)
    assert [Uniform()(one, 3) for one in (hard, easy, new)] == [1.0, 1.0, 1.0]
    assert [Prioritised()(one, 3) for one in (hard, easy, new)] == [0.75, 0.05, 0.5]
    assert [Prioritised(prior=0.0)(one, 3) for one in (hard, easy, new)] == [0.75, 0.05, 1.0]
    switch = WarmupThenHard(switch_step=5)
    assert [switch(one, 4) for one in (hard, easy, new)] == [1.0, 1.0, 1.0]
    assert [switch(one, 5) for one in (hard, easy, new)] == [1.0, 0.0, 1.0]
    by_success = WarmupThenHard(switch_step=0, by="success", prior=0.4)
    assert [by_success(one, 0) for one in (hard, easy, new)] == [1.0, 0.0, 0.0]
    rising = EasyToHard(first=0.2, end_step=10)  # ceilings 0.2, 0.6, 1
    assert [[rising(one, step) for one in (hard, easy, new)] for step in (0, 5, 10)] == [
        [0.0, 1.0, 0.0],
        [0.0, 1.0, 1.0],
        [1.0, 1.0, 1.0],
    ]


@pytest.mark.parametrize("settings", [ProblemSamplerSettings(), ProblemSamplerSettings(weights=["uniform"])])
def test_uniform_draws_are_those_of_the_mixture_alone(settings, tmp_path):
    for held in (rows_recipe(tmp_path, 30), recipe(endless("a", 2), endless("b"), rendered("c", "a"))):
        plain, drawn = Mixture(held, 3), Mixture(held, 3)
        chooser = ProblemSampler(settings, drawn)
        for step in range(4):
            expected = [p.id for p in plain.draw(12, Fraction(step, 4))]
            assert [p.id for p in drawn.draw(12, Fraction(step, 4), chooser.at(step))] == expected
        assert drawn.state_dict() == plain.state_dict()


def test_the_order_of_draws_is_the_one_worked_out_by_hand():
    """Each turn of the endless order is taken where its own number falls below the weight of its difficulty."""
    mixture = Mixture(recipe(endless("a")), 5)
    source = mixture.sources[0]
    chooser = sampler(mixture, EasyToHard(first=0.25, end_step=100))
    expected = [i for i in range(200) if source.difficulty_of("train", i) <= 0.25][:6]
    by_hand = [source.item("train", i)[0].id for i in expected]
    assert [p.id for p in mixture.draw(6, chooser=chooser.at(0))] == by_hand
    assert mixture.counts["passed_over"]["a"] == expected[-1] - 5


def test_the_difficulty_that_is_looked_up_is_the_one_that_is_drawn():
    for source in Mixture(recipe(endless("a", difficulty=[0.2, 0.7]), rendered("b", "a")), 1).sources:
        for index in range(20):
            assert source.difficulty_of("train", index) == source.item("train", index)[0].difficulty


def test_prioritised_draws_of_rows_are_in_proportion_to_one_less_their_success(tmp_path):
    mixture = Mixture(rows_recipe(tmp_path, 10), 0)
    chooser = sampler(mixture, Prioritised(floor=0.1), memory=0.0)
    rates = {}
    for problem in mixture.draw(40, chooser=chooser):  # every row is met
        rates[problem.id] = int(problem.answer) / 10
    assert len(rates) == 10
    chooser.observe([scored(p, int(p.answer) / 10) for p in mixture.draw(60, chooser=chooser)])
    drawn = Counter(p.answer for p in mixture.draw(4000, chooser=chooser))
    wanted = [max(0.1, 1 - i / 10) for i in range(10)]
    observed = [drawn[str(i)] for i in range(10)]
    assert chisquare(observed, [4000 * w / sum(wanted) for w in wanted]).pvalue > 1e-3
    assert chisquare(observed, [400.0] * 10).pvalue < 1e-9  # the same check sees that it is not uniform


def test_prioritised_draws_of_a_domain_are_in_proportion_by_bin_of_difficulty():
    mixture = Mixture(recipe(endless("a")), 2)
    chooser = sampler(mixture, Prioritised(floor=0.01), bins=4, memory=0.0)
    plain = Mixture(recipe(endless("a")), 7).draw(200)
    chooser.observe([scored(p, int(p.difficulty * 4) / 4) for p in plain])  # success 0, ¼, ½, ¾ by bin
    drawn = Counter(int(p.difficulty * 4) for p in mixture.draw(3000, chooser=chooser))
    assert chisquare([drawn[b] for b in range(4)], [3000 * w / 2.5 for w in (1, 0.75, 0.5, 0.25)]).pvalue > 1e-3


def test_weights_are_multiplied():
    mixture = Mixture(recipe(endless("a")), 2)
    chooser = sampler(mixture, WarmupThenHard(switch_step=0, hard=0.5), EasyToHard(first=0.75, end_step=1000))
    found = [p.difficulty for p in mixture.draw(50, chooser=chooser.at(0))]
    assert min(found) >= 0.5
    assert max(found) <= 0.75


def test_weights_change_nothing_of_the_shares():
    mixture = Mixture(recipe(endless("a", 3), endless("b", 1)), 2)
    chooser = sampler(mixture, EasyToHard(first=0.1))
    assert Counter(p.source for p in mixture.draw(40, chooser=chooser.at(0))) == {"a": 30, "b": 10}


def test_success_is_a_moving_average_and_survives_a_checkpoint(tmp_path):
    mixture = Mixture(rows_recipe(tmp_path, 8), 0)
    first, again = (sampler(mixture, Prioritised(), memory=0.75) for _ in range(2))
    problem = mixture.draw(1, chooser=first)[0]
    first.observe([scored(problem, 1.0)])
    first.observe([scored(problem, 0.0)])
    assert first.metrics() == {"curriculum/success": 0.75, "curriculum/tried": 1.0}
    again.load_state_dict(json.loads(json.dumps(first.state_dict())))
    resumed = Mixture(rows_recipe(tmp_path, 8), 0)
    resumed.load_state_dict(mixture.state_dict())
    assert again.metrics() == first.metrics()
    assert [p.id for p in resumed.draw(50, chooser=again)] == [p.id for p in mixture.draw(50, chooser=first)]


def test_a_group_that_could_not_be_judged_says_nothing_of_success(tmp_path):
    mixture = Mixture(rows_recipe(tmp_path, 8), 0)
    chooser = sampler(mixture, Prioritised())
    broken = ScoredGroup.of(Group(mixture.draw(1)[0], ()), (Verdict.broken("no"),))
    chooser.observe([broken])
    assert chooser.metrics() == {}


def test_budgets_fix_the_modalities_and_keep_proportions_within():
    held = recipe(endless("a", 3), endless("b", 1), rendered("c", "a", 4))
    mixture = Mixture(held, 0)
    chooser = ProblemSampler(ProblemSamplerSettings(budgets={"text": 0.8, "rendered": 0.2}), mixture)
    assert Counter(p.source for p in mixture.draw(40, chooser=chooser)) == {"a": 24, "b": 8, "c": 8}


def test_a_modality_gap_gives_rendered_problems_more():
    """Text and rendered half and half; a gap of ½ at gain 2 doubles rendered: 2/3. No gap, no change."""
    mixture = Mixture(recipe(endless("a"), rendered("b", "a")), 0)
    chooser = ProblemSampler(ProblemSamplerSettings(modality_gap={"gain": 2.0, "most": 2.0}), mixture)
    assert Counter(p.source for p in mixture.draw(30, chooser=chooser)) == {"a": 15, "b": 15}
    chooser.validated({"twins/text": 0.9, "twins/rendered": 0.4})
    assert Counter(p.source for p in mixture.draw(30, chooser=chooser)) == {"a": 10, "b": 20}
    again = ProblemSampler(ProblemSamplerSettings(modality_gap={"gain": 2.0}), mixture)
    again.load_state_dict(chooser.state_dict())
    assert Counter(p.source for p in mixture.draw(30, chooser=again)) == {"a": 10, "b": 20}
    chooser.validated({"twins/text": 0.4, "twins/rendered": 0.6})
    assert Counter(p.source for p in mixture.draw(30, chooser=chooser)) == {"a": 15, "b": 15}


def test_text_without_a_twin_is_no_part_of_the_gap():
    """Easy text problems beside the twins are no reason to draw more rendered ones."""
    mixture = Mixture(recipe(endless("a"), rendered("b", "a")), 0)
    chooser = ProblemSampler(ProblemSamplerSettings(modality_gap={"gain": 2.0}), mixture)
    of_all = {"accuracy/text": 0.9, "accuracy/rendered": 0.4}
    chooser.validated({**of_all, "twins/text": 0.4, "twins/rendered": 0.4})
    chooser.validated({"benchmark/x": 1.0})  # between two validations
    assert Counter(p.source for p in mixture.draw(30, chooser=chooser)) == {"a": 15, "b": 15}


def test_rows_with_a_difficulty_have_a_curriculum(tmp_path):
    for streaming in (False, True):
        mixture = Mixture(rows_recipe(tmp_path, 20, labelled=True, streaming=streaming), 3)
        chooser = sampler(mixture, EasyToHard(first=0.3, end_step=100))
        first = [p.difficulty for p in mixture.draw(7, chooser=chooser.at(0))]
        assert sorted(first) == [i / 20 for i in range(7)]  # each row up to the ceiling once
        assert mixture.counts["passed_over"]["rows"] > 0


def test_success_on_a_stream_of_labelled_rows_is_kept_by_bin(tmp_path):
    mixture = Mixture(rows_recipe(tmp_path, 20, labelled=True, streaming=True), 3)
    chooser = sampler(mixture, Prioritised(floor=0.01), bins=2, memory=0.0)
    chooser.observe([scored(p, 1.0 if p.difficulty < 0.5 else 0.0) for p in mixture.draw(20, chooser=chooser)])
    assert chooser.metrics() == {"curriculum/success": 0.5, "curriculum/tried": 2.0}
    assert min(p.difficulty for p in mixture.draw(10, chooser=chooser)) >= 0.5


def test_settings_that_do_not_fit_the_recipe_are_refused(tmp_path):
    mixture = Mixture(recipe(endless("a")), 0)
    with pytest.raises(ConfigError, match="the recipe has"):
        ProblemSampler(ProblemSamplerSettings(budgets={"text": 0.5, "real": 0.5}), mixture)
    with pytest.raises(ConfigError, match="compares text with rendered"):
        ProblemSampler(ProblemSamplerSettings(modality_gap={}), mixture)
    with pytest.raises(ValueError, match="add up to 1"):
        ProblemSamplerSettings(budgets={"text": 0.5})
    rows = Mixture(rows_recipe(tmp_path, 5), 0)
    with pytest.raises(DataError, match="no difficulty"):
        sampler(rows, EasyToHard())
    sampler(rows, EasyToHard(by="success"))
    stream_of_rows = Mixture(rows_recipe(tmp_path, 5, streaming=True), 0)
    for part in (Prioritised(), WarmupThenHard(by="success")):
        with pytest.raises(DataError, match="stream of rows"):
            sampler(stream_of_rows, part)


def test_a_source_without_any_problem_that_is_taken_says_so():
    mixture = Mixture(recipe(endless("a", difficulty=[0.0, 0.2])), 0)
    with pytest.raises(DataError, match=r"no problem that rl\.problem_sampler\.weights take"):
        mixture.draw(1, chooser=sampler(mixture, WarmupThenHard(switch_step=0, by="success", hard=0.8)))


def test_general_problems_between_solved_and_hopeless_come_by_their_entropy():
    """By hand: s = ½ at the largest entropy 1, at half of it ½; s = ¼ half of that; solved ones the floor."""
    part = ByEntropyAndAccuracy(floor=0.05, prior=0.7)
    assert part(Candidate(None, 0.5, 1.0, True), 0) == 1.0
    assert part(Candidate(None, 0.5, 0.5, True), 0) == 0.5
    assert part(Candidate(None, 0.25, 0.5, True), 0) == part(Candidate(None, 0.75, 0.5, True), 0) == 0.25
    assert part(Candidate(None, 1.0, 1.0, True), 0) == part(Candidate(None, 0.0, 1.0, True), 0) == 0.05
    assert part(Candidate(None, None, None, True), 0) == 0.7
    assert part(Candidate(None, 1.0, None, False), 0) == 1.0, "not general"
    assert ByEntropyAndAccuracy(floor=1.0)(Candidate(None, 1.0, 0.1, True), 0) == 1.0


def uncertain(problem, pass_rate: float, entropy: float) -> ScoredGroup:
    """Ten tokens a response of which two are uncertain; what an environment wrote is surer still of nothing."""
    own, seen = Segment((1,) * 10, (0.0,) * 10, 0), Segment((2,) * 5, (0.0,) * 5, 0, "observation")
    values = ((entropy, entropy, *(0.0,) * 8, *(9.0,) * 5),) * 20
    verdicts = scored(problem, pass_rate).verdicts
    group = Group(problem, (Rollout((own, seen), "x", "stop"),) * 20)
    return ScoredGroup.of(group, verdicts, {"entropy": values})


def test_the_order_of_general_problems_follows_their_scores_and_the_shares_stay():
    """Easy bins solved, hard ones hopeless, between them one uncertain bin and one that is sure of itself."""
    mixture = Mixture(recipe(endless("target"), endless("pool", 3)), 2)
    settings = ProblemSamplerSettings(weights=[ByEntropyAndAccuracy(floor=0.01)], bins=4, memory=0.0)
    chooser = ProblemSampler(settings, mixture, general=["pool"])
    met = mixture.draw(80, chooser=chooser)
    assert Counter(p.source for p in met) == {"target": 20, "pool": 60}, "nothing tried yet"
    outcomes = {0: (1.0, 1.0), 1: (0.5, 1.0), 2: (0.5, 0.25), 3: (0.0, 1.0)}  # bin: success, entropy
    chooser.observe([uncertain(p, *outcomes[int(p.difficulty * 4)]) for p in met])
    assert chooser.metrics()["curriculum/entropy"] == pytest.approx(3.25 / 4)
    drawn = Counter((p.source, int(p.difficulty * 4)) for p in mixture.draw(2000, chooser=chooser))
    pool = [drawn["pool", b] for b in range(4)]
    wanted = [0.01, 1.0, 0.25, 0.01]
    assert chisquare(pool, [1500 * w / sum(wanted) for w in wanted]).pvalue > 1e-3
    assert chisquare([drawn["target", b] for b in range(4)]).pvalue > 1e-3, "others have their turn"
    assert sum(pool) == 1500
    again = ProblemSampler(settings, mixture, general=["pool"])
    again.load_state_dict(json.loads(json.dumps(chooser.state_dict())))
    resumed = Mixture(recipe(endless("target"), endless("pool", 3)), 2)
    resumed.load_state_dict(mixture.state_dict())
    assert [p.id for p in resumed.draw(40, chooser=again)] == [p.id for p in mixture.draw(40, chooser=chooser)]
    assert again.metrics() == chooser.metrics()


def test_general_sources_are_some_of_the_recipes():
    mixture = Mixture(recipe(endless("a"), endless("b")), 0)
    for names in (["c"], ["a", "b"]):
        with pytest.raises(ConfigError, match=r"rl\.general[\s\S]*name some of them, not all"):
            ProblemSampler(ProblemSamplerSettings(weights=["heal"]), mixture, general=names)


def test_every_weight_is_tested_here():
    assert set(problem_weights) == {"uniform", "warmup_then_hard", "easy_to_hard", "prioritised", "heal"}
    assert stream(0, "drawing", "a", 0, 0).random() != stream(0, "drawing", "a", 1, 0).random()


def test_a_modality_with_a_budget_of_zero_is_never_drawn():
    mixture = Mixture(recipe(endless("a"), rendered("b", "a", 4)), 0)
    chooser = ProblemSampler(ProblemSamplerSettings(budgets={"text": 0, "rendered": 1}), mixture)
    for _ in range(3):
        assert Counter(p.source for p in mixture.draw(7, chooser=chooser)) == {"b": 7}
    with pytest.raises(ValueError, match="0 or above"):
        ProblemSamplerSettings(budgets={"text": -0.5, "rendered": 1.5})


def test_labels_that_no_weight_takes_after_its_switch_are_found_before_the_run():
    """Difficulties up to .7 and hard problems from .8 on: the switch would leave nothing."""
    mixture = Mixture(recipe(endless("a", difficulty=[0.2, 0.7])), 1)
    hard = ProblemSamplerSettings(weights=[WarmupThenHard(switch_step=5, hard=0.8)])
    with pytest.raises(DataError, match=r"source 'a'.*from step 6 on[\s\S]*take no problem: difficulties are 0\.2"):
        ProblemSampler(hard, mixture, steps=10)
    ProblemSampler(hard, mixture, steps=5)  # ends before the switch
    ProblemSampler(ProblemSamplerSettings(weights=[WarmupThenHard(switch_step=5, hard=0.6)]), mixture, steps=10)
    with pytest.raises(DataError, match="from step 1 on"):
        ProblemSampler(ProblemSamplerSettings(weights=[EasyToHard(first=0.1)]), mixture, steps=10)
    both = [WarmupThenHard(switch_step=5, hard=0.6), EasyToHard(first=0.3, end_step=1000)]
    with pytest.raises(DataError, match="from step 6 on"):
        ProblemSampler(ProblemSamplerSettings(weights=both), mixture, steps=10)
    by_success = WarmupThenHard(switch_step=5, hard=0.8, by="success")
    ProblemSampler(ProblemSamplerSettings(weights=[by_success]), mixture, steps=10)

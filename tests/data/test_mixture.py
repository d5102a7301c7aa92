"""The mixture: exact shares, held-out problems left out, and draws that go on where they stopped."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlrl.data.mixture import Mixture, held_out_problems
from vlrl.data.recipe import Recipe
from vlrl.errors import ConfigError, DataError, RunError
from vlrl.scenes.domain import domain
from vlrl.types import Draft


@domain("mixture_test_numbers", family="tests", modality="text")
@dataclass(frozen=True)
class Numbers:
    """One of `of` different questions."""

    of: int = 10**6
    verifier = "number"

    def draw(self, rng, difficulty):
        number = int(rng.integers(self.of))
        return Draft(f"{number}+0=?", str(number), thought=f"{number}")


def numbers(name: str, weight: float = 1.0, of: int = 10**6) -> dict:
    return {"name": name, "kind": "domain", "domain": {"name": "mixture_test_numbers", "of": of}, "weight": weight}


def recipe(*sources: dict) -> Recipe:
    return Recipe.model_validate({"sources": sources})


def rows_recipe(tmp_path, count: int) -> Recipe:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps({"question": f"{i}?", "answer": str(i)}) + "\n" for i in range(count)))
    source = {"name": "rows", "kind": "file", "path": str(file), "modality": "text", "verifier": "number"}
    return recipe({**source, "held_out": 0.0})


def test_eight_problems_split_by_weights_one_two_five():
    mixture = Mixture(recipe(numbers("a", 1), numbers("b", 2), numbers("c", 5)), seed=0)
    for _ in range(3):
        assert Counter(p.source for p in mixture.draw(8)) == {"a": 1, "b": 2, "c": 5}


def test_remainders_are_carried_over_from_draw_to_draw():
    mixture = Mixture(recipe(numbers("a"), numbers("b"), numbers("c")), seed=0)
    drawn = [Counter(p.source for p in mixture.draw(4)) for _ in range(3)]
    assert drawn == [{"a": 2, "b": 1, "c": 1}, {"a": 1, "b": 2, "c": 1}, {"a": 1, "b": 1, "c": 2}]


@settings(max_examples=60, deadline=None)
@given(
    weights=st.lists(st.sampled_from([0.1, 0.25, 1, 2, 3.7, 10]), min_size=1, max_size=5),
    counts=st.lists(st.integers(0, 17), min_size=1, max_size=6),
)
def test_every_draw_is_whole_and_shares_hold_over_time(weights, counts):
    made = recipe(*(numbers(f"s{i}", weight) for i, weight in enumerate(weights)))
    mixture, given_so_far = Mixture(made, seed=1), Counter()
    for count in counts:
        drawn = mixture.draw(count)
        assert len(drawn) == count
        given_so_far.update(problem.source for problem in drawn)
    total = sum(counts)
    for name, share in made.shares.items():
        assert abs(given_so_far[name] - share * total) <= Fraction(len(weights), 2)


def test_sources_are_interleaved():
    mixture = Mixture(recipe(numbers("a", 1), numbers("b", 3)), seed=0)
    assert "".join(problem.source for problem in mixture.draw(8)) == "babbbabb"


def test_the_same_seed_gives_the_same_draws_and_another_seed_others():
    made = recipe(numbers("a"), numbers("b"))
    first, again, other = (Mixture(made, seed) for seed in (3, 3, 4))
    ids = [p.id for p in first.draw(20)]
    assert ids == [p.id for p in again.draw(20)]
    assert ids != [p.id for p in other.draw(20)]


def test_draws_of_different_sizes_walk_through_the_same_problems():
    made = recipe(numbers("a"))
    small, large = Mixture(made, 0), Mixture(made, 0)
    assert [p.id for _ in range(4) for p in small.draw(5)] == [p.id for p in large.draw(20)]


def test_a_resumed_mixture_gives_the_same_draws(tmp_path):
    made = recipe(numbers("a", 2), numbers("b", 3), *rows_recipe(tmp_path, 7).sources)
    whole = Mixture(made, seed=5)
    whole.draw(11)
    whole.draw_from("b", 3)
    state = json.loads(json.dumps(whole.state_dict()))
    resumed = Mixture(made, seed=5)
    resumed.load_state_dict(state)
    assert [p.id for p in resumed.draw(23)] == [p.id for p in whole.draw(23)]
    assert resumed.counts == whole.counts


def test_a_state_of_another_mixture_is_refused():
    state = Mixture(recipe(numbers("a")), 0).state_dict()
    with pytest.raises(RunError, match="seed 0"):
        Mixture(recipe(numbers("a")), 1).load_state_dict(state)
    with pytest.raises(RunError):
        Mixture(recipe(numbers("a"), numbers("b")), 0).load_state_dict(state)


def test_held_out_problems_are_never_drawn_and_are_counted():
    made = recipe(numbers("a", of=40))
    held_out = held_out_problems(made, 0, "test", 10)
    mixture = Mixture(made, 0, held_out)
    assert not {p.id for p in mixture.draw(300)} & {p.id for p in held_out}
    assert mixture.counts["held_out"]["a"] > 30
    assert mixture.counts["drawn"]["a"] == 300


def test_the_twin_of_a_held_out_text_problem_is_not_drawn_either():
    drawn = {"name": "drawn", "kind": "rendered", "of": "a", "style": {"name": "cells", "cell": 16, "size": 48}}
    made = recipe(numbers("a", of=80), {**drawn, "weight": 1})
    held_out = [p for p in held_out_problems(made, 0, "validation", 8) if p.modality == "text"]
    rendered = Mixture(made, 0, held_out).draw_from("drawn", 200)
    assert not {p.twin for p in rendered} & {p.id for p in held_out}


def test_leaving_out_held_out_problems_does_not_shift_the_difficulty():
    @domain("mixture_test_levels", family="tests", modality="text")
    @dataclass(frozen=True)
    class Levels:
        verifier = "number"

        def draw(self, rng, difficulty):
            easy = difficulty < 0.5
            number = int(rng.integers(100 if easy else 10**9))
            return Draft(f"{'easy' if easy else 'hard'} {number}", str(number))

    made = recipe({"name": "levels", "kind": "domain", "domain": "mixture_test_levels"})
    held_out = [p for split in ("validation", "test") for p in held_out_problems(made, 0, split, 100)]
    mixture = Mixture(made, 0, held_out)
    easy = sum(problem.difficulty < 0.5 for problem in mixture.draw(1000))
    assert mixture.counts["held_out"]["levels"] > 100
    assert 440 < easy < 560  # 500 ± 3.8 standard deviations; about 340 if every skipped draw were drawn again


def test_held_out_sets_leave_half_of_a_small_space_to_training():
    made = recipe(numbers("a", of=100))
    with pytest.raises(DataError, match="no further usable problem"):
        held_out_problems(made, 0, "validation", 50)
    held_out = [p for split in ("validation", "test") for p in held_out_problems(made, 0, split, 15)]
    assert len({p.id for p in held_out}) == 30
    assert len({p.id for p in Mixture(made, 0, held_out).draw(1000)}) == 70


def test_a_source_that_is_held_out_whole_is_an_error_rather_than_an_endless_loop():
    made = recipe(numbers("a", of=3))
    everything = Mixture(made, 0).draw(50)
    with pytest.raises(DataError, match="no further usable problem"):
        Mixture(made, 0, everything).draw(1)


def test_every_row_comes_once_an_epoch_in_a_new_order(tmp_path):
    mixture = Mixture(rows_recipe(tmp_path, 20), seed=0)
    first, second = ([p.answer for p in mixture.draw(20)] for _ in range(2))
    assert sorted(first) == sorted(second) == sorted(str(i) for i in range(20))
    assert first != second
    mixture.draw(1)
    assert mixture.counts["epochs"]["rows"] == 2


def test_drawing_from_one_source_leaves_the_shares_of_the_mixture_alone():
    mixture = Mixture(recipe(numbers("a"), numbers("b")), seed=0)
    assert {p.source for p in mixture.draw_from("b", 6)} == {"b"}
    assert Counter(p.source for p in mixture.draw(4)) == {"a": 2, "b": 2}


def test_a_weight_that_changes_over_training_by_hand():
    falling = {**numbers("a"), "weight": [[0, 3], [0.5, 1]]}
    made = recipe(falling, numbers("b", 1))
    assert made.shares_at(Fraction(0)) == {"a": Fraction(3, 4), "b": Fraction(1, 4)}
    assert made.shares_at(Fraction(1, 4)) == {"a": Fraction(2, 3), "b": Fraction(1, 3)}  # weight 2, halfway down
    assert made.shares_at(Fraction(9, 10)) == {"a": Fraction(1, 2), "b": Fraction(1, 2)}
    assert made.shares == {"a": Fraction(3, 5), "b": Fraction(2, 5)}  # mean weight (3 + 1)/2 · ½ + 1 · ½ = 1.5
    mixture = Mixture(made, seed=0)
    drawn = [Counter(p.source for p in mixture.draw(12, Fraction(step, 4))) for step in range(4)]
    assert drawn == [{"a": 9, "b": 3}, {"a": 8, "b": 4}, {"a": 6, "b": 6}, {"a": 6, "b": 6}]


def test_a_source_may_come_in_later():
    late = {**numbers("late"), "weight": [[0, 0], [0.5, 0], [1, 1]]}
    mixture = Mixture(recipe(numbers("a"), late), seed=0)
    assert Counter(p.source for p in mixture.draw(10, Fraction(1, 2))) == {"a": 10}
    assert Counter(p.source for p in mixture.draw(10, Fraction(1))) == {"a": 5, "late": 5}


def test_what_a_schedule_owes_stays_owed_and_sums_to_the_shares():
    made = recipe({**numbers("a"), "weight": [[0, 1], [1, 0.1]]}, numbers("b", 0.7), numbers("c", 2))
    mixture, got = Mixture(made, seed=2), Counter()
    due = dict.fromkeys("abc", Fraction(0))
    for step in range(50):
        progress = Fraction(step, 50)
        got.update(p.source for p in mixture.draw(7, progress))
        for name, share in made.shares_at(progress).items():
            due[name] += 7 * share
        assert all(abs(due[name] - got[name]) < 1 for name in due)


@pytest.mark.parametrize("weight", [0, -1, [], [[0.1, 1]], [[0, 1], [0, 2]], [[0, 0]], [[0, 1], [1.5, 2]], [[0, -1]]])
def test_impossible_weights_are_refused(weight):
    with pytest.raises(ConfigError, match="weight"):
        recipe({**numbers("a"), "weight": weight})


@domain("mixture_test_tagged", family="tests", modality="text")
@dataclass(frozen=True)
class Tagged:
    """Numbers; two of three are `even`-tagged, or all of them."""

    always: bool = False
    verifier = "number"

    def draw(self, rng, difficulty):
        number = int(rng.integers(10**6))
        return Draft(f"{number}=?", str(number), tags=("often",) if self.always or number % 3 else ())


def tagged(name: str, weight: float = 1.0, always: bool = False) -> dict:
    return {
        "name": name,
        "kind": "domain",
        "domain": {"name": "mixture_test_tagged", "always": always},
        "weight": weight,
    }


def test_a_capped_tag_stays_under_its_cap_after_every_draw_and_shares_stay_exact():
    made = Recipe.model_validate({"sources": [tagged("a"), numbers("b")], "caps": {"often": 0.2}})
    mixture, carried, total = Mixture(made, seed=0), 0, 0
    for _ in range(20):
        drawn = mixture.draw(10)
        assert Counter(p.source for p in drawn) == {"a": 5, "b": 5}
        carried, total = carried + sum("often" in p.tags for p in drawn), total + 10
        assert carried <= 0.2 * total
    assert carried == 40  # the cap is used up: without it about 67 of 100
    assert mixture.counts["capped"]["a"] > 50
    resumed = Mixture(made, seed=0)
    resumed.load_state_dict(json.loads(json.dumps(mixture.state_dict())))
    assert [p.id for p in resumed.draw(10)] == [p.id for p in mixture.draw(10)]


def test_a_cap_that_a_source_can_not_keep_names_the_source():
    made = Recipe.model_validate({"sources": [tagged("a", always=True), numbers("b")], "caps": {"often": 0.2}})
    with pytest.raises(DataError, match=r"'a'.*at their caps"):
        Mixture(made, seed=0).draw(10)
    with pytest.raises(ConfigError, match=r"often.*give 0\.500"):
        Recipe.model_validate({"sources": [{**numbers("a"), "tags": ["often"]}, numbers("b")], "caps": {"often": 0.2}})
    with pytest.raises(ValueError, match="above 0 and below 1"):
        Recipe.model_validate({"sources": [numbers("a")], "caps": {"often": 1.0}})

"""The same statistics of every registered domain: varied, hard to guess, and neither file nor question tells."""

from __future__ import annotations

from collections import Counter

import pytest
from scene_draws import MANY, every_domain, many
from scripts_as_modules import script

from vlrl.scenes.domain import domains


@pytest.fixture(scope="module")
def blind():
    return script("scripts/results/blind_baseline.py")


def test_a_question_that_gives_the_answer_away_is_found(blind):
    found = blind.examine("arithmetic", 200)
    assert found.commonest <= 0.2
    assert found.duplicates == 0
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline

    answers = ["red", "blue"] * 50
    model = make_pipeline(CountVectorizer(), MultinomialNB())
    assert blind.cross_validated(model, [f"is it really {a}" for a in answers], answers) == 1.0
    assert blind.most_frequent(answers) <= 0.5


def test_a_clue_that_tells_the_answer_is_found_and_a_named_exception_allowed(blind):
    from sklearn.ensemble import RandomForestClassifier

    answers = ["1", "2"] * 50
    clues = [[1000.0 + 40 * (a == "2") + i % 7] for i, a in enumerate(answers)]
    assert blind.cross_validated(RandomForestClassifier(10, random_state=0), clues, answers) >= 0.95
    found = blind.examine("grid_count", 60, size=96)
    assert 0 < found.image < 1
    leaking = {**found.__dict__, "commonest": 0.1, "question": 0.1, "image": 0.9}
    assert blind.within(blind.Finding(**leaking))  # its image may tell: the reason is written down
    assert not blind.within(blind.Finding(**{**leaking, "name": "clock"}))
    assert not blind.within(blind.Finding(**{**leaking, "question": 0.9}))


@pytest.mark.slow
@every_domain
def test_a_guesser_without_eyes_keeps_the_bound(blind, name):
    """docs/results/domains.md has the figures over 2,000."""
    seen = many(name)
    questions, answers, chances = zip(
        *((s.draft.question, s.draft.answer, s.draft.guess_rate) for s in seen), strict=True
    )
    clues = [[clue for file in s.files for clue in file] for s in seen]
    found = blind.figures(name, list(questions), list(answers), list(chances), clues, trees=15)
    error = 2 * (0.25 / MANY) ** 0.5
    assert found.blind_question <= found.bound + error, found
    assert found.image <= found.bound + error or name in blind.INK, found


@every_domain
def test_hardly_any_two_of_many_problems_show_the_same_images(name):
    if domains.get(name).modality == "text":
        return
    seen = {s.digest for s in many(name)[:80]}
    assert len(seen) >= 77, f"{80 - len(seen)} of 80 show the images of another one"


@every_domain
def test_blind_guessing_gains_little(name):
    made = [s.draft for s in many(name)]
    chances = {draft.guess_rate for draft in made}
    bar = 0.35 if None in chances else max(chances) + 0.10
    commonest, times = Counter(draft.answer for draft in made).most_common(1)[0]
    assert times / len(made) <= bar, f"always answering {commonest!r} is right in {times} of {len(made)}"
    if all(draft.metadata.get("choices") for draft in made):
        places = Counter(list(draft.metadata["choices"]).index(draft.answer) for draft in made)
        assert max(places.values()) / len(made) <= bar, f"the right choice stands at one place too often: {places}"
    for question, count in Counter(draft.question for draft in made).items():
        if count >= 50:
            same = Counter(draft.answer for draft in made if draft.question == question)
            assert max(same.values()) / count <= bar + 0.15, f"{question!r} gives its answer away: {same}"


@every_domain
def test_neither_the_file_size_nor_the_amount_of_ink_tells_the_choice(name):
    if domains.get(name).verifier != "choice":
        return  # a number may well follow from the amount of ink, as the number of discs does
    drawn = many(name)[:240]
    clues = {
        "file size": [s.files[0][0] for s in drawn],
        "ink": [s.ink for s in drawn],
        "brightness": [s.brightness for s in drawn],
    }
    for clue, values in clues.items():
        right = 0
        for i in range(120, 240):  # the vote of the nearest among the first 120
            near = sorted(range(120), key=lambda j, i=i, values=values: abs(values[j] - values[i]))[:11]
            right += Counter(drawn[j].draft.answer for j in near).most_common(1)[0][0] == drawn[i].draft.answer
        assert right / 120 <= drawn[0].draft.guess_rate + 0.17, f"{clue} alone is right in {right} of 120"

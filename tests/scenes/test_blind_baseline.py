"""The blind guesser finds leaks where there are some; over all domains it keeps its bound (slow)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from vlrl.scenes.domain import domains

SCRIPT = Path(__file__).parents[2] / "scripts" / "results" / "blind_baseline.py"


@pytest.fixture(scope="module")
def blind():
    spec = importlib.util.spec_from_file_location("blind_baseline", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["blind_baseline"] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    return module


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
@pytest.mark.parametrize("name", [n for n in domains if domains.get(n).__module__.startswith("vlrl.")])
def test_a_guesser_without_eyes_keeps_the_bound(blind, name):
    found = blind.examine(name, 600)  # docs/results/domains.md has the figures over 2,000
    error = 2 * (0.25 / 600) ** 0.5
    assert found.blind_question <= found.bound + error, found
    assert found.image <= found.bound + error or name in blind.INK, found

"""Where credit is given: the step's own response budget, and the perturbed problem asked as the true one was."""

from __future__ import annotations

import pytest
from scoring_cases import scorer_of
from small_models import BUDGET, ask, pixels

from vlrl.config import load_settings
from vlrl.data.images.open_images import open_image
from vlrl.data.images.perturbation import perturbations, perturbed
from vlrl.losses.loss_registry import losses
from vlrl.model.prompts.encode import Encoder
from vlrl.rollout.collector import collect
from vlrl.seeding import stream
from vlrl.training.rl.rl_settings import RlSettings
from vlrl.training.run_settings import RunSettings


def written(loaded, engine, problem, k=2):
    return collect(Encoder(loaded, BUDGET).encode, engine, [problem], sampling_of(64), k, seed=0)


def sampling_of(max_tokens):
    return RlSettings().sampling.model_copy(update={"max_tokens": max_tokens})


LENGTHS = {"max_tokens_from_step": {0: 2, 5: 40}, "sampling": {"max_tokens": 64}}


def test_overlong_counts_from_the_response_budget_of_the_step(qwen3):
    """One answer fills the budget of 2 tokens of the first stage, and is nowhere near that of the second."""
    scorer, engine = scorer_of(qwen3, credit={"shape": [{"name": "overlong", "weight": 1.0}]}, **LENGTHS)
    found = written(qwen3, engine, ask("3+4=?"))
    assert found[0].rollouts[0].num_tokens >= 2
    judged = scorer.score(found, 0)
    penalties = [scorer.credit(judged, step)[0].reward_parts["overlong"] for step in (0, 5)]
    assert penalties == [pytest.approx((-1.0, -1.0)), (0.0, 0.0)]


@pytest.mark.parametrize(("step", "budget"), [(0, 2), (4, 2), (5, 40)])
def test_a_perturbed_problem_is_asked_with_the_response_budget_of_the_step(qwen3, step, budget):
    scorer, engine = scorer_of(
        qwen3, credit={"shape": [{"name": "contrast", "weight": 0.3}]}, contrast={"perturbation": "blank"}, **LENGTHS
    )
    found = written(qwen3, engine, ask(pixels(1), "How many?"))
    engine.requests.clear()
    scorer.score(found, step)
    (asked,) = engine.requests
    assert asked.sampling.max_tokens == budget


def test_the_perturbed_question_may_have_the_images_of_another_problem_of_the_step(qwen3):
    """Two problems have each other's images; a text problem isn't asked, nor one whose image all others have."""
    scorer, engine = scorer_of(
        qwen3, credit={"shape": ["contrast"]}, contrast={"perturbation": "mismatched", "rollouts": 1}
    )
    encode = Encoder(qwen3, BUDGET).encode
    problems = [ask(pixels(1), "How many?"), ask("3+4=?"), ask(pixels(2), "How many?")]
    found = collect(encode, engine, problems, sampling_of(8), 2, seed=0)
    engine.requests.clear()
    judged = scorer.score(found, 0)
    assert [one.contrast_rate is None for one in judged] == [False, True, False]
    swapped = encode([ask(pixels(2), "How many?"), ask(pixels(1), "How many?")])
    assert [r.encoded.content_hash for r in engine.requests] == [one.content_hash for one in swapped]
    engine.requests.clear()
    (alone,) = scorer.score(found[:1], 0)
    assert alone.contrast_rate is None
    assert not engine.requests


PLUGIN = """
from vlrl.data.images.perturbation import perturbations
from vlrl.losses.likelihood import LikelihoodLoss
from vlrl.losses.loss_registry import losses

@perturbations.register("upside_down")
def upside_down(image, rng):
    return image.rotate(180)

@losses.register("own_likelihood")
class OwnLikelihood(LikelihoodLoss):
    pass
"""


def test_a_plugin_of_the_config_brings_a_perturbation_and_a_loss(tmp_path, temporarily):
    for registry in (losses, perturbations):  # other tests see what is there without it
        temporarily(registry)
    (tmp_path / "own.py").write_text(PLUGIN)
    (tmp_path / "run.yaml").write_text(
        f"name: x\ndata: none.yaml\nmodel: {{build: tiny-qwen3-vl}}\nplugins: [{tmp_path / 'own.py'}]\n"
        "rl: {loss: own_likelihood, credit: {shape: [contrast]}, contrast: {perturbation: upside_down}}\n"
    )
    settings = load_settings(RunSettings, tmp_path / "run.yaml").rl
    assert type(settings.loss).__name__ == "OwnLikelihood"
    problem = perturbed(ask(pixels(1), "?"), settings.contrast.perturbation, stream(0, "x"))
    assert open_image(problem.images[0]).tobytes() == pixels(1).rotate(180).tobytes()

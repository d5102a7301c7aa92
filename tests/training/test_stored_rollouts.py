"""BOLT from stored rollouts: the gradient of the live preset, its limits, refusals, and a run without `rl`."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch
from resumed_runs import SHAPE
from small_models import BUDGET, ask, encode, fresh, pixels

from vlrl.config import build_settings
from vlrl.credit.advantage.fitted import BestOnly, BoltWeights
from vlrl.credit.assign import Credit
from vlrl.credit.credit_context import CreditContext
from vlrl.data.stored_rollouts import largest_group, read_stored_groups
from vlrl.errors import ConfigError, DataError
from vlrl.losses.likelihood import LikelihoodLoss
from vlrl.losses.sft_loss import SftLoss
from vlrl.model.batch.example import Example
from vlrl.model.prompts.encode import Encoder
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.runlog.run_folder import RunFolder, read_jsonl
from vlrl.training.fixed_set_settings import SftSettings, StoredRollouts
from vlrl.training.response_rows import response_tokens
from vlrl.training.rl.rl_settings import RlSettings
from vlrl.training.rl.training_examples import to_examples
from vlrl.training.run import start_run
from vlrl.training.stored_rollouts import group_weights, stored_set
from vlrl.types import Demonstration, Group, Rollout, ScoredGroup, Segment, Verdict

PROBLEMS = [ask("3+4=?"), ask(pixels(1), "How many?")]
TEXTS = ["left right", "blue", "<answer>7</answer>", "red red red"]
SCORES = [(1.0, 0.0, 0.5, 0.0), (0.0, 1.0, 1.0, 0.25)]
ENDED = ("stop", "length", "stop", "stop")


@pytest.fixture
def model(model_folders):
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    return SimpleNamespace(encoder=Encoder(loaded, BUDGET), loaded=loaded)


def groups(model) -> list[ScoredGroup]:
    """What a step of RL would learn from; one response of the first group is a fault."""
    found = []
    for problem, encoded, scores in zip(PROBLEMS, encode(model.loaded, *PROBLEMS), SCORES, strict=True):
        rollouts = []
        for text, end in zip(TEXTS, ENDED, strict=True):
            ids = response_tokens(model.loaded, Demonstration(problem, text), end == "stop")
            rollouts.append(Rollout((Segment(ids, (-1.0,) * len(ids), 0),), text, end))
        verdicts = [Verdict(score, score == 1.0) for score in scores]
        if problem is PROBLEMS[0]:
            verdicts[3] = Verdict.broken("down")
        found.append(ScoredGroup.of(Group(problem, tuple(rollouts), encoded), verdicts))
    return found


@pytest.fixture
def stored(model, tmp_path):
    """A run folder that logged these groups in step 2."""
    run = RunFolder(tmp_path / "earlier", {})
    run.rollouts("rl", 2, groups(model))
    return tmp_path / "earlier"


def gradient(model, examples, loss) -> torch.Tensor:
    policy = TorchPolicy(model.loaded, PolicySettings())
    found = {}

    def step(share):
        found.update({n: p.grad.clone() for n, p in model.loaded.model.named_parameters() if p.grad is not None})
        return 0.0

    policy.optimizer.step = step
    policy.update(examples, loss, 1.0, 1.0)
    model.loaded.model.zero_grad()
    return torch.cat([found[name].flatten() for name in sorted(found)])


def settings(stored, **more) -> StoredRollouts:
    return build_settings(StoredRollouts, {"runs": [str(stored)], **more}, "sft.rollouts")


def live(model, advantage, **more) -> torch.Tensor:
    """The gradient of a live step with this advantage on the same groups."""
    rl = build_settings(RlSettings, {"credit": {"advantage": advantage}, "loss": {"name": "likelihood", **more}}, "rl")
    credited = Credit(rl.credit).assign(groups(model), CreditContext(0))
    policy = TorchPolicy(model.loaded, PolicySettings())
    return gradient(model, to_examples(credited, policy, rl), rl.loss)


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return float((a - b).norm()) < 1e-5 * float(b.norm()) and float(b.norm()) > 1e-3


def test_the_gradient_is_that_of_the_live_preset_on_the_same_rollouts(model, stored):
    held = stored_set(model, settings(stored, weights={"name": "bolt", "beta": 0.3}))
    assert close(gradient(model, held.examples, LikelihoodLoss()), live(model, {"name": "bolt", "beta": 0.3}))
    assert held.counts["groups"] == 2
    assert held.counts["responses"] == held.counts["trained_responses"] == 7  # a fault is none
    assert 0.5 < held.counts["effective_sample_rate"] < 1


def test_beta_to_zero_is_rest_and_to_infinity_sft_on_all(model, stored):
    cold = stored_set(model, settings(stored, weights={"name": "bolt", "beta": 1e-4}))
    rest = stored_set(model, settings(stored, weights="rest"))
    assert close(gradient(model, cold.examples, LikelihoodLoss()), gradient(model, rest.examples, LikelihoodLoss()))
    assert close(gradient(model, rest.examples, LikelihoodLoss()), live(model, "rest"))
    hot = stored_set(model, settings(stored, weights={"name": "bolt", "beta": 1e9}))
    rows = [Example(one.encoded, one.responses, advantages=(1.0,) * len(one.responses)) for one in hot.examples]
    assert close(gradient(model, hot.examples, LikelihoodLoss(aggregate="token")), gradient(model, rows, SftLoss()))
    assert hot.counts["effective_sample_rate"] == pytest.approx(1.0)


def test_a_response_in_other_tokens_keeps_its_place_and_is_not_trained(model, stored):
    whole = stored_set(model, settings(stored))
    file = stored / "rollouts.jsonl"
    lines = list(read_jsonl(file))
    lines[1]["rollouts"][1]["tokens"] += 1
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    held = stored_set(model, settings(stored))
    assert [one.advantages for one in held.examples] == [one.advantages for one in whole.examples]
    assert held.examples[0].token_weights is None
    assert [set(weights) for weights in held.examples[1].token_weights] == [{1.0}, {0.0}, {1.0}, {1.0}]
    assert held.counts["trained_responses"] == 6


def test_what_is_read_is_what_was_written(model, stored):
    first, second = read_stored_groups(stored)
    assert [one.reward for one in second.responses] == list(SCORES[1])
    assert [one.ended for one in second.responses] == [True, False, True, True]
    assert (first.problem_id, second.problem_id) == tuple(problem.id for problem in PROBLEMS)
    assert second.problem.images[0].digest == PROBLEMS[1].images[0].digest
    assert largest_group([str(stored)]) == 4
    assert group_weights(BoltWeights(), first) == BoltWeights()([1.0, 0.0, 0.5])
    with pytest.raises(DataError, match="from step 3 on"):
        read_stored_groups(stored, from_step=3)


def test_an_image_that_is_gone_or_damaged_is_refused_by_name(stored):
    digest = PROBLEMS[1].images[0].digest
    (file,) = (stored / "images").glob(f"{digest}.*")
    file.write_bytes(b"other")
    with pytest.raises(DataError, match=f"{digest}.*damaged"):
        read_stored_groups(stored)
    file.unlink()
    with pytest.raises(DataError, match=f"its image {digest} isn't in"):
        read_stored_groups(stored)


def test_held_out_problems_and_episodes_are_not_learned_from(model, stored):
    assert stored_set(model, settings(stored), [PROBLEMS[0]]).counts["held_out_groups"] == 1
    with pytest.raises(DataError, match="held out here"):
        stored_set(model, settings(stored), PROBLEMS)
    file = stored / "rollouts.jsonl"
    lines = list(read_jsonl(file))
    lines[0]["rollouts"][0]["episode"] = {"turns": 2}
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(DataError, match="is an episode"):
        read_stored_groups(stored)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rollouts": {"runs": []}}, "runs"),
        ({"rollouts": {"runs": ["a"], "weights": "mean"}}, "weights are `bolt` or `rest`"),
        ({"rollouts": {"runs": ["a"], "loss": "grpo"}}, "the loss is `likelihood`"),
        ({"rollouts": {"runs": ["a"]}, "demonstrations": 8}, "take the place of demonstrations"),
        ({"rollouts": {"runs": ["a"]}, "phases": [{"steps": 1}]}, "take the place of demonstrations"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(given, said):
    with pytest.raises(ConfigError, match=said):
        build_settings(SftSettings, given, "sft")


def test_without_the_setting_nothing_is_stored_and_weights_have_defaults():
    assert SftSettings().rollouts is None
    assert settings("x").weights == BoltWeights()
    assert settings("x", weights="rest").weights == BestOnly()


def test_a_run_learns_from_the_rollouts_of_another_and_remembers_what_it_read(stored, tmp_path):
    small = [
        *["stages=[sft]", "sft.steps=2", "sft.batch=2", "sft.validate_every=2", "eval.problems=4"],
        *["eval.curve_problems=4", f"model.shape={SHAPE}", f"run_folder={tmp_path / 'run'}"],
    ]
    with pytest.raises(ConfigError, match=r"sft\.rollouts\.runs"):
        start_run(
            "configs/quickstart.yaml",
            [*small, f"sft.rollouts={{runs: [{tmp_path / 'nowhere'}]}}", "sft.demonstrations=480"],
        )
    start_run("configs/quickstart.yaml", [*small, f"sft.rollouts={{runs: [{stored}]}}", "sft.demonstrations=480"])
    card = json.loads((tmp_path / "run" / "run_card.json").read_text())
    assert card["sft_rollouts"]["groups"] == 2
    assert card["data_overlap"]["problems"] == {"sft": 2}
    assert any(
        name.startswith("sft.rollouts") for name in json.loads((tmp_path / "run" / "inputs.json").read_text())["files"]
    )
    assert (tmp_path / "run" / "model_sft" / "model.safetensors").is_file()

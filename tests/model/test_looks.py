"""How often the tower looks: counted, with a frozen and with a trained tower, and the same gradients as ever."""

from __future__ import annotations

import pytest
import torch
from small_models import ask, encode, fresh, pixels

from vlrl.losses.kimi import KimiLoss
from vlrl.model.feature_store import FeatureStore
from vlrl.model.packing import Row
from vlrl.model.policy import Example
from vlrl.model.torch_policy import PolicySettings, TorchPolicy
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers_engine import TransformersEngine

PICTURES = 3  # over five prompts


def prompts(loaded):
    """Two pictures stand in several prompts, so that small micro-batches part the rows that share them."""
    one, two, three = pixels(1), pixels(2, 48, 16), pixels(3)
    return encode(
        loaded,
        ask(one, "How many?"),
        ask("red", two, one),
        ask("3+4=?"),
        ask(three, "a longer question: red and green and blue"),
        ask(two, "left"),
    )


def a_step(loaded, freeze):
    """Rollout, reference, two passes of log-probabilities, two updates: what each looked at."""
    engine = TransformersEngine(loaded)
    policy = TorchPolicy(loaded, PolicySettings(freeze=freeze, micro_batch_tokens=1))
    given = prompts(loaded)
    seen = []

    def count(tower, before):
        seen.append(tower.pictures_seen - before)
        return tower.pictures_seen

    answers = engine.generate([Request(one, 2, Sampling(max_tokens=4), 7) for one in given])
    count(engine.tower, 0)
    rows = [Row(e, tuple(r.token_ids for r in a.rollouts)) for e, a in zip(given, answers, strict=True)]
    before = 0
    for _ in range(2):
        references = policy.logprobs(rows, 1.0)
        before = count(policy.tower, before)
    for _ in range(2):
        policy.update(
            [Example(r, (1.0, -1.0), ref) for r, ref in zip(rows, references, strict=True)], KimiLoss(), 1.0, 1.0
        )
        before = count(policy.tower, before)
    return seen


def test_a_frozen_tower_looks_once_at_each_picture_in_a_whole_step(model_folders, architecture):
    loaded = fresh(model_folders[architecture])
    assert a_step(loaded, ("vision", "projector")) == [PICTURES, 0, 0, 0, 0]


def test_a_trained_tower_looks_once_a_pass_and_not_again_before_its_weights_change(model_folders, architecture):
    loaded = fresh(model_folders[architecture])
    assert a_step(loaded, ()) == [PICTURES, 0, 0, PICTURES, PICTURES]


def test_without_a_store_every_pass_looks_once_at_each_picture(model_folders):
    loaded = fresh(model_folders["tiny-qwen3-vl"], feature_store_mib=0)
    assert a_step(loaded, ()) == [PICTURES] * 5


@pytest.mark.parametrize("checkpointed", [False, True])
def test_pictures_shared_between_micro_batches_get_the_gradient_of_one_batch(model_folders, architecture, checkpointed):
    found = []
    for budget in (1, 100_000):
        loaded = fresh(model_folders[architecture], gradient_checkpointing=checkpointed)
        loaded.model.double()
        policy = TorchPolicy(loaded, PolicySettings(micro_batch_tokens=budget))
        gradients = {}
        policy.optimizer.step = lambda rate, loaded=loaded, gradients=gradients: (
            gradients.update({n: p.grad.clone() for n, p in loaded.model.named_parameters() if p.grad is not None})
            or 0.0
        )
        examples = [Example(Row(e, ((20, 21), (30, 31, 32))), (1.0, -0.5)) for e in prompts(loaded)]
        policy.update(examples, KimiLoss(), 1.0, 1.0)
        assert policy.tower.pictures_seen == PICTURES
        found.append(gradients)
    parted, whole = found
    assert parted.keys() == whole.keys()
    size = torch.cat([g.flatten() for g in whole.values()]).norm()
    vision = [n for n in whole if "visual" in n or "vision_model" in n]
    assert vision
    assert torch.cat([(parted[n] - whole[n]).flatten() for n in whole]).norm() < 1e-6 * size
    assert (
        torch.cat([(parted[n] - whole[n]).flatten() for n in vision]).norm()
        < 1e-6 * torch.cat([whole[n].flatten() for n in vision]).norm()
    )


def test_the_store_forgets_when_a_weight_of_the_tower_changes_in_place_and_only_then(model_folders):
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    tower = TransformersEngine(loaded).tower
    (one,) = encode(loaded, ask(pixels(1)))

    def look():
        with torch.no_grad():
            return tower.look(one.images)[one.images[0].digest].merged

    first = look()
    with torch.no_grad():
        next(p for n, p in loaded.model.named_parameters() if "language_model" in n).mul_(2)
    look()
    assert tower.pictures_seen == 1
    with torch.no_grad():
        next(p for n, p in loaded.model.named_parameters() if "visual" in n).mul_(2)
    assert not torch.equal(look(), first)
    assert tower.pictures_seen == 2


def test_the_store_keeps_to_its_bytes_and_drops_what_was_used_longest_ago(qwen3):
    given = prompts(qwen3)
    images = list({i.digest: i for e in given for i in e.images}.values())
    tower = TransformersEngine(qwen3).tower
    with torch.no_grad():
        features = tower.look(images)
    first = features[images[0].digest]
    size = sum(t.numel() * 4 for t in first.tensors)
    store = FeatureStore(qwen3.model, 2 * size + 3 * size // 4)
    store.put("a", first)
    store.put("b", first)
    assert store.get("a") is not None
    store.put("c", first)
    assert store.get("b") is None
    assert store.get("a") is not None
    assert torch.equal(store.get("c").merged, first.merged)
    tight = FeatureStore(qwen3.model, size - 1)
    tight.put("a", first)
    assert tight.get("a") is None

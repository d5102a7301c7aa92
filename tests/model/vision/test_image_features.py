"""How often the tower runs: counted, with a frozen and with a trained tower, and the same gradients as ever."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_models import ask, encode, fresh, pixels

from vlrl.data.images.image_budget import ImageBudget
from vlrl.losses.kimi import KimiLoss
from vlrl.losses.sft_loss import SftLoss
from vlrl.model.batch.example import Example
from vlrl.model.optimization.optimizer import OptimizerSettings
from vlrl.model.optimization.parameter_groups import freeze_parts
from vlrl.model.prompts.encode import Encoder
from vlrl.model.training.torch_policy import PolicySettings, TorchPolicy
from vlrl.model.vision import image_encoding
from vlrl.model.vision.feature_cache import FeatureStore
from vlrl.rollout.engine import Request, Sampling
from vlrl.rollout.transformers.transformers_engine import TransformersEngine

IMAGES = 3  # over five prompts


def prompts(loaded):
    """Two images stand in several prompts, so that small micro-batches part the rows that share them."""
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
        seen.append(tower.images_seen - before)
        return tower.images_seen

    answers = engine.generate([Request(one, 2, Sampling(max_tokens=4), 7) for one in given])
    count(engine.tower, 0)
    rows = [Example(e, tuple(r.token_ids for r in a)) for e, a in zip(given, answers, strict=True)]
    before = 0
    for _ in range(2):
        references = policy.logprobs(rows, 1.0)
        before = count(policy.tower, before)
    for _ in range(2):
        policy.update(
            [replace(r, advantages=(1.0, -1.0), old_logprobs=old) for r, old in zip(rows, references, strict=True)],
            KimiLoss(),
            1.0,
            1.0,
        )
        before = count(policy.tower, before)
    return seen


def test_a_frozen_tower_looks_once_at_each_image_in_a_whole_step(model_folders, architecture):
    loaded = fresh(model_folders[architecture])
    assert a_step(loaded, ("vision", "projector")) == [IMAGES, 0, 0, 0, 0]


def test_a_trained_tower_looks_once_a_pass_and_not_again_before_its_weights_change(model_folders, architecture):
    loaded = fresh(model_folders[architecture])
    assert a_step(loaded, ()) == [IMAGES, 0, 0, IMAGES, IMAGES]


def test_a_frozen_tower_below_a_projector_that_trains_looks_once_in_a_whole_step(model_folders, architecture):
    loaded = fresh(model_folders[architecture])
    assert a_step(loaded, ("vision",)) == [IMAGES, 0, 0, 0, 0]


def test_a_projector_over_what_is_kept_learns_and_says_what_it_would_over_new_looks(
    model_folders, architecture, monkeypatch
):
    """Levels, windows and tiles; the second update and the last pass read features of a projector that has learned."""
    found = []
    for kept in (True, False):
        if not kept:
            monkeypatch.setattr(image_encoding, "frozen_below_projector", lambda model: False)
        loaded = fresh(model_folders[architecture], gradient_checkpointing=True, feature_store_mib=1024 if kept else 0)
        loaded.model.double()
        settings = PolicySettings(freeze=("vision",), micro_batch_tokens=1, optimizer=OptimizerSettings(lr=1e-2))
        policy = TorchPolicy(loaded, settings)
        rows = [Example(e, ((20, 21), (30, 31, 32))) for e in prompts(loaded)]
        read = [policy.logprobs(rows, 1.0)]
        for _ in range(2):
            policy.update([replace(row, advantages=(1.0, -0.5)) for row in rows], SftLoss(), 1.0, 1.0)
            read.append(policy.logprobs(rows, 1.0))
        found.append(torch.tensor([[v for row in some for r in row for v in r] for some in read]))
        assert policy.tower.images_seen == (IMAGES if kept else 5 * IMAGES)
    assert float((found[0][0] - found[0][2]).abs().max()) > 1e-2
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-6)


def test_images_of_several_windows_are_projected_in_their_order(model_folders, architecture):
    """Qwen2.5-VL's tower has the patches of an image by windows of 8 × 8; here 20 × 12 and 6 × 18 of them."""
    loaded = fresh(model_folders[architecture])
    encoder = Encoder(loaded, ImageBudget(min_pixels=256, max_pixels=100_000))
    size = int(loaded.config.vision_config.patch_size)
    pillow_images = pixels(1, 20 * size, 12 * size), pixels(2, 6 * size, 18 * size)
    images = encoder.encode([ask(*pillow_images)])[0].images
    tower = image_encoding.VisionTower(loaded.model, loaded.store)
    with torch.no_grad():
        plain = tower.encode_images(images)
    freeze_parts(loaded.model, ("vision",))
    for given in (images, images[:1], images[::-1]):
        for digest, features in tower.encode_images(given).items():
            assert features.merged.requires_grad
            for mine, other in zip(features.tensors, plain[digest].tensors, strict=True):
                torch.testing.assert_close(mine, other, rtol=0, atol=1e-4)
    assert tower.images_seen == 4


def test_what_a_frozen_tower_gave_is_forgotten_when_a_later_policy_trains_it(model_folders):
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    rows = [Example(e, ((20, 21),)) for e in prompts(loaded)]
    frozen = PolicySettings(freeze=("vision",), optimizer=OptimizerSettings(lr=1e-2))
    before = TorchPolicy(loaded, frozen).logprobs(rows, 1.0)
    TorchPolicy(loaded, PolicySettings(freeze=("projector", "language"))).update(
        [replace(row, advantages=(1.0,)) for row in rows], SftLoss(), 1.0, 1.0
    )
    policy = TorchPolicy(loaded, frozen)
    found = policy.logprobs(rows, 1.0)
    assert policy.tower.images_seen == IMAGES
    assert found != before
    loaded.store.clear()
    assert policy.logprobs(rows, 1.0) == found


def test_without_a_store_every_pass_looks_once_at_each_image(model_folders):
    loaded = fresh(model_folders["tiny-qwen3-vl"], feature_store_mib=0)
    assert a_step(loaded, ()) == [IMAGES] * 5


@pytest.mark.parametrize("checkpointed", [False, True])
def test_images_shared_between_micro_batches_get_the_gradient_of_one_batch(model_folders, architecture, checkpointed):
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
        examples = [Example(e, ((20, 21), (30, 31, 32)), (1.0, -0.5)) for e in prompts(loaded)]
        policy.update(examples, KimiLoss(), 1.0, 1.0)
        assert policy.tower.images_seen == IMAGES
        found.append(gradients)
    parted, whole = found
    assert parted.keys() == whole.keys()
    size = torch.cat([g.flatten() for g in whole.values()]).norm()
    image_encoding = [n for n in whole if "visual" in n or "vision_model" in n]
    assert image_encoding
    assert torch.cat([(parted[n] - whole[n]).flatten() for n in whole]).norm() < 1e-6 * size
    assert (
        torch.cat([(parted[n] - whole[n]).flatten() for n in image_encoding]).norm()
        < 1e-6 * torch.cat([whole[n].flatten() for n in image_encoding]).norm()
    )


def test_the_store_forgets_when_a_weight_of_the_tower_changes_in_place_and_only_then(model_folders):
    loaded = fresh(model_folders["tiny-qwen3-vl"])
    tower = TransformersEngine(loaded).tower
    (one,) = encode(loaded, ask(pixels(1)))

    def encode_images():
        with torch.no_grad():
            return tower.encode_images(one.images)[one.images[0].digest].merged

    first = encode_images()
    with torch.no_grad():
        next(p for n, p in loaded.model.named_parameters() if "language_model" in n).mul_(2)
    encode_images()
    assert tower.images_seen == 1
    with torch.no_grad():
        next(p for n, p in loaded.model.named_parameters() if "visual" in n).mul_(2)
    assert not torch.equal(encode_images(), first)
    assert tower.images_seen == 2


def test_the_store_keeps_to_its_bytes_and_drops_what_was_used_longest_ago(qwen3):
    given = prompts(qwen3)
    images = list({i.digest: i for e in given for i in e.images}.values())
    tower = TransformersEngine(qwen3).tower
    with torch.no_grad():
        features = tower.encode_images(images)
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

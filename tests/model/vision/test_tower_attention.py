"""A tower's segments of one length share a call: the numbers and gradients of one call for each."""

from __future__ import annotations

import json

import pytest
import torch
from small_models import ask, fresh, pixels

from vlrl.data.images.image_budget import ImageBudget
from vlrl.model.families.family import family_of
from vlrl.model.load import save_model
from vlrl.model.prompts.encode import Encoder
from vlrl.model.vision import image_encoding, tower_attention
from vlrl.model.vision.image_encoding import VisionTower
from vlrl.model.vision.tower_attention import SEGMENT_ATTENTION


@pytest.fixture(params=["tiny-qwen2.5-vl", "tiny-qwen3-vl"])
def tower(model_folders, request):
    """A model, and images of several sizes whose windows at the rims are smaller (Qwen2.5-VL: 8 × 8 patches)."""
    loaded = fresh(model_folders[request.param], context=1024)
    size = int(loaded.config.vision_config.patch_size)
    pillow_images = [pixels(n, w * size, h * size) for n, (w, h) in enumerate([(20, 12), (6, 18), (16, 16), (20, 12)])]
    encoder = Encoder(loaded, ImageBudget(min_pixels=256, max_pixels=100_000))
    return loaded, encoder.encode([ask(*pillow_images)])[0].images


def features_and_gradients(loaded, images):
    features = [t for one in VisionTower(loaded.model).encode_images(images).values() for t in one.tensors]
    names, weights = zip(*loaded.model.model.visual.named_parameters(), strict=True)
    total = sum((t * torch.linspace(-1, 1, t.numel()).view_as(t)).sum() for t in features)
    return features, dict(zip(names, torch.autograd.grad(total, weights), strict=True))


def test_features_and_gradients_are_those_of_segments_one_by_one(tower):
    loaded, images = tower
    assert loaded.config.vision_config._attn_implementation == SEGMENT_ATTENTION
    found, gradients = features_and_gradients(loaded, images)
    loaded.model.set_attn_implementation({"vision_config": "sdpa"})
    expected, theirs = features_and_gradients(loaded, images)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
    for name, gradient in theirs.items():
        assert (gradients[name] - gradient).norm() <= 1e-5 * gradient.norm() + 1e-5, name


def test_a_layer_makes_one_call_for_every_length_of_segment(tower, monkeypatch):
    loaded, images = tower
    calls, lengths = [], []
    plain = tower_attention.scaled_dot_product_attention

    def counting(query, *args, **kwargs):
        calls.append(query.shape[2])
        return plain(query, *args, **kwargs)

    monkeypatch.setattr(tower_attention, "scaled_dot_product_attention", counting)
    blocks = loaded.model.model.visual.blocks
    for block in blocks:
        block.attn.register_forward_pre_hook(
            lambda module, args, kwargs: lengths.append(kwargs["cu_seqlens"].diff().tolist()), with_kwargs=True
        )
    with torch.no_grad():
        VisionTower(loaded.model).encode_images(images)
    assert len(calls) == sum(len(set(some)) for some in lengths) < sum(map(len, lengths))


def test_the_name_does_not_travel_with_the_model(tower, tmp_path):
    save_model(tower[0], tmp_path)
    assert "vlrl" not in json.dumps(json.loads((tmp_path / "config.json").read_text()))


def test_without_gradients_a_call_on_the_cpu_has_as_many_images_as_stay_in_its_caches(tower, monkeypatch):
    loaded, images = tower
    calls = []
    family = type(family_of(loaded.config))
    plain = family.encode_images

    def counting(self, core, own, pillow_images, device):
        calls.append(sum(len(one.values) for one in pillow_images))
        return plain(self, core, own, pillow_images, device)

    monkeypatch.setattr(family, "encode_images", counting)
    with torch.no_grad():
        whole = VisionTower(loaded.model).encode_images(images)
        patches = [one.num_patches for one in images]
        assert calls == [sum(patches)]
        width = family_of(loaded.config).tower(loaded.config).width
        monkeypatch.setattr(image_encoding, "CACHED_BYTES", 4 * width * (patches[0] + patches[1]))
        calls.clear()
        tower = VisionTower(loaded.model)
        found = tower.encode_images(images)
    assert calls == [patches[0] + patches[1], patches[2], patches[3]]
    assert tower.images_seen == len(images)
    assert list(found) == list(whole)
    for digest, features in found.items():
        for a, b in zip(features.tensors, whole[digest].tensors, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
    calls.clear()
    VisionTower(loaded.model).encode_images(images)
    assert calls == [sum(patches)]  # with gradients: one call

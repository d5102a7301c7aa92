"""A vision tower's first layer as a product gives the convolution's numbers and gradients."""

from __future__ import annotations

import copy

import pytest
import torch
from small_models import fresh

from vlrl.model.vision.patch_embed import PatchProduct, set_patch_products


@pytest.mark.parametrize("bias", [True, False])
def test_values_and_gradients_are_those_of_the_convolution(bias):
    torch.manual_seed(0)
    own = torch.nn.Conv3d(3, 8, kernel_size=(2, 4, 4), stride=(2, 4, 4), bias=bias).double()
    mine = torch.nn.Sequential(copy.deepcopy(own))
    set_patch_products(mine)
    assert type(mine[0]) is PatchProduct
    for shape in ((5, 3, 2, 4, 4), (2, 3, 4, 8, 4)):  # single kernels; several to an input
        patches = torch.randn(shape, dtype=torch.float64)
        found = [layer(patches) for layer in (own, mine)]
        torch.testing.assert_close(found[1], found[0], rtol=1e-12, atol=1e-12)
        for layer, out in zip((own, mine), found, strict=True):
            layer.zero_grad()
            out.square().sum().backward()
        for one, other in zip(mine.parameters(), own.parameters(), strict=True):
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-12, atol=1e-12)


def test_overlapping_and_padded_convolutions_stay_as_they_are():
    model = torch.nn.Sequential(torch.nn.Conv3d(3, 8, 2, stride=1), torch.nn.Conv3d(3, 8, 2, stride=2, padding=1))
    set_patch_products(model)
    assert [type(layer) for layer in model] == [torch.nn.Conv3d] * 2


def test_a_loaded_model_has_it_under_its_own_names(model_folders):
    model = fresh(model_folders["tiny-qwen3-vl"]).model
    (name,) = [name for name, module in model.named_modules() if type(module) is PatchProduct]
    assert f"{name}.weight" in model.state_dict()
    assert not any(type(module) is torch.nn.Conv3d for module in model.modules())

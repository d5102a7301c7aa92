"""One row [prompt | response 1 | … | response k] gives the numbers of k separate rows, gradients included."""

from __future__ import annotations

import pytest
import torch
from small_models import ask, encode, pixels

from vlrl.model.batch.example import Example
from vlrl.model.batch.packing import block_mask, pack
from vlrl.model.optimization.parameter_groups import part_of
from vlrl.model.prompts.positions import PositionRule
from vlrl.model.training.logprobs import response_logprobs
from vlrl.model.vision.image_encoding import VisionTower

RESPONSES = ((20, 31, 42, 53), (64,), (75, 86, 97, 20, 31, 42, 11))
WEIGHTS = torch.linspace(-1.0, 2.0, sum(len(r) for r in RESPONSES))
PROMPTS = {
    "text": ("What is 3+4=?",),
    "one image": (pixels(1), "How many?"),
    "two images": ("left", pixels(2, 48, 16), "right", pixels(3, 16, 32), "red?"),
    "three images": (pixels(4), pixels(5, 64, 32), "blue", pixels(1)),
}


def logprobs_and_gradients(loaded, rows):
    """Log-probabilities (M,) of all responses and the gradient of their weighted sum in every parameter."""
    model, tower = loaded.model, VisionTower(loaded.model)
    model.requires_grad_(True)
    batch = pack(rows, PositionRule(model), 0, loaded.device)
    forbidden = torch.tensor(loaded.placeholder_ids)
    logprobs = response_logprobs(model, tower, batch, tower.encode_images(batch.images), forbidden).logprobs
    names, parameters = zip(*model.named_parameters(), strict=True)
    gradients = torch.autograd.grad((WEIGHTS * logprobs).sum(), parameters, allow_unused=True)
    return logprobs.detach(), {n: g for n, g in zip(names, gradients, strict=True) if g is not None}


@pytest.mark.parametrize("name", PROMPTS)
def test_a_packed_row_equals_separate_rows_in_logprobs_and_every_gradient(loaded, name):
    (encoded,) = encode(loaded, ask(*PROMPTS[name]))
    packed, gradients = logprobs_and_gradients(loaded, [Example(encoded, RESPONSES)])
    separate, expected = logprobs_and_gradients(loaded, [Example(encoded, (r,)) for r in RESPONSES])
    assert torch.allclose(packed, separate, atol=1e-5, rtol=0)
    assert gradients.keys() == expected.keys()
    assert any(part_of(parameter) == "vision" for parameter in gradients) == (name != "text")
    # a bias of the keys has no influence on a softmax: its gradient is rounding alone, so there is a floor
    largest = max(float(g.norm()) for g in expected.values())
    for parameter, gradient in gradients.items():
        error = float((gradient - expected[parameter]).norm())
        assert error < 1e-5 * max(float(expected[parameter].norm()), 1e-2 * largest), parameter


def test_rows_of_unlike_prompts_share_a_batch(loaded):
    """Text-only and image rows, short and long, padded to one width: the same numbers as each row alone."""
    encoded = encode(loaded, *[ask(*pieces) for pieces in PROMPTS.values()])
    rows = [Example(one, RESPONSES[: 1 + place % 3]) for place, one in enumerate(encoded)]
    tower, rule = VisionTower(loaded.model), PositionRule(loaded.model)
    forbidden = torch.tensor(loaded.placeholder_ids)

    @torch.no_grad()
    def score(some):
        batch = pack(some, rule, 0, loaded.device)
        return response_logprobs(loaded.model, tower, batch, tower.encode_images(batch.images), forbidden).logprobs

    assert torch.allclose(score(rows), torch.cat([score([row]) for row in rows]), atol=1e-5, rtol=0)


def test_padded_rows_of_one_response_make_no_mask_of_all_pairs(loaded):
    encoded = encode(loaded, *[ask(*pieces) for pieces in PROMPTS.values()])
    tower = VisionTower(loaded.model)
    batch = pack([Example(one, RESPONSES[:1]) for one in encoded], PositionRule(loaded.model), 0, loaded.device)
    assert batch.mask is None
    assert batch.blocks is None
    seen = []
    layers = loaded.model.get_decoder().layers
    hooks = [
        layer.register_forward_pre_hook(lambda _, __, more: seen.append(more), with_kwargs=True) for layer in layers
    ]
    with torch.no_grad():
        response_logprobs(
            loaded.model, tower, batch, tower.encode_images(batch.images), torch.tensor(loaded.placeholder_ids)
        )
    for hook in hooks:
        hook.remove()
    assert [more["attention_mask"] for more in seen] == [None] * len(layers)


def test_the_block_mask_by_hand():
    part = torch.tensor([[0, 0, 1, 2, 2, -1]])  # prompt of two, responses of one and two, one place of padding
    expected = torch.tensor(
        [
            [1, 0, 0, 0, 0, 0],
            [1, 1, 0, 0, 0, 0],
            [1, 1, 1, 0, 0, 0],
            [1, 1, 0, 1, 0, 0],
            [1, 1, 0, 1, 1, 0],
            [0, 0, 0, 0, 0, 1],
        ]
    ).bool()
    mask = block_mask(part, torch.zeros_like(part))[0, 0]
    assert torch.equal(mask[:5], expected[:5])
    assert bool(mask[5, 5])  # no softmax is empty; what padding reads is never used
    assert not mask[:5, 5].any()


def test_targets_and_their_predicting_positions_by_hand(qwen3):
    (encoded,) = encode(qwen3, ask("red"))
    start = encoded.num_tokens
    batch = pack([Example(encoded, ((20, 21), (30,)))], PositionRule(qwen3.model), 0, qwen3.device)
    assert batch.targets.tolist() == [20, 21, 30]
    assert batch.at.tolist() == [start - 1, start, start - 1]
    assert batch.response.tolist() == [0, 0, 1]
    assert batch.positions[:, 0, start:].tolist() == [[start, start + 1, start]] * 3


def test_a_image_is_looked_at_once_however_many_rows_show_it(loaded):
    tower = VisionTower(loaded.model)
    one, two = encode(loaded, ask(pixels(1), "red"), ask(pixels(1), pixels(2)))
    features = tower.encode_images([*one.images, *two.images])
    assert tower.images_seen == 2
    assert set(features) == {image.digest for image in two.images}

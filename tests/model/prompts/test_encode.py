"""Encoding: the processor's own output, a content hash over every token and pixel, and refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_models import BUDGET, ask, encode, pixels, prompts

from vlrl.errors import DataError
from vlrl.model.prompts.encode import Encoder


def test_a_batch_is_the_processor_called_one_by_one(loaded):
    problems = [ask(*pieces) for pieces in prompts()]
    together = encode(loaded, *problems)
    for pieces, one in zip(prompts(), together, strict=True):
        content = [{"type": "text", "text": p} if isinstance(p, str) else {"type": "image"} for p in pieces]
        text = loaded.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        images = [p for p in pieces if not isinstance(p, str)]
        plain = loaded.processor(text=[text], images=images or None, return_tensors="pt")
        assert list(one.token_ids) == plain["input_ids"][0].tolist()
        image_token = loaded.config.image_token_id
        types = plain.get("mm_token_type_ids", (plain["input_ids"] == image_token).int())
        assert list(one.token_types) == types[0].tolist()
        assert len(one.images) == len(images)
        if "image_grid_thw" in plain:
            assert [list(i.grid) for i in one.images] == plain["image_grid_thw"].tolist()
        if images:  # of one prompt alone nothing is padding
            values = plain["pixel_values"]
            values = values[0] if values.ndim == 5 else values  # tiles come with a dimension of prompts
            assert torch.equal(torch.cat([i.patches for i in one.images]), values)


def test_tiles_belong_to_the_image_that_they_were_cut_from(loaded_models):
    """Images of unlike shape in one prompt beside a text-only one: 2 × 2, 1 × 2 and 2 × 1 tiles, and the whole."""
    loaded = loaded_models["tiny-idefics3"]
    shapes = [(32, 32), (48, 16), (16, 48)]
    images = [pixels(i, *shape) for i, shape in enumerate(shapes)]
    together, _, *alone = encode(loaded, ask("a", *images, "b"), ask("c"), *[ask(p) for p in images])
    assert [i.grid for i in together.images] == [(5, 2, 2), (3, 2, 2), (3, 2, 2)]
    for image, one in zip(together.images, alone, strict=True):
        assert image.digest == one.images[0].digest
        assert torch.equal(image.patches, one.images[0].patches)
        assert image.pixels.mask is None
    placeholders = together.token_ids.count(loaded.config.image_token_id)
    assert placeholders == sum(i.num_patches for i in together.images) // 4


def test_the_content_hash_changes_with_one_pixel_and_with_one_token(qwen3):
    image = pixels(1)
    other = image.copy()
    other.putpixel((3, 5), tuple(255 - v for v in image.getpixel((3, 5))))
    same, again, pixel, token = encode(
        qwen3, ask(image, "red 1"), ask(image, "red 1"), ask(other, "red 1"), ask(image, "red 2")
    )
    assert same.content_hash == again.content_hash
    assert len({same.content_hash, pixel.content_hash, token.content_hash}) == 3


def test_the_system_prompt_comes_first(qwen3):
    (plain,) = encode(qwen3, ask("red"))
    (led,) = Encoder(qwen3, BUDGET, "blue").encode([ask("red")])
    assert led.token_ids[-plain.num_tokens :] == plain.token_ids
    assert qwen3.tokenizer.decode(led.token_ids).startswith("<|im_start|>system\nblue<|im_end|>\n")


def test_a_problem_may_have_a_system_prompt_of_its_own(qwen3):
    """One batch: the run's, a problem's own, none, and a text that spells a control token under each."""
    asked = [ask("red"), replace(ask("red"), system="green"), replace(ask("red"), system="")]
    told = [replace(ask("red <|im_end|>"), system=one.system) for one in asked]
    found = Encoder(qwen3, BUDGET, "blue").encode([*asked, *told])
    for system, one, other in zip(("blue", "green", None), found[:3], found[3:], strict=True):
        alone = Encoder(qwen3, BUDGET, system).encode([ask("red"), ask("red <|im_end|>")])
        assert [list(one.token_ids), list(other.token_ids)] == [list(same.token_ids) for same in alone]
    assert len({one.content_hash for one in found}) == 6


def test_a_prompt_as_long_as_the_context_is_refused(qwen3):
    with pytest.raises(DataError, match="the context holds 160"):
        encode(qwen3, ask("red " * 200))


def test_nothing_to_encode_is_nothing(qwen3):
    assert encode(qwen3) == []

"""A problem that can't be asked is found when it is drawn: by its images' sizes and its length, before encoding."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from small_models import BUDGET, ask, encode, pixels, prompts

from vlrl.data.images.image_budget import ImageBudget
from vlrl.data.images.open_images import BadImageError, open_image, upright_size
from vlrl.errors import DataError
from vlrl.model.prompts.encode import Encoder
from vlrl.model.prompts.prompt_check import PromptCheck
from vlrl.types import Image

SLOW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def check_of(loaded, longest=8, budget=BUDGET):
    return PromptCheck(loaded, Encoder(loaded, budget), budget, longest)


@pytest.fixture
def roomy(loaded):
    """Room for every prompt here."""
    return replace(loaded, context=20_000)


def test_the_bound_is_exact_where_patches_are_and_holds_everywhere(roomy, architecture):
    check = check_of(roomy)
    for pieces in [*prompts(), ("<|im_end|><image>", pixels(1), "<|image_pad|>")]:
        problem = ask(*pieces)
        (encoded,) = encode(roomy, problem)
        most = check.most_tokens(problem)
        assert most >= encoded.num_tokens
        if architecture != "tiny-idefics3" or not problem.images:
            assert most == encoded.num_tokens


@SLOW
@given(width=st.integers(1, 300), height=st.integers(1, 300))
def test_a_size_that_passes_can_be_encoded_and_no_other_can(roomy, width, height):
    problem = ask(pixels(0, width, height), "x")
    check = check_of(roomy, budget=ImageBudget(min_pixels=1, max_pixels=4096))
    encoder = Encoder(roomy, ImageBudget(min_pixels=1, max_pixels=4096))
    try:
        check(problem)
    except BadImageError:
        with pytest.raises(DataError):
            encoder.encode([problem])
    else:
        (encoded,) = encoder.encode([problem])
        assert encoded.num_tokens <= check.most_tokens(problem)


def test_an_image_that_the_processor_refuses_is_named(qwen3, monkeypatch):
    check = check_of(qwen3)
    images = qwen3.processor.image_processor
    monkeypatch.setattr(type(images), "get_number_of_image_patches", refuse)
    problem = ask(pixels(1), "red")
    with pytest.raises(BadImageError, match="takes none of 32×32 pixels: sides of this ratio are not for me") as told:
        check(problem)
    assert told.value.place == f"image {problem.images[0].digest}"
    assert "on_bad_image" in told.value.remedy


def refuse(*_):
    """What a stricter processor says."""
    raise ValueError("sides of this ratio are not for me")


def test_what_a_processor_refuses_in_a_batch_is_the_error_of_its_problem(qwen3, monkeypatch):
    encoder = Encoder(qwen3, BUDGET)
    narrow = ask(pixels(2, 48, 16), "narrow")
    plain = type(qwen3.processor).__call__

    def strict(self, images=None, **given):
        if any(image.width > image.height for row in images or () for image in row):
            raise ValueError("too narrow for me")
        return plain(self, images=images, **given)

    monkeypatch.setattr(type(qwen3.processor), "__call__", strict)
    with pytest.raises(DataError, match="too narrow for me") as told:
        encoder.encode([ask(pixels(1), "a"), narrow, ask("b")])
    assert narrow.id in told.value.place


def test_a_prompt_with_its_longest_response_fits_or_is_named(loaded):
    (encoded,) = encode(loaded, problem := ask(pixels(1), "How many cards?"))
    room = loaded.context - encoded.num_tokens
    check_of(loaded, room)(problem)
    with pytest.raises(DataError, match=f"takes {encoded.num_tokens} tokens and responses up to {room + 1}") as told:
        check_of(loaded, room + 1)(problem)
    assert problem.id in told.value.place


@pytest.mark.parametrize("turn", range(1, 9))
def test_the_size_in_a_header_is_that_of_the_opened_image(turn):
    exif = Pillow.Exif()
    exif[0x0112] = turn
    file = io.BytesIO()
    pixels(1, 40, 20).save(file, "JPEG", exif=exif)
    image = Image("turned", data=file.getvalue())
    assert upright_size(image) == open_image(image).size


def test_a_checked_problem_is_not_written_once_more_when_it_is_encoded(qwen3, monkeypatch):
    encoder = Encoder(qwen3, BUDGET)
    problem = ask("three and four?")
    tokens = encoder.text_tokens(problem)
    monkeypatch.setattr(qwen3.processor, "apply_chat_template", None)
    (encoded,) = encoder.encode([problem])
    assert encoded.num_tokens == tokens
    with pytest.raises(TypeError):
        encoder.encode([ask("another text")])  # the same id isn't enough

"""Rendered twins and photo-like distortion."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from vlrl.errors import DataError
from vlrl.rendered_text.convert import rendered_twin
from vlrl.rendered_text.distortion import Distortion
from vlrl.rendered_text.styles.style_registry import styles
from vlrl.types import Image, Problem, Text

SUM = Problem(
    (Text("4-3+5=?"),), "6", "number", "text", "arithmetic", source="sums", difficulty=0.5, metadata={"unit": "m"}
)
CELLS = styles.build({"name": "cells", "cell": 16, "size": 48})


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_twin_asks_the_same_in_a_image():
    twin = rendered_twin(SUM, CELLS, rng(), source="drawn", instruction="Answer.")
    assert twin.twin == SUM.id != twin.id
    assert (twin.answer, twin.verifier, twin.metadata, twin.domain, twin.difficulty) == (
        "6",
        "number",
        {"unit": "m"},
        "arithmetic",
        0.5,
    )
    assert (twin.modality, twin.source, twin.question) == ("rendered", "drawn", "<image>Answer.")
    image = Pillow.open(io.BytesIO(twin.images[0].read_bytes()))
    assert np.array_equal(np.asarray(image), np.asarray(CELLS.draw("4-3+5=?", rng())))


def test_a_problem_with_a_image_has_no_twin():
    with pytest.raises(DataError, match="text alone"):
        rendered_twin(Problem((Image.from_bytes(b"x"),), "1", "number", "real", "d"), CELLS, rng())


def test_a_text_that_does_not_fit_names_the_source():
    long = Problem((Text("1+2+3+4+5+6=?"),), "21", "number", "text", "arithmetic")
    with pytest.raises(DataError, match=r"'drawn'.*3×3 cells hold 9"):
        rendered_twin(long, CELLS, rng(), source="drawn")


PAGE = styles.build("plain").draw("HHHH " * 40, rng())


def test_distortion_keeps_size_is_determined_and_differs_by_generator():
    first, again, other = (np.asarray(Distortion().apply(PAGE, rng(seed))) for seed in (1, 1, 2))
    assert first.shape == np.asarray(PAGE).shape
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_no_distortion_is_the_identity():
    nothing = Distortion(rotation=0, blur=0, noise=0, shadow=0, jpeg_quality=100)
    assert np.array_equal(np.asarray(nothing.apply(PAGE, rng())), np.asarray(PAGE))


@pytest.mark.parametrize("seed", range(6))
def test_a_turned_page_keeps_all_its_ink(seed):
    framed = Pillow.new("RGB", (200, 80), "white")
    framed.paste((0, 0, 0), (0, 0, 200, 3))  # ink right at the upper edge
    turned = np.asarray(Distortion(rotation=15, blur=0, noise=0, shadow=0, jpeg_quality=100).apply(framed, rng(seed)))
    angle = np.deg2rad(abs(rng(seed).uniform(-15, 15)))
    scale = min(200 / (200 * np.cos(angle) + 80 * np.sin(angle)), 80 / (200 * np.sin(angle) + 80 * np.cos(angle)))
    ink = (255 - turned[:, :, 0].astype(float)).sum() / 255
    assert ink == pytest.approx(600 * scale**2, rel=0.06)


def test_a_distorted_page_is_still_dark_on_light():
    distorted = np.asarray(Distortion().apply(PAGE, rng(3)).convert("L")).astype(float)
    original = np.asarray(PAGE.convert("L")).astype(float)
    assert distorted.mean() > 0.7 * original.mean()
    assert np.percentile(distorted, 1) < 110

"""Photo-like distortion: named strengths, every effect by itself, and ink that stays inside the image."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from vlrl.config import Settings
from vlrl.rendered_text.distortion import Distortion, _view
from vlrl.rendered_text.styles.style_registry import styles

NOTHING = {"rotation": 0, "perspective": 0, "blur": 0, "noise": 0, "shadow": 0, "paper": 0, "jpeg_quality": 100}
PAGE = styles.build("plain").draw("HHHH " * 40, np.random.default_rng(0))


def apply(seed: int = 0, page: Pillow.Image = PAGE, **effects) -> np.ndarray:
    return np.asarray(Distortion.model_validate({**NOTHING, **effects}).apply(page, np.random.default_rng(seed)))


class Holder(Settings):
    distortion: Distortion | None = None


def test_a_strength_is_a_name_for_settings_and_some_may_be_changed():
    mild = Holder.model_validate({"distortion": "mild"}).distortion
    strong = Holder.model_validate({"distortion": {"strength": "strong", "noise": 0}}).distortion
    assert (mild.rotation, mild.jpeg_quality) == (1.5, 70)
    assert (strong.rotation, strong.noise) == (5.0, 0)
    assert Holder.model_validate(Holder(distortion=mild).model_dump()).distortion == mild
    with pytest.raises(ValueError, match="did you mean 'strong'"):
        Holder.model_validate({"distortion": "stron"})


@pytest.mark.parametrize("effect", ["rotation", "perspective", "blur", "noise", "shadow", "paper"])
def test_every_effect_changes_the_page_and_strong_more_than_mild(effect):
    original = np.asarray(PAGE).astype(float)
    strengths = {name: getattr(Distortion.model_validate(name), effect) for name in ("mild", "strong")}
    changed = {
        name: np.mean([np.abs(apply(seed, **{effect: most}) - original).mean() for seed in range(5)])
        for name, most in strengths.items()
    }
    assert 0 < changed["mild"] < changed["strong"]


def test_low_jpeg_quality_changes_the_page():
    assert np.abs(apply(jpeg_quality=10).astype(int) - np.asarray(PAGE)).max() > 10


@pytest.mark.parametrize("strength", ["mild", "strong"])
@pytest.mark.parametrize("seed", range(8))
def test_the_corners_of_the_page_stay_in_the_image(seed, strength):
    framed = Pillow.new("RGB", (220, 140), "white")
    for corner in ((0, 0), (210, 0), (0, 130), (210, 130)):
        framed.paste((0, 0, 0), (*corner, corner[0] + 10, corner[1] + 10))
    framed.paste((255, 255, 255), (20, 0, 200, 140))  # the paper's colour is what the border shows most
    named = Distortion.model_validate(strength)
    warped = apply(seed, framed, rotation=named.rotation, perspective=named.perspective)
    dark = (255 - warped[:, :, 0].astype(float)) / 255
    for half in (dark[:70, :110], dark[:70, 110:], dark[70:, :110], dark[70:, 110:]):
        assert 0.45 * 100 < half.sum() <= 101  # all of a corner of 10×10 pixels, only smaller


def test_corners_move_inwards_by_their_shares():
    moved = _view(101, 51, np.array([[0.1, 0.2], [0, 0], [0.1, 0], [0, 0.1]]))
    for corner, expected in [
        ((0, 0), (10.1, 10.2)),
        ((100, 0), (100, 0)),
        ((100, 50), (89.9, 50)),
        ((0, 50), (0, 44.9)),
    ]:
        x, y, w = moved @ [*corner, 1]
        assert (x / w, y / w) == pytest.approx(expected, abs=1e-3)


def test_paper_only_darkens_and_within_its_strength():
    white = Pillow.new("RGB", (120, 90), "white")
    pages = [apply(seed, white, paper=0.1) for seed in range(5)]
    assert min(page.min() for page in pages) >= 255 * 0.9 - 1
    assert max(page.max() for page in pages) == 255 or len({page.tobytes() for page in pages}) == 5

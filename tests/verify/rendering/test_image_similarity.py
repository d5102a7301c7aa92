"""Likeness to a target: what must be the whole of it, nothing of it, and less than something else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vlrl.verify.rendering.image_similarity import Target, colours, edges, structure

RED, BLUE = (200, 30, 30), (30, 30, 200)


def chart(bars=(60, 120, 30), colour=RED, shift=0, ground=255):
    """Bars on a line, with a title."""
    image = np.full((240, 320, 3), ground, np.uint8)
    for i, height in enumerate(bars):
        cv2.rectangle(image, (40 + 80 * i + shift, 200 - height), (90 + 80 * i + shift, 200), colour, -1)
    cv2.line(image, (30 + shift, 200), (300 + shift, 200), (0, 0, 0), 2)
    cv2.putText(image, "Sales", (120 + shift, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (0, 0, 0), 2)
    return image


def drawn(rng):
    """A random target of figures on a random ground."""
    image = np.full((int(rng.integers(60, 400)), int(rng.integers(60, 400)), 3), int(rng.integers(160, 256)), np.uint8)
    for _ in range(int(rng.integers(1, 6))):
        place = tuple(int(v) for v in rng.integers(10, 50, 2))
        cv2.circle(image, place, int(rng.integers(6, 30)), rng.integers(0, 140, 3).tolist(), -1)
    return image


def score(image, target=None):
    return Target.of(chart() if target is None else target).similarity(image).score


@pytest.mark.parametrize("seed", range(40))
def test_a_target_is_wholly_like_itself_and_any_blank_page_not_at_all(seed):
    rng = np.random.default_rng(seed)
    target = drawn(rng)
    assert score(target, target) == pytest.approx(1.0)
    commonest = target.reshape(-1, 3)[0]
    for colour in (commonest, target.reshape(-1, 3).mean(0).astype(np.uint8), (255, 255, 255), (0, 0, 0)):
        assert score(np.broadcast_to(np.uint8(colour), target.shape).copy(), target) < 0.06


def test_the_further_it_is_moved_the_less_it_is_alike():
    found = [score(chart(shift=shift)) for shift in (0, 1, 2, 4, 8, 16, 40)]
    assert found == sorted(found, reverse=True)
    assert found[1] > 0.9
    assert found[-1] < 0.2


def test_what_is_wrong_costs_and_what_is_more_wrong_costs_more():
    near, far = score(chart(bars=(60, 110, 30))), score(chart(bars=(120, 60, 90)))
    assert 1 > near > far > 0
    assert 1 > score(chart(colour=(190, 50, 40))) > score(chart(colour=BLUE)) > 0
    assert score(chart()) > score(chart(bars=(60, 120))) > score(chart(bars=()))


@pytest.mark.parametrize("name", ["noise", "another drawing", "inverted"])
def test_another_image_is_hardly_alike(name):
    rng = np.random.default_rng(0)
    circle = np.full((240, 320, 3), 255, np.uint8)
    cv2.circle(circle, (100, 100), 60, (0, 0, 0), 3)
    image = {"noise": rng.integers(0, 256, (240, 320, 3), dtype=np.uint8), "another drawing": circle}
    assert score(image.get(name, 255 - chart())) < 0.2


def test_another_size_costs_nothing_and_another_shape_does():
    assert score(cv2.resize(chart(), (640, 480), interpolation=cv2.INTER_AREA)) > 0.95
    wide = cv2.resize(chart(), (640, 240), interpolation=cv2.INTER_AREA)
    assert Target.of(chart()).similarity(wide).aspect == pytest.approx(0.5)
    assert score(wide) <= 0.5


def test_parts_have_the_values_of_their_definitions():
    black, white = np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8)
    # constant images: covariance and variances are 0, so that C1 / (255² + C1) is left (Wang et al. 2004, eq. 13)
    assert structure(black, white) == pytest.approx((0.01 * 255) ** 2 / (255**2 + (0.01 * 255) ** 2))
    assert colours(black, white) == pytest.approx(0.0, abs=1e-3)  # ΔE of black and white is 100
    one, other = black.copy(), black.copy()
    one[:, 20:] = other[:, 24:] = 255  # an edge four pixels off, one more than is allowed
    assert edges(one, other) == 0.0
    other[:, 23:] = 255
    assert edges(one, other) == 1.0


@pytest.mark.parametrize("value", [7, 254])
def test_a_target_that_shows_nothing_is_no_target(value):
    image = np.full((900, 900, 3), 7, np.uint8)
    image[0, 0] = value - 1  # one pixel of nearly the same colour is nothing either
    with pytest.raises(ValueError, match="shows nothing"):
        Target.of(np.full((9, 9, 3), 7, np.uint8) if value == 7 else np.where(image == 7, np.uint8(value), image))


def gradient():
    return np.repeat(np.linspace(90, 160, 320).astype(np.uint8)[None, :, None], 200, axis=0).repeat(3, axis=2)


def pastel():
    image = np.full((200, 320, 3), 255, np.uint8)
    image[60:140, 80:240] = (240, 244, 250)
    return image


@pytest.mark.parametrize("target", [gradient(), pastel()], ids=["gradient", "pastel"])
def test_a_blank_page_earns_nothing_where_the_target_has_no_edges(target):
    asked = Target.of(target)
    assert "edges" not in asked.floors
    assert asked.similarity(target).score == pytest.approx(1.0)
    for colour in (255, 244, 128, 0):
        assert asked.similarity(np.full_like(target, colour)).score < 0.06

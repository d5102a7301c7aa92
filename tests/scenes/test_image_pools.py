"""Scanned digits and photographs: what a split may show, and that nothing crosses cells at 48 px."""

from __future__ import annotations

import numpy as np
import pytest

from vlrl.errors import ConfigError
from vlrl.scenes import photo_mosaic
from vlrl.scenes.domain import domains, with_split
from vlrl.scenes.scanned_digits import _enlarged, scans_of
from vlrl.seeding import stream


def test_about_a_quarter_of_the_scans_of_every_digit_is_held_out():
    for digit in range(10):
        train, held_out = scans_of("train", digit), scans_of("held_out", digit)
        assert not set(train) & set(held_out)
        assert 0.15 < len(held_out) / (len(train) + len(held_out)) < 0.35
    assert sum(len(scans_of(s, d)) for s in ("train", "held_out") for d in range(10)) == 1797


@pytest.mark.parametrize("split", ["train", "held_out"])
def test_every_scan_in_a_image_is_one_of_its_split_and_its_label(split):
    made = with_split(domains.build({"name": "scanned_digits", "size": 48}), split)
    labels = {_enlarged(scan, 16).tobytes(): digit for digit in range(10) for scan in scans_of(split, digit)}
    for i in range(20):
        draft = made.draw(stream(0, i), 1.0)
        cells = np.asarray(draft.images[0])[..., 0].reshape(3, 16, 3, 16).swapaxes(1, 2).reshape(9, 256)
        seen = [labels[cell.tobytes()] for cell in cells if (cell < 255).any()]
        assert draft.thought.startswith(f"{seen[0]}+{seen[1]}=")
        assert sum(seen) == int(draft.answer)


def test_the_parts_of_a_photograph_share_no_column_and_both_hold_flower_crops():
    for name in photo_mosaic.CUT:
        columns = [set(range(640)[photo_mosaic.part(name, split)]) for split in ("train", "held_out")]
        assert not columns[0] & columns[1]
    for cell in (16, 80):
        for split in ("train", "held_out"):
            for side in photo_mosaic.SIDES:
                for name in photo_mosaic.CUT:
                    _, corners = photo_mosaic._crops(name, split, side, cell)
                    assert len(corners) >= 20


def test_flower_crops_are_mostly_petals_and_others_are_not():
    for split in ("train", "held_out"):
        shares = {}
        for name in photo_mosaic.CUT:
            photo, corners = photo_mosaic._crops(name, split, 72, 16)
            crops = np.stack([photo[t : t + 16, c : c + 16] for t, c in corners]).astype(int)
            petals = (crops[..., 0] > 120) & (crops[..., 0] - crops[..., 2] > 40)
            shares[name] = petals.mean(axis=(1, 2))
        assert shares["flower"].min() >= 0.84
        assert np.quantile(shares["china"], 0.95) < 0.7


@pytest.mark.parametrize("name", ["grid_count", "grid_compare", "odd_one", "spatial_relation", "photo_mosaic"])
def test_at_48_px_only_cells_of_16_px_are_touched(name):
    """Cells without an item are paper to the last pixel, so nothing bleeds over a cell's edge."""
    made = domains.build({"name": name, "size": 48})
    for i in range(20):
        pixels = np.asarray(made.draw(stream(0, i), 0.5).images[0])
        assert pixels.shape == (48, 48, 3)
        cells = pixels.reshape(3, 16, 3, 16, 3).swapaxes(1, 2).reshape(9, -1)
        empty = (cells == 255).all(axis=1)
        inked = (cells != 255).mean(axis=1) > 0.1
        assert (empty ^ inked).all()


@pytest.mark.parametrize(
    "settings",
    [
        {"name": "grid_count", "size": 20},
        {"name": "scanned_digits", "count": [2, 10]},
        {"name": "photo_mosaic", "crops": [0, 9]},
        {"name": "bars", "size": 47},
    ],
)
def test_images_that_can_not_hold_their_content_are_refused(settings):
    with pytest.raises(ConfigError, match=settings["name"]):
        domains.build(settings)

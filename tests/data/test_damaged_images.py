"""Damaged image files become images or errors that name them, quickly; the script of this name takes 2,000."""

from __future__ import annotations

import io

import pytest
from PIL import Image as Pillow
from PIL import features
from scripts_as_modules import script

from vlrl.data.images.open_images import BadImageError, open_image
from vlrl.types import Image


@pytest.fixture(scope="module")
def damages():
    return script("scripts/bench/damaged_images.py")


@pytest.mark.slow
def test_four_hundred_damaged_files_crash_nothing_hang_nothing_and_are_named(damages, tmp_path):
    results = {}
    for name, data in damages.damaged(400):
        results[name], seconds = damages.check(name, data, tmp_path)
        assert seconds < damages.MAX_SECONDS, name
    assert len(results) == 400
    assert {result for name, result in results.items() if "_suffix_" in name} == {"image"}  # contents decide
    assert {result for name, result in results.items() if "_noise_" in name} == {"error"}
    for bomb in ("50000x50000.png", "9000x9000.png", "text.png", "scans.jpg"):
        assert results[f"bomb_{bomb}"] == "error", bomb
    assert results["bomb_frames.gif"] == "image"  # its first frame alone


@pytest.mark.parametrize(
    ("kind", "feature", "size"), [("JPEG2000", "jpg_2000", (4100, 4000)), ("AVIF", "avif", (6500, 5000))]
)
def test_formats_that_are_slow_to_decode_have_lower_limits(kind, feature, size):
    if feature not in features.get_supported():
        pytest.skip(f"this Pillow has no {kind}")
    buffer = io.BytesIO()
    Pillow.new("L", (16, 16)).save(buffer, kind)
    whole = buffer.getvalue()
    small = b"".join(side.to_bytes(4, "big") for side in (16, 16))
    if kind == "JPEG2000":  # height and width stand in the header box, reference grid in the code stream
        assert small in whole
    large = whole.replace(small, b"".join(side.to_bytes(4, "big") for side in size))
    with pytest.raises(BadImageError):
        open_image(Image.from_bytes(large))


def test_a_progressive_file_of_many_scans_is_refused_and_a_usual_one_is_not():
    buffer = io.BytesIO()
    Pillow.new("L", (2000, 2000)).save(buffer, "JPEG", progressive=True, quality=20)
    whole = buffer.getvalue()
    assert open_image(Image.from_bytes(whole)).size == (2000, 2000)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    with pytest.raises(BadImageError, match=r"scans of 2000×2000"):
        open_image(Image.from_bytes(whole[:-2] + last * 200 + whole[-2:]))

"""Damaged image files: each must become an image or an error that names it, within a second, and crash nothing.

    nice -n 19 python scripts/bench/damaged_images.py --files 2000

Flipped bits, overwritten headers, cuts, pieces of other files, wrong suffixes, files that are no images, and bombs:
small files that claim to be large, or that take long to decode. Seconds are processor time of one file.
"""

from __future__ import annotations

import argparse
import io
import struct
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from vlrl.data.images.open_images import FORMATS, BadImageError, open_image
from vlrl.types import Image

MAX_SECONDS = 1.0
SAVED = {
    "png": ("PNG", {}),
    "palette.png": ("PNG", {}),
    "deep.png": ("PNG", {}),
    "jpg": ("JPEG", {"quality": 85}),
    "progressive.jpg": ("JPEG", {"progressive": True}),
    "cmyk.jpg": ("JPEG", {}),
    "gif": ("GIF", {"save_all": True}),
    "webp": ("WEBP", {}),
    "lossless.webp": ("WEBP", {"lossless": True}),
    "bmp": ("BMP", {}),
    "tiff": ("TIFF", {}),
    "packed.tiff": ("TIFF", {"compression": "tiff_lzw"}),
    "ppm": ("PPM", {}),
    "jp2": ("JPEG2000", {}),
    "avif": ("AVIF", {}),
    "ico": ("ICO", {}),
    "tga": ("TGA", {}),
}


def whole_files() -> dict[str, bytes]:
    """One good file of each kind that this build of Pillow writes, 96×72 pixels with edges, flat areas and noise."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (72, 96, 3), dtype=np.uint8)
    pixels[10:40, 10:60] = (200, 30, 30)
    image = Pillow.fromarray(pixels)
    found = {}
    for kind, (name, options) in SAVED.items():
        if name not in FORMATS:
            continue
        made = image
        if kind == "palette.png":
            made = image.quantize(64)
        elif kind == "deep.png":
            made = Pillow.fromarray(rng.integers(0, 65535, (72, 96), dtype=np.uint16))
        elif kind == "cmyk.jpg":
            made = image.convert("CMYK")
        more = {"append_images": [image.rotate(90)]} if kind == "gif" else {}
        buffer = io.BytesIO()
        made.save(buffer, format=name, **options, **more)
        found[kind] = buffer.getvalue()
    return found


def png(width: int, height: int, body: bytes, colour: int = 2, extra: bytes = b"") -> bytes:
    """A PNG file put together by hand: `body` is what its compressed data hold."""
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + _chunk(b"IHDR", header) + extra + _chunk(b"IDAT", zlib.compress(body, 9)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bombs() -> dict[str, bytes]:
    """Small files that would fill memory or take long: by their size in pixels, hidden texts, frames or scans."""
    grey = Pillow.new("L", (7900, 7900))
    made = {
        "50000x50000.png": png(50_000, 50_000, b"\0" * 1000),
        "9000x9000.png": png(9_000, 9_000, b"\0" * 1000),
        "line.png": png(60_000_000, 1, b"\0" * 1000),
        "text.png": png(8, 8, b"\0" * 200, extra=_chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 90_000_000, 9))),
        "profile.png": png(8, 8, b"\0" * 200, extra=_chunk(b"iCCP", b"a\0\0" + zlib.compress(b"x" * 90_000_000, 9))),
    }
    small = Pillow.new("L", (3900, 3900))
    for name, kind, options, image in (
        ("flat.png", "PNG", {"compress_level": 1}, grey),
        ("flat.jpg", "JPEG", {"quality": 10}, grey),
        ("flat_progressive.jpg", "JPEG", {"quality": 10, "progressive": True}, grey),
        ("flat.gif", "GIF", {}, small),
        ("flat.tiff", "TIFF", {"compression": "tiff_lzw"}, small),
        ("flat.jp2", "JPEG2000", {}, small),
        ("flat.webp", "WEBP", {"quality": 10, "method": 0}, small),
        ("flat.avif", "AVIF", {"quality": 10, "speed": 10}, small),
    ):
        if kind in FORMATS:
            buffer = io.BytesIO()
            image.save(buffer, format=kind, **options)
            made[name] = buffer.getvalue()
    progressive = made["flat_progressive.jpg"]
    end = progressive.rindex(b"\xff\xda")
    made["scans.jpg"] = progressive[:-2] + progressive[end:-2] * 3000 + progressive[-2:]
    buffer = io.BytesIO()
    frames = [Pillow.new("P", (1000, 1000), i) for i in range(60)]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    made["frames.gif"] = buffer.getvalue()
    return made


def damaged(count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """`count` damaged files: (name, contents), the same for a seed."""
    rng = np.random.default_rng(seed)
    whole = whole_files()
    kinds = list(whole)
    special = bombs()
    for number, (name, data) in enumerate(special.items()):
        if number < count:
            yield f"bomb_{name}", data
    for number in range(len(special), count):
        kind = kinds[number % len(kinds)]
        data, other = bytearray(whole[kind]), whole[kinds[int(rng.integers(len(kinds)))]]
        how = ("bits", "header", "cut", "splice", "suffix", "noise")[int(rng.integers(6))]
        if how == "bits":
            for place in rng.integers(0, len(data), int(rng.integers(1, 12))):
                data[place] ^= 1 << int(rng.integers(8))
        elif how == "header":
            for place in rng.integers(0, min(64, len(data)), int(rng.integers(1, 6))):
                data[place] = int(rng.integers(256))
        elif how == "cut":
            data = data[: int(rng.integers(0, len(data)))]
        elif how == "splice":
            at = int(rng.integers(1, len(data)))
            data = data[:at] + other[min(at, len(other)) :]
        elif how == "noise":
            data = bytearray(rng.bytes(int(rng.integers(0, 3000))))
        wrong = kinds[int(rng.integers(len(kinds)))] if how in ("suffix", "splice") else kind
        yield f"{number:04d}_{how}_{kind.replace('.', '_')}.{wrong}", bytes(data)


def check(name: str, data: bytes, folder: Path) -> tuple[str, float]:
    """What became of one file, "image" or "error", and the seconds it took. AssertionError if it is not named."""
    path = folder / name
    path.write_bytes(data)
    reference = Image.from_file(str(path))
    started = time.process_time()
    try:
        opened = open_image(reference)
    except BadImageError as error:
        if name not in str(error):
            raise AssertionError(f"{name} is not named: {error}") from error
        return "error", time.process_time() - started
    finally:
        path.unlink()
    assert opened.mode == "RGB"
    return "image", time.process_time() - started


def main() -> None:
    """Print the table; exit code 1 if a file took longer than a second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    count = parser.parse_args().files
    results: Counter[tuple[str, str]] = Counter()
    slowest: dict[str, tuple[float, str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, data in damaged(count):
            how = name.split("_")[0] if name.startswith("bomb") else name.split("_")[1]
            result, seconds = check(name, data, Path(folder))
            results[how, result] += 1
            slowest[how] = max(slowest.get(how, (0.0, "")), (seconds, name))
    print("| damage | files | opened | named errors | slowest, seconds | which |\n|---|---|---|---|---|---|")
    for how, (seconds, name) in sorted(slowest.items()):
        opened, errors = results[how, "image"], results[how, "error"]
        print(f"| {how} | {opened + errors} | {opened} | {errors} | {seconds:.3f} | {name} |")
    print(f"\n{sum(results.values())} files, no crash, each an image or an error with its name")
    sys.exit(1 if max(seconds for seconds, _ in slowest.values()) >= MAX_SECONDS else 0)


if __name__ == "__main__":
    main()

"""What the tests of all domains draw. Drawing is most of their time, so what several of them read is drawn once."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

import vlrl.scenes  # fills the registry  # noqa: F401
from vlrl.scenes.contract import faults_of
from vlrl.scenes.domain import domains, draw_problem, encode_png
from vlrl.seeding import stream
from vlrl.types import Draft, Problem, content_digest

NAMES = [name for name in domains if domains.get(name).__module__.startswith("vlrl.")]  # not those of other tests
every_domain = pytest.mark.parametrize("name", NAMES)
DEFAULT = 0.5  # the difficulty of statistical questions
MANY = 240  # draws behind a statistic; docs/results/domains.md has 2,000
STEPS = 11  # of the difficulty scale: 0, 0.1 … 1


@functools.cache
def problem_at(name: str, index: int, difficulty: float = DEFAULT) -> tuple[Problem, str]:
    """A problem of the domain as a run draws it, with its worked response."""
    return drawn_now(name, index, difficulty)


def drawn_now(name: str, index: int, difficulty: float) -> tuple[Problem, str]:
    """The same, drawn again."""
    problem, shown = draw_problem(domains.build(name), stream(5, "scenes", name, index), difficulty)
    return problem, shown.response


def along_the_scale(name: str, count: int) -> list[tuple[Problem, str]]:
    """Problems with their worked responses, their difficulties from 0 to 1 and round again."""
    return [problem_at(name, i, (i % STEPS) / 10) for i in range(count)]


def small(name: str) -> Any:
    """The domain with images of 200 px, where statistics need many: what is asked does not depend on the size."""
    has_size = "size" in domains.get(name).__dataclass_fields__
    return domains.build({"name": name, "size": 200} if has_size else name)


@dataclass(frozen=True)
class Seen:
    """A draft without its images, which would fill the memory, and what was seen of them.

    digest      of all image files
    files       (bytes of the file, width, height, means of the three channels), an image
    ink         share of the first image's pixels that differ from its corner
    brightness  mean of the first image's values
    faults      of the contract
    """

    draft: Draft
    digest: str = ""
    files: tuple[tuple[float, ...], ...] = ()
    ink: float = 0.0
    brightness: float = 0.0
    faults: tuple[str, ...] = ()


@functools.cache
def many(name: str) -> list[Seen]:
    """MANY draws of the small domain at the DEFAULT difficulty."""
    made, found = small(name), []
    for i in range(MANY):
        draft = made.draw(stream(6, "scenes", name, i), DEFAULT)
        pixels = [np.asarray(image.convert("RGB")) for image in draft.images]
        data = [encode_png(image) for image in draft.images]
        files = [
            (float(len(one)), float(p.shape[1]), float(p.shape[0]), *cv2.mean(p)[:3])
            for one, p in zip(data, pixels, strict=True)
        ]
        if pixels:
            corner = np.array(pixels[0][0, 0])
            ink = 1 - cv2.countNonZero(cv2.inRange(pixels[0], corner, corner)) / (files[0][1] * files[0][2])
            brightness = sum(files[0][3:]) / 3
            seen = Seen(replace(draft, images=()), content_digest(b"".join(data)), tuple(files), ink, brightness)
        else:
            seen = Seen(replace(draft, images=()))
        found.append(seen)
    return found


@functools.cache
def drafts_along_the_scale(name: str) -> list[Seen]:
    """120 drafts with what the contract says of them, every other one at the domain's own size, until 33 are."""
    found = []
    for i in range(120):
        made = domains.build(name) if i % 2 and i < 66 else small(name)
        draft = made.draw(stream(9, "scenes", name, i), (i % STEPS) / 10)
        found.append(Seen(replace(draft, images=()), faults=faults_of(made, draft)))
    return found


def commonest_colour_rate(image: Image.Image) -> float:
    """Share of an image's pixels that have its commonest colour."""
    values = np.asarray(image.convert("RGB")).astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    return float(np.unique(values, return_counts=True)[1].max() / values.size)

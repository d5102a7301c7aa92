"""What puzzles made from images of a pool have in common: size, pool, and which part of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from vlrl.scenes.draws import check_at_least
from vlrl.scenes.image_pool import Split, check_pool


@dataclass(frozen=True)
class PhotoPuzzle:
    """The base of those domains; each says the least size that its parts can be told apart in.

    size    pixels, square
    images  photographs, scenes, or a folder
    split   train and held-out problems share no photograph, or part of one
    """

    size: int = 288
    images: str = "photographs"
    split: Split = "train"

    name: ClassVar[str]
    least_size: ClassVar[int] = 128

    def __post_init__(self) -> None:
        check_at_least(f"domain {self.name!r}, size", self.size, self.least_size)
        check_pool(f"domain {self.name!r}", self.images)

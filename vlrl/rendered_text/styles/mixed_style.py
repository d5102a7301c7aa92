"""The style `mixed`: every image in one of several styles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image as Pillow

from vlrl.errors import ConfigError
from vlrl.rendered_text.styles.style_registry import styles


@styles.register("mixed")
@dataclass(frozen=True)
class Mixed:
    """One of the styles of `of`, drawn again for every image, all equally often; a style is a name or its settings.

    A text must fit every one of them; which style it got shows in the image alone.
    """

    of: tuple[Any, ...] = ("document", "dark", "page", "chat")

    def __post_init__(self) -> None:
        if not self.of:
            raise ConfigError("style 'mixed', of", "names no style", "e.g. [plain, dark]")
        object.__setattr__(self, "_built", tuple(styles.build(spec) for spec in self.of))

    def draw(self, text: str, rng: np.random.Generator) -> Pillow.Image:
        """The text in a drawn style."""
        built: tuple[Any, ...] = self._built  # type: ignore[attr-defined]
        image: Pillow.Image = built[int(rng.integers(len(built)))].draw(text, rng)
        return image

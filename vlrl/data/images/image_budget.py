"""How large images are, in pixels."""

from __future__ import annotations

from pydantic import Field, model_validator

from vlrl.config import Settings
from vlrl.errors import ConfigError


class ImageBudget(Settings):
    """Every image is resized, aspect kept, until its pixel count lies between the two."""

    min_pixels: int = Field(default=784, ge=1, description="pixels an image has at least, e.g. 784 = 28×28")
    max_pixels: int = Field(default=1_003_520, ge=1, description="pixels an image has at most, e.g. 1280·28·28")

    @model_validator(mode="after")
    def _ordered(self) -> ImageBudget:
        if self.min_pixels > self.max_pixels:
            raise ConfigError(
                "image",
                f"min_pixels {self.min_pixels} is larger than max_pixels {self.max_pixels}",
                "exchange the two or give the same number twice for images of one size",
            )
        return self

"""Our own tools as an environment: the policy may look again, and the problem's verifier judges its last turn.

environment: {name: tools, tools: [zoom, rotate], turns: 4}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, model_validator

from vlrl.code_execution import executor
from vlrl.errors import ConfigError
from vlrl.rollout.environments.calls.toolbox import schemas_of
from vlrl.rollout.environments.environment import environments
from vlrl.rollout.environments.episodes.episode_environment import EpisodeEnvironment
from vlrl.rollout.environments.tools.image_functions import Coordinates
from vlrl.rollout.environments.tools.image_tools import NAMES, ImageTools
from vlrl.rollout.environments.tools.programs import check_tesseract
from vlrl.types import Problem

ToolName = Literal["zoom", "rotate", "flip", "draw_box", "draw_line", "colour", "select", "ocr", "python"]


@environments.register("tools")
class ToolEnvironment(EpisodeEnvironment):
    """Tools on the images of an episode.

    coordinates  of boxes and points: thousandths of the image (Qwen3-VL), shares of it from 0 to 1, or its pixels
    """

    tools: tuple[ToolName, ...] = Field(default=("zoom",), min_length=1, description=f"some of {', '.join(NAMES)}")
    coordinates: Coordinates = "thousandths"
    least_side: int = Field(
        default=28, ge=1, description="pixels that a side of a crop has at least, where the image has"
    )

    ocr_language: str = Field(default="eng", description="of `ocr`, as tesseract names it; several: eng+deu")

    @model_validator(mode="after")
    def _can_be_run(self) -> ToolEnvironment:
        if "ocr" in self.tools:
            check_tesseract(self.ocr_language)
        if "python" in self.tools and self.episode_memory_mib is not None:
            raise ConfigError(
                "environment.episode_memory_mib",
                "`python` runs in the run's sandbox, which has limits of its own",
                "leave one of both out",
            )
        return self

    def warm_up(self, problems: Sequence[Problem]) -> None:
        """What programs run in, besides. Raises ConfigError where programs can't be run on this host."""
        super().warm_up(problems)
        if "python" in self.tools:
            executor.check()

    def open(self, problem: Problem) -> Any:
        """The tools, without images as yet."""
        return ImageTools(self.coordinates, self.least_side, self.ocr_language)

    def schemas(self) -> Mapping[str, Mapping[str, Any]]:
        """Those that are offered."""
        return schemas_of(ImageTools, tuple(NAMES[name] for name in self.tools))
